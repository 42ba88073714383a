//! How long it takes from log() to the changed pixel: the chart's own pixels are compared frame by frame.
import { panel, pause, pointsIn, Tab, until } from "./browser.mjs";

const WAIT_MS_MAX = 10_000;
/** Points are logged at uneven distances, so that no timer of anybody's falls into step with them. */
const spacing = (i) => 350 + ((i * 7919) % 11) * 37;

/** In the page: waits for a frame with one more point whose pixels differ from now's; answers when that was, milliseconds since 1970. */
function watch(canvas, waitMsMax) {
  const drawn = () => Number(canvas.parentElement.dataset.points);
  const points = drawn();
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const g = copy.getContext("2d", { willReadFrequently: true });
  const read = () => {
    g.clearRect(0, 0, copy.width, copy.height);
    g.drawImage(canvas, 0, 0);
    return new Uint32Array(g.getImageData(0, 0, copy.width, copy.height).data.buffer);
  };
  const before = read();
  const began = performance.now();
  globalThis.changed = new Promise((resolve, reject) => {
    const look = () => {
      const at = performance.timeOrigin + performance.now();
      if (drawn() > points && read().some((v, i) => v !== before[i])) resolve(at);
      else if (performance.now() - began > waitMsMax) reject(new Error("no pixel changed"));
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}

/** `count` points of one live run on a project's page: milliseconds each, and what the page asked meanwhile. */
export async function measurePixels({ browser, hand, url, state }, count) {
  await hand.open("pixel", { project: "pixel", name: "pixel" });
  for (let step = 0; step < 20; step++) await hand.log("pixel", `{"wave": ${Math.sin(step)}}`, step);
  const tab = await Tab.open(browser, { state });
  try {
    await tab.page.goto(`${url}/p/pixel`);
    await until("the line is drawn", async () => (await pointsIn(tab.page, "wave")) === 20);
    await pause(1_500);
    tab.reset();
    const canvas = panel(tab.page, "wave").locator("canvas").first();
    const times = [];
    for (let i = 0; i < count; i++) {
      await canvas.evaluate(watch, WAIT_MS_MAX);
      const logged = await hand.log("pixel", `{"wave": ${Math.sin(20 + i)}}`, 20 + i);
      times.push((await tab.page.evaluate(() => globalThis.changed)) - logged);
      await pause(spacing(i));
    }
    return { times, requests: tab.requests.length, sent: tab.frames.filter((f) => f.way === "out").length };
  } finally {
    await hand.finish("pixel");
    await tab.close();
  }
}
