//! How the page is built: relative hashed assets, a module worker, nothing inline (a strict CSP serves it).
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The browser's own Host goes through, since the server compares it with Origin. `npm run dev` talks to a server of one's own.
const server = process.env.CORRAL_URL ?? "http://127.0.0.1:4870";

export default defineConfig({
  base: "./",
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 500 },
  worker: { format: "es" },
  server: {
    proxy: {
      "/session": { target: server, ws: true, changeOrigin: false },
      "/api": { target: server, changeOrigin: false },
    },
  },
  test: { include: ["src/**/*.test.ts"] },
});
