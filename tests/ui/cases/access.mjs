//! For every eye and hand: axe in both themes, keys alone, narrow windows, the states that have nothing to show.
import { findings, panel, pause, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

const SIZES = [[1280, 720], [1920, 1080], [390, 844]];

export async function access({ browser, hand, url, state, checks }) {
  const { id } = await hand.open("seen", { project: "seen", name: "seen", config: '{"lr": 0.1, "model": {"name": "cnn", "depth": 4}}', tags: ["first"], notes: "a note" });
  for (let step = 0; step < 40; step++) await hand.log("seen", `{"train/loss": ${2 / (step + 1)}, "val/loss": ${2.2 / (step + 1)}, "val/acc": ${1 - 1 / (step + 2)}}`, step);
  const pages = { projects: "/", project: "/p/seen", run: `/r/${id}`, panel: `/p/seen?panel=train%2Floss`, "no run": "/r/nobody", "no project": "/p/nobody", "no page": "/p/seen/nothing/here" };

  for (const theme of ["light", "dark"]) {
    const tab = (checks.tab = await Tab.open(browser, { state, colorScheme: theme }));
    for (const [name, path] of Object.entries(pages)) {
      await checks.check(`axe finds nothing serious on ${name}, ${theme}`, async () => {
        await tab.page.goto(url + path);
        await tab.page.locator("main").waitFor();
        await pause(900);
        await tab.shot(`${name.replaceAll(" ", "-")}-${theme}`);
        assert.deepEqual(await findings(tab.page), []);
      });
    }
    await checks.check(`the theme is ${theme} where the system is, in charts too`, async () => {
      await tab.page.goto(`${url}/p/seen`);
      await until("a chart is drawn", async () => (await panel(tab.page, "train/loss").locator("[data-painted]").count()) === 1);
      const background = await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
      assert.equal(background[0] > 128, theme === "light", `the ground is ${background}`);
    });
    await tab.close();
  }

  await checks.check("at two pixels a point charts are twice as fine", async () => {
    const fine = (checks.tab = await Tab.open(browser, { state, deviceScaleFactor: 2 }));
    await fine.page.goto(`${url}/p/seen`);
    const canvas = panel(fine.page, "train/loss").locator("canvas").first();
    await until("a chart is drawn", async () => (await panel(fine.page, "train/loss").locator("[data-painted]").count()) === 1);
    const [width, shown] = await canvas.evaluate((c) => [c.width, c.getBoundingClientRect().width]);
    assert.ok(Math.abs(width - 2 * shown) <= 2, `${width} for ${shown}`);
    await fine.shot("fine");
    await fine.close();
  });

  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  await checks.check("keys alone: to a run's line, along its points, into a zoom and out of it", async () => {
    await page.goto(`${url}/p/seen`);
    await until("a chart is drawn", async () => (await panel(page, "train/loss").locator("[data-painted]").count()) === 1);
    const chart = panel(page, "train/loss").locator("[data-points]");
    for (let i = 0; i < 80 && !(await chart.evaluate((e) => e === document.activeElement)); i++) await page.keyboard.press("Tab");
    assert.ok(await chart.evaluate((e) => e.matches(":focus-visible")), "Tab reaches the chart");
    for (const key of ["Home", "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
    await page.locator("[data-tooltip]").waitFor();
    assert.match(await page.locator("[data-tooltip]").innerText(), /step 2/);
    await tab.shot("keys");
    await page.keyboard.press("+");
    await until("a zoom", async () => new URL(page.url()).searchParams.has("zoom"));
    await page.keyboard.press("0");
    await until("no zoom", async () => !new URL(page.url()).searchParams.has("zoom"));
    await page.keyboard.press("Enter");
    await until("Enter opens the run", async () => page.url().includes(`/r/${id}`));
  });

  await checks.check("keys alone: help, log axis, smoothing, x axis, back home", async () => {
    await page.goto(`${url}/p/seen`);
    await panel(page, "train/loss").waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await tab.shot("help");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    for (const [key, name] of [["l", "log"], ["t", "x"]]) {
      await page.keyboard.press(key);
      await until(`${key} sets ${name}`, async () => new URL(page.url()).searchParams.has(name) || page.url());
    }
    await page.keyboard.press("h");
    await until("home", async () => new URL(page.url()).pathname === "/");
  });

  await checks.check("what is chosen survives in the address", async () => {
    await page.goto(`${url}/p/seen?smoothing=0.6&x=relative&log=train%2Floss`);
    await panel(page, "train/loss").waitFor();
    assert.match(await page.locator("main").innerText(), /Smoothing 0\.6/);
    assert.equal(await panel(page, "train/loss").getByRole("button", { name: /^log axis/ }).getAttribute("aria-pressed"), "true");
    await until("time is in words", async () => /\d (ms|s|min)/.test(await panel(page, "train/loss").innerText()) || panel(page, "train/loss").innerText());
    await tab.shot("smoothed-relative-log");
  });

  for (const [width, height] of SIZES) {
    await checks.check(`at ${width} x ${height} nothing is cut off sideways`, async () => {
      await page.setViewportSize({ width, height });
      for (const [name, path] of Object.entries(pages).slice(0, 3)) {
        await page.goto(url + path);
        await page.locator("main").waitFor();
        await pause(700);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, name);
        await tab.shot(`${name}-${width}`);
      }
    });
  }
  await hand.finish("seen");
  await tab.close();
}
