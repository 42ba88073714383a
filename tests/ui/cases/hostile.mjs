//! Names that try something are text, wherever they stand.
import { Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

const NAMES = [
  '<img src=x onerror="globalThis.hacked=1">', "<script>globalThis.hacked=2</script>", "\u202egnihton\u202c ltr", '"><svg onload=globalThis.hacked=3>',
  "javascript:alert(1)", "a\u200bb\u0301\ufeff", "../../../etc/passwd", "{{constructor.constructor('globalThis.hacked=4')()}}", "x".repeat(180), "emoji 👩‍🔬 مرحبا",
];

export async function hostile({ browser, hand, url, state, checks }) {
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  const ids = [];
  for (const [i, name] of NAMES.entries()) {
    const { id } = await hand.open(`hostile-${i}`, { project: "hostile", name, notes: name, tags: [name.slice(0, 60)], config: JSON.stringify({ [name]: name }) });
    ids.push(id);
    await hand.log(`hostile-${i}`, JSON.stringify({ [name]: i }), 0);
    await hand.finish(`hostile-${i}`);
  }
  const harmless = async () => {
    assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
    assert.equal(await page.locator("img, svg[onload], [onerror], main script").count(), 0);
    assert.deepEqual(tab.complaints, []);
  };

  await checks.check("in a project's lists, panels and tooltips", async () => {
    await page.goto(`${url}/p/hostile`);
    await until("all runs are listed", async () => (await page.locator("[data-row]").count()) === NAMES.length);
    const text = await page.locator("main").innerText();
    for (const name of NAMES.slice(0, 2)) assert.ok(text.includes(name), `${name} is shown as it is`);
    await harmless();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "nothing is wider than the window");
    await tab.shot("hostile");
  });

  await checks.check("on a run's page, in its title, config and notes", async () => {
    for (const id of ids) {
      await page.goto(`${url}/r/${id}`);
      await page.getByRole("complementary", { name: "Details" }).waitFor();
      await until("its panel is there", async () => (await page.locator("[data-metric]").count()) === 1);
      await harmless();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "nothing is wider than the window");
    }
  });

  await checks.check("in an address", async () => {
    for (const path of ["/p/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "/r/%22%3E%3Cscript%3E", "/p/hostile?find=%3Cimg%20src%3Dx%3E&panel=%3Cb%3E&order=summary%3A%3Cb%3E&zoom=1~NaN&x=%3Cscript%3E"]) {
      await page.goto(url + path);
      await page.locator("main").waitFor();
      await page.waitForTimeout(300);
      await harmless();
    }
  });
  await tab.close();
}
