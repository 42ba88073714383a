//! The page: theme first, then the one live session, then what is shown.
import "./base.css";
import { createRoot } from "react-dom/client";
import { App } from "./app/app.js";
import { store } from "./env.js";
import { applyTheme } from "./theme.js";

applyTheme();
store.start();
addEventListener("online", () => store.wake());
document.addEventListener("visibilitychange", () => {
  store.setHidden(document.hidden);
  if (!document.hidden) store.wake();
});
createRoot(document.getElementById("root")!).render(<App />);
