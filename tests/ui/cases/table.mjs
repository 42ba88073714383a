//! A chart for those who do not see it, or want its figures: as a table, with its lines named, and told apart without colour.
import { findings, panel, pause, pointsIn, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

const STEPS = 12;

/** What the table says: its head, and its rows as texts. */
const read = (region) => region.locator("table").evaluate((table) => ({
  head: [...table.tHead.rows[0].cells].map((cell) => cell.innerText.trim()),
  rows: [...table.tBodies[0].rows].filter((row) => !row.ariaHidden).map((row) => [...row.cells].map((cell) => cell.innerText)),
  titles: [...table.tBodies[0].rows].filter((row) => !row.ariaHidden).map((row) => row.cells[1].title),
}));

export async function table({ browser, hand, url, state, checks }) {
  for (const run of ["ash", "elm"]) await hand.open(run, { project: "figures", name: run });
  for (let step = 0; step < STEPS; step++) {
    await hand.log("ash", `{"val/loss": ${1 / (step + 3)}}`, step);
    if (step % 2 === 0) await hand.log("elm", `{"val/loss": ${step}}`, step);
  }
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  const chart = () => panel(page, "val/loss");
  const region = page.getByRole("region", { name: "val/loss as a table" });
  await page.goto(`${url}/p/figures`);
  await until("the lines are drawn", async () => (await pointsIn(page, "val/loss")) === STEPS + STEPS / 2);

  await checks.check("keys alone: a chart becomes a table of what is drawn, and Escape makes it a chart again", async () => {
    const button = chart().getByRole("button", { name: "table of val/loss" });
    for (let i = 0; i < 80 && !(await button.evaluate((e) => e === document.activeElement)); i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await region.waitFor();
    assert.ok(await region.evaluate((e) => e === document.activeElement), "the keys are the table's");
    const { head, rows, titles } = await read(region);
    assert.deepEqual([head[0], [...head.slice(1)].sort()], ["step", ["ash", "elm"]]);
    const [ash, elm] = ["ash", "elm"].map((name) => head.indexOf(name));
    await tab.shot("table");
    assert.deepEqual(rows.slice(0, 4).map((r) => [r[0], r[ash], r[elm]]), [["0", "0.333333", "0"], ["1", "0.250000", "–"], ["2", "0.200000", "2"], ["3", "0.166667", "–"]]);
    assert.equal(titles[0], ash === 1 ? String(1 / 3) : "0", "every digit is there");
    await page.keyboard.press("Escape");
    await region.waitFor({ state: "detached" });
    assert.ok(await button.evaluate((e) => e === document.activeElement), "and the place on the page is kept");
  });

  await checks.check("a table lives: a new point is a new row", async () => {
    await chart().getByRole("button", { name: "table of val/loss" }).click();
    const count = async () => Number(await region.locator("table").getAttribute("aria-rowcount"));
    const before = await count();
    await hand.log("ash", '{"val/loss": 0.5}', STEPS);
    await until("there is a row more", async () => (await count()) === before + 1);
    await page.keyboard.press("Escape");
  });

  for (const theme of ["light", "dark"]) {
    await checks.check(`axe finds nothing serious in a table and beside named lines, ${theme}`, async () => {
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(`${url}/p/figures?panel=val%2Floss`);
      await page.getByRole("dialog").waitFor();
      await until("both lines have their names", async () => (await page.getByRole("dialog").locator("[data-end]").allInnerTexts()).sort().join() === "ash,elm");
      await tab.shot(`ends-${theme}`);
      assert.deepEqual(await findings(page), []);
      await page.getByRole("dialog").getByRole("button", { name: "table of val/loss" }).click();
      await page.getByRole("dialog").getByRole("region").waitFor();
      await pause(300);
      await tab.shot(`table-${theme}`);
      assert.deepEqual(await findings(page), []);
    });
  }

  await checks.check("Escape leaves the table first, then the panel that fills the window", async () => {
    await page.keyboard.press("Escape");
    await region.first().waitFor({ state: "detached" });
    assert.equal(await page.getByRole("dialog").count(), 1);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  await checks.check("the elapsed axis starts at 0, though a program logs while its run is being opened", async () => {
    await page.goto(`${url}/p/figures?x=relative`);
    await until("a chart is drawn", async () => (await chart().locator('[data-axis="x"]').count()) > 0);
    const [left, first, texts] = await chart().evaluate((e) => {
      const ticks = [...e.querySelectorAll('[data-axis="x"]')];
      return [parseFloat(e.querySelector('[data-axis="y"]').style.width) + 6, parseFloat(ticks[0].style.left), ticks.map((t) => t.textContent)];
    });
    assert.equal(texts[0], "0");
    assert.ok(Math.abs(first - left) < 0.5, `0 stands at ${first}, the plot begins at ${left}`);
  });
  for (const run of ["ash", "elm"]) await hand.finish(run);
  await checks.check("nobody complained of a table", async () => assert.deepEqual(tab.complaints, []));
  await tab.close();
}
