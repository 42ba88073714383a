//! One planted spike in 10,000 points is seen in pixels, at every zoom, smoothed or not.
import { panel, pixels, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

const POINTS = 10_000;
const AT = 6_321;
const VIEWS = [null, [0, 8_191], [5_000, 9_999], [6_000, 7_000], [6_250, 6_400], [6_310, 6_330]];

/** The run's colour and where the plot lies, from the page itself. */
async function seen(page) {
  return panel(page, "spiky").evaluate((section) => {
    const style = getComputedStyle(document.documentElement);
    const colors = Array.from({ length: 12 }, (_, i) => style.getPropertyValue(`--d${i + 1}`).trim());
    return { colors, density: devicePixelRatio };
  });
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** The topmost pixel of one of the colours, nearly opaque, and its column; rows are counted from above. */
function topmost({ width, height, rgba }, colors) {
  const wanted = colors.map(rgb);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      if (rgba[at + 3] < 90) continue;
      if (wanted.some((c) => c.every((v, k) => Math.abs(v - rgba[at + k]) < 24))) return { x: x / width, y: y / height };
    }
  }
  return null;
}

export async function spike({ browser, hand, url, state, checks }) {
  const { id } = await hand.open("spiky", { project: "spikes", name: "spiky" });
  await hand.ramp("spiky", "spiky", 0, POINTS, { [AT]: 40 });
  await hand.finish("spiky");
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  for (const smoothing of ["", "smoothing=0.9"]) {
    for (const view of VIEWS) {
      const name = view ? `${view[0]} to ${view[1]}` : "everything";
      await checks.check(`a spike in ${POINTS} points is drawn at ${name}${smoothing ? ", smoothed" : ""}`, async () => {
        await page.goto(`${url}/r/${id}?${[smoothing, view ? `zoom=${view[0]}~${view[1]}` : ""].filter(Boolean).join("&")}`);
        const { colors } = await seen(page);
        let top;
        await until("the line is drawn", async () => (top = topmost(await pixels(page, "spiky"), colors)) !== null);
        // The axis goes to 50 and the line lies at 1: a spike of 40 is in the upper part, everything else at the foot.
        await until("the spike is", async () => {
          top = topmost(await pixels(page, "spiky"), colors);
          return top !== null && top.y < 0.35 ? true : top;
        }, 5_000);
        const [from, to] = view ?? [0, POINTS - 1];
        assert.ok(Math.abs(top.x - (AT - from) / (to - from)) < 0.12, `it is at ${top.x} of the width`);
        await tab.shot(`spike-${name.replaceAll(/\W+/g, "-")}${smoothing ? "-smoothed" : ""}`);
      });
    }
  }
  await checks.check("where it is not in view, nothing is that high", async () => {
    await page.goto(`${url}/r/${id}?zoom=1000~5000`);
    const { colors } = await seen(page);
    let top;
    await until("the line is drawn", async () => (top = topmost(await pixels(page, "spiky"), colors)) !== null);
    const label = await panel(page, "spiky").innerText();
    assert.ok(!/\b[45]0\b/.test(label), label);
  });
  await tab.close();
}
