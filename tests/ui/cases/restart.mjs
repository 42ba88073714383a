//! The server is killed and comes back: the page says so, keeps what it shows, catches up by itself, and no number goes back.
import { pointsIn, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

const KILLS = 3;

export async function restart({ browser, hand, url, state, checks }) {
  const { id } = await hand.open("lasting", { project: "lasting", name: "lasting" });
  for (let step = 0; step < 50; step++) await hand.log("lasting", `{"loss": ${1 / (step + 1)}}`, step);
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  await page.goto(`${url}/r/${id}`);
  await until("the line is drawn", async () => (await pointsIn(page, "loss")) === 50);
  await page.evaluate(() => {
    globalThis.marker = "never reloaded";
    globalThis.seen = [];
    const look = () => {
      const shown = Number(document.querySelector('[data-count="shown"]')?.textContent.replaceAll(",", "") ?? -1);
      const drawn = Number(document.querySelector('[data-metric="loss"] [data-points]')?.dataset.points ?? -1);
      const last = globalThis.seen.at(-1);
      if (!last || last[0] !== shown || last[1] !== drawn) globalThis.seen.push([shown, drawn]);
    };
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });

  let step = 50;
  for (let kill = 1; kill <= KILLS; kill++) {
    await checks.check(`kill ${kill}: offline and still there, then caught up without a reload`, async () => {
      await hand.kill();
      await until("the pill says offline", async () => /^offline, showing \d\d:\d\d:\d\d$/.test(await page.locator("[data-live-pill]").innerText()) || page.locator("[data-live-pill]").innerText());
      assert.equal(await pointsIn(page, "loss"), step);
      if (kill === 1) await tab.shot("offline");
      for (const end = step + 20; step < end; step++) await hand.log("lasting", `{"loss": ${1 / (step + 1)}}`, step);
      await hand.start();
      const took = await until("every point is drawn", async () => (await pointsIn(page, "loss")) === step || pointsIn(page, "loss"), 40_000);
      await until("the pill is live", async () => /^Live/.test(await page.locator("[data-live-pill]").innerText()));
      assert.equal(await page.evaluate(() => globalThis.marker), "never reloaded");
      return `caught up ${took} ms after the server was there`;
    });
  }

  await checks.check("no number on the page ever went back, and all are there", async () => {
    const seen = await page.evaluate(() => globalThis.seen);
    for (let i = 1; i < seen.length; i++) for (const k of [0, 1]) assert.ok(seen[i][k] >= seen[i - 1][k], `${JSON.stringify(seen[i - 1])} then ${JSON.stringify(seen[i])}`);
    assert.deepEqual(seen.at(-1), [step, step]);
  });
  await hand.finish("lasting");
  await tab.close();
}
