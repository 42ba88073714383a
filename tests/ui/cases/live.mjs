//! Three trainings move the page by themselves: lists, charts, figures, states; what is pointed at holds still.
import { panel, pause, pixels, pointsIn, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

const RUNS = ["owl", "fox", "lynx"];

export async function live({ browser, hand, url, state, checks }) {
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;

  await checks.check("an empty server teaches, and a first project appears by itself", async () => {
    await page.goto(url);
    await page.getByText("import corral").first().waitFor();
    await tab.shot("empty");
    await page.evaluate(() => void (globalThis.marker = "never reloaded"));
    for (const run of RUNS) {
      await hand.open(run, { project: "trio", name: run, config: '{"lr": 0.1}' });
      await hand.log(run, '{"train/loss": 2.5, "val/acc": 0.1}', 0);
    }
    await page.getByRole("main").getByText("trio").first().waitFor();
    await page.getByRole("main").getByRole("link", { name: /trio/ }).first().click();
    await page.getByRole("row").filter({ hasText: "lynx" }).waitFor();
  });

  await checks.check("points arrive on three lines without a reload", async () => {
    await until("a panel has three lines", async () => (await pointsIn(page, "train/loss")) === 3);
    const before = await pixels(page, "train/loss");
    for (let step = 1; step <= 30; step++) for (const [k, run] of RUNS.entries()) await hand.log(run, `{"train/loss": ${2.5 / (1 + step * (k + 1) * 0.1)}, "val/acc": ${1 - 0.9 / (step * 0.3 + 1)}}`, step);
    await until("all points are drawn", async () => ((await pointsIn(page, "train/loss")) === 93 ? true : pointsIn(page, "train/loss")));
    await until("pixels changed", async () => (await pixels(page, "train/loss")).rgba.some((v, i) => v !== before.rgba[i]));
    assert.equal(await page.evaluate(() => globalThis.marker), "never reloaded");
  });

  await checks.check("the live pill says so", async () => {
    assert.match(await page.locator("[data-live-pill]").innerText(), /^Live/);
    await tab.shot("three-runs");
  });

  await checks.check("one crosshair and one tooltip for all panels, sorted by value", async () => {
    const box = await panel(page, "val/acc").locator("canvas").first().boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const tips = page.locator("[data-tooltip]");
    await tips.waitFor();
    assert.equal(await tips.count(), 1);
    const overlay = (metric) => panel(page, metric).locator("canvas").nth(1).evaluate((canvas) => {
      const g = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height }).getContext("2d");
      g.drawImage(canvas, 0, 0);
      return g.getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 0);
    });
    for (const metric of ["val/acc", "train/loss"]) await until(`a crosshair on ${metric}`, () => overlay(metric));
    const loss = await panel(page, "train/loss").locator("canvas").first().boundingBox();
    await page.mouse.move(loss.x + loss.width / 2, loss.y + loss.height / 2);
    await until("the tooltip is of the other panel", async () => /owl[\s\S]*fox[\s\S]*lynx/.test(await tips.innerText()));
    await tab.shot("tooltip");
    await page.mouse.move(2, 2);
    await until("the tooltip is gone", async () => (await tips.count()) === 0);
  });

  await checks.check("a drag zooms all panels, the address keeps it, a double click shows everything", async () => {
    const box = await panel(page, "train/loss").locator("canvas").first().boundingBox();
    await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.7, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await until("the address has a zoom", async () => new URL(page.url()).searchParams.has("zoom"));
    const [from, to] = new URL(page.url()).searchParams.get("zoom").split("~").map(Number);
    assert.ok(from > 4 && to < 26 && to - from >= 5, `${from}~${to}`);
    await page.mouse.dblclick(box.x + box.width * 0.5, box.y + 50);
    await until("the zoom is gone", async () => !new URL(page.url()).searchParams.has("zoom"));
  });

  await checks.check("a run that ends says so", async () => {
    await hand.finish("lynx");
    const row = page.getByRole("row").filter({ hasText: "lynx" });
    await until("lynx has finished", async () => (await row.locator("[data-state]").first().getAttribute("data-state")) === "finished" || (await row.innerText()));
  });

  await checks.check("when buckets double, no frame is empty and no line jumps away", async () => {
    const canvas = panel(page, "train/loss").locator("canvas").first();
    await canvas.evaluate((c) => {
      const g = Object.assign(document.createElement("canvas"), { width: c.width, height: c.height }).getContext("2d", { willReadFrequently: true });
      globalThis.least = Infinity;
      const look = () => {
        g.clearRect(0, 0, c.width, c.height);
        g.drawImage(c, 0, 0);
        const data = new Uint32Array(g.getImageData(0, 0, c.width, c.height).data.buffer);
        globalThis.least = Math.min(globalThis.least, data.reduce((n, v) => n + (v >>> 24 > 200 ? 1 : 0), 0));
        globalThis.looking = requestAnimationFrame(look);
      };
      look();
    });
    const before = await page.evaluate(() => globalThis.least);
    const counts = [];
    for (let step = 31; step < 1_531; step += 100) {
      await hand.ramp("owl", "train/loss", step, 100);
      await pause(150);
      counts.push(await pointsIn(page, "train/loss"));
    }
    const least = await page.evaluate(() => (cancelAnimationFrame(globalThis.looking), globalThis.least));
    assert.ok(counts.some((n, i) => n < counts[i - 1]), `buckets doubled: ${counts}`);
    assert.ok(Math.min(...counts) > 62, `and were never gone: ${counts}`);
    assert.ok(least > before * 0.4, `${least} of ${before} pixels`);
  });

  await checks.check("out of sight nothing is drawn; seen again, everything is there at once", async () => {
    const sight = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => (value ? "hidden" : "visible") });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    const painted = () => panel(page, "val/acc").locator("[data-painted]").getAttribute("data-painted");
    await pause(600);
    await sight(true);
    const before = [await pointsIn(page, "val/acc"), await painted()];
    for (let step = 31; step <= 40; step++) await hand.log("fox", '{"val/acc": 0.95}', step);
    await pause(1_000);
    assert.deepEqual([await pointsIn(page, "val/acc"), await painted()], before);
    await sight(false);
    await until("all points are drawn", async () => (await pointsIn(page, "val/acc")) === before[0] + 10, 1_000);
  });

  await checks.check("a chart worker that breaks is replaced, and every chart is there again", async () => {
    const chart = panel(page, "val/acc");
    await chart.locator("canvas").first().evaluate((c) => void (c.dataset.old = "yes"));
    await page.workers()[0].evaluate(() => void setTimeout(() => { throw new Error("broken by the test"); }));
    await until("there are new canvases", async () => (await page.locator("canvas[data-old]").count()) === 0 && (await chart.locator("canvas").count()) === 2);
    await until("lines on them", async () => (await pixels(page, "val/acc")).rgba.some((v, i) => i % 4 === 3 && v > 200));
    const before = await pointsIn(page, "val/acc");
    await hand.log("fox", '{"val/acc": 0.96}', 41);
    await until("and points still come", async () => (await pointsIn(page, "val/acc")) === before + 1);
    tab.complaints = tab.complaints.filter((text) => !text.includes("broken by the test"));
  });

  for (const run of ["owl", "fox"]) await hand.finish(run);
  await checks.check("nobody complained", async () => assert.deepEqual(tab.complaints, []));
  await tab.close();
}
