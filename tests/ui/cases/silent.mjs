//! The network dies without a word: the pill does not go on saying "Live", and nothing is lost when it comes back.
import { pointsIn, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

/** Three marks that do not come, and time to notice. */
const NOTICED_MS_MAX = 20_000;
const BACK_MS_MAX = 40_000;

export async function silent({ browser, hand, url, state, checks }) {
  const { id } = await hand.open("cut", { project: "cut", name: "cut" });
  for (let step = 0; step < 20; step++) await hand.log("cut", `{"loss": ${1 / (step + 1)}}`, step);
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  const pill = () => page.locator("[data-live-pill]").innerText();
  await page.goto(`${url}/r/${id}`);
  await until("the line is drawn", async () => (await pointsIn(page, "loss")) === 20);
  await page.evaluate(() => void (globalThis.marker = "never reloaded"));

  await checks.check("a network that dies silently turns the pill to offline, with the time that is shown", async () => {
    tab.reset();
    await hand.freeze();
    try {
      const took = await until("the pill says offline", async () => /^offline, showing \d\d:\d\d:\d\d$/.test(await pill()) || pill(), NOTICED_MS_MAX);
      assert.equal(await pointsIn(page, "loss"), 20, "what is shown stays");
      await tab.shot("silent");
      for (let step = 20; step < 40; step++) await hand.log("cut", `{"loss": ${1 / (step + 1)}}`, step);
      assert.deepEqual(tab.requests, [], "no request asks what the silence says");
      return `after ${took} ms`;
    } finally {
      await hand.thaw();
    }
  });

  await checks.check("it opens the session anew by itself, and every point is there", async () => {
    const took = await until("every point is drawn", async () => (await pointsIn(page, "loss")) === 40 || pointsIn(page, "loss"), BACK_MS_MAX);
    await until("the pill is live", async () => /^Live/.test(await pill()) || pill());
    assert.equal(await page.evaluate(() => globalThis.marker), "never reloaded");
    await hand.log("cut", '{"loss": 0.5}', 40);
    await until("a new point is drawn", async () => (await pointsIn(page, "loss")) === 41);
    return `${took} ms after the network was there`;
  });
  await hand.finish("cut");
  await tab.close();
}
