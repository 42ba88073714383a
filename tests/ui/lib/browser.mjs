//! Debian's Chromium, a signed-in page in it, and everything that the page sends, receives and complains about.
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const ui = new URL("../../../services/web/ui/", import.meta.url);
const need = createRequire(new URL("package.json", ui));
const { chromium } = need("playwright-core");
const { fromBinary } = await import(new URL("node_modules/@bufbuild/protobuf/dist/esm/index.js", ui));
const { SessionRequestSchema, SessionResponseSchema } = await import(new URL("src/gen/corral/v1/session_pb.js", ui));

export const axeSource = need("axe-core").source;
const OUT = fileURLToPath(new URL("../out/", import.meta.url));
mkdirSync(OUT, { recursive: true });

const CHROMIUMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function launch() {
  const executablePath = process.env.CORRAL_TEST_CHROMIUM ?? CHROMIUMS.find(existsSync);
  if (!executablePath) throw new Error("no Chromium: apt-get install chromium, or name one in CORRAL_TEST_CHROMIUM");
  // As root (in a container) Chromium's own sandbox cannot start.
  return chromium.launch({ executablePath, args: ["--disable-gpu", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])] });
}

/** A page and what went over its wires. */
export class Tab {
  requests = [];
  /** {way: "in" | "out", bytes, frame} */
  frames = [];
  complaints = [];

  static async open(browser, { state, ...options } = {}) {
    const tab = new Tab();
    tab.context = await browser.newContext({ viewport: { width: 1280, height: 720 }, reducedMotion: "reduce", storageState: state, ...options });
    tab.page = await tab.context.newPage();
    tab.listen();
    return tab;
  }

  listen() {
    const { page } = this;
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && this.complaints.push(m.text()));
    page.on("dialog", (dialog) => {
      this.complaints.push(`a dialog opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => this.requests.push(request.url()));
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => this.note("out", payload, SessionRequestSchema));
      socket.on("framereceived", ({ payload }) => this.note("in", payload, SessionResponseSchema));
    });
  }

  note(way, payload, schema) {
    this.frames.push({ way, bytes: payload.length, frame: fromBinary(schema, new Uint8Array(payload)).frame });
  }

  /** Forgets what was counted so far. */
  reset() {
    this.requests.length = 0;
    this.frames.length = 0;
  }

  shot(name) {
    return this.page.screenshot({ path: `${OUT}${name}.png` });
  }

  close() {
    return this.context.close();
  }
}

/** Signs in by a login link and answers with what the browser keeps of it. */
export async function signIn(browser, link) {
  const tab = await Tab.open(browser);
  await tab.page.goto(link);
  await tab.page.getByRole("navigation").waitFor();
  const state = await tab.context.storageState();
  await tab.close();
  return state;
}

export const panel = (page, metric) => page.locator(`[data-metric="${metric}"]`).first();

/** Buckets that the panel draws, over all its lines. */
export async function pointsIn(page, metric) {
  return Number(await panel(page, metric).locator("[data-points]").getAttribute("data-points"));
}

/** Waits until `ready` says so; the time it took. Asks the page, which sends nothing for it. */
export async function until(what, ready, msMax = 15_000) {
  const began = Date.now();
  let last;
  for (;;) {
    last = await ready();
    if (last === true) return Date.now() - began;
    if (Date.now() - began > msMax) throw new Error(`not so after ${msMax} ms: ${what} (last: ${JSON.stringify(last)})`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The panel's chart as it is seen: width, height and rgba of its lower canvas. Colours of the theme by name (`d1`...). */
export function pixels(page, metric) {
  return panel(page, metric).locator("canvas").first().evaluate((canvas) => {
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const g = copy.getContext("2d", { willReadFrequently: true });
    g.drawImage(canvas, 0, 0);
    return { width: copy.width, height: copy.height, rgba: [...g.getImageData(0, 0, copy.width, copy.height).data] };
  });
}

/** Serious and critical findings of axe, in words. */
export async function findings(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 4).join(" | ")}`);
}
