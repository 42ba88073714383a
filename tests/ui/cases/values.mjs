//! Values come back exactly as they were logged: on the run's page as text, in charts as marks.
import { pixels, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

/** JSON text as Python reads it, and what the page must say. */
const EXACT = {
  nan: ["NaN", "NaN"], inf: ["Infinity", "Infinity"], "minus.inf": ["-Infinity", "-Infinity"], "minus.zero": ["-0.0", "-0"],
  beyond: ["9007199254740993", "9007199254740993"], "u64.max": ["18446744073709551615", "18446744073709551615"],
  "i64.min": ["-9223372036854775808", "-9223372036854775808"], yes: ["true", "true"], no: ["false", "false"],
  third: ["0.1", "0.1"], sum: ["0.30000000000000004", "0.30000000000000004"], tiny: ["5e-324", "5e-324"],
};

/** What is said of a key: what is shown, or the exact text behind what had no room. */
function said(page, key) {
  return page.getByRole("complementary", { name: "Details" }).evaluate((side, wanted) => {
    const texts = [];
    for (const name of side.querySelectorAll("dt")) {
      const value = name.nextElementSibling;
      if (name.textContent === wanted || name.title === wanted) texts.push(value.firstChild?.textContent, ...value.title.split("\n"));
    }
    return texts;
  }, key);
}

export async function values({ browser, hand, url, state, checks }) {
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  const { id } = await hand.open("exact", { project: "values", name: "exact", config: '{"seed": 9007199254740993, "big": 18446744073709551615, "list": [1, NaN], "text": "a<b", "rate": 0.1, "on": true, "none": null}' });
  await hand.log("exact", `{${Object.entries(EXACT).map(([key, [literal]]) => `"${key}": ${literal}`).join(", ")}}`, 0);
  await page.goto(`${url}/r/${id}`);
  await page.getByRole("complementary", { name: "Details" }).waitFor();

  for (const [key, [, text]] of Object.entries(EXACT)) {
    await checks.check(`${text} (${key}) is shown exactly`, () => until("the page says it", async () => {
      const texts = await said(page, key);
      return texts.includes(text) || texts;
    }).then(() => undefined));
  }

  await checks.check("config keeps its integers, booleans and nothing", async () => {
    for (const [key, text] of [["seed", "9007199254740993"], ["big", "18446744073709551615"], ["rate", "0.1"], ["on", "true"], ["none", "null"], ["text", "a<b"]]) {
      const texts = await said(page, key);
      assert.ok(texts.includes(text), `${key}: ${JSON.stringify(texts)}`);
    }
    await tab.shot("values");
  });

  await checks.check("what no axis has is marked at the edge of its chart", async () => {
    const inked = async (metric) => (await pixels(page, metric)).rgba.filter((_, i) => i % 4 === 3).some((alpha) => alpha > 200);
    for (const metric of ["nan", "inf", "minus.inf"]) await until(`a mark in ${metric}`, () => inked(metric));
  });
  await hand.finish("exact");
  assert.deepEqual(tab.complaints, []);
  await tab.close();
}
