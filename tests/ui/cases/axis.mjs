//! What x is: each metric by its own step metric, or all of them by what the hand chooses; the address keeps it.
import { panel, pointsIn, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

const STEPS = 40;

export async function axis({ browser, hand, url, state, checks }) {
  const { id } = await hand.open("wren", { project: "axes", name: "wren" });
  await hand.define("wren", "val/*", "epoch");
  for (let step = 0; step < STEPS; step++) {
    const seen = step % 10 === 9 ? `, "val/acc": ${step / 100}, "epoch": ${(step + 1) / 20}` : "";
    await hand.log("wren", `{"loss": ${1 / (step + 1)}${seen}}`, step);
  }
  await hand.log("wren", '{"val/acc": 0.9}', STEPS);
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  const name = (metric) => panel(page, metric).locator("[data-axis-name]");
  const select = () => page.getByRole("combobox", { name: "x axis" });
  const asTable = async (metric, look) => {
    const button = panel(page, metric).getByRole("button", { name: `table of ${metric}` });
    await button.click();
    const region = page.getByRole("region", { name: `${metric} as a table` });
    await region.waitFor();
    const read = () => region.locator("table").evaluate((t) => [t.tHead.rows[0].cells[0].innerText.trim(), ...[...t.tBodies[0].rows].filter((r) => !r.ariaHidden).map((r) => `${r.cells[0].innerText} ${Number(r.cells[1].innerText)}`)]);
    await look(read);
    await button.click();
    await region.waitFor({ state: "detached" });
  };
  const search = () => page.evaluate(() => location.search);

  for (const [what, path] of [["run", `/r/${id}`], ["project", "/p/axes"]]) {
    await checks.check(`on the ${what} page a metric is drawn by its step metric, and others by the step`, async () => {
      await page.goto(url + path);
      await until("both are drawn", async () => (await pointsIn(page, "val/acc")) === 4 && (await pointsIn(page, "loss")) === STEPS);
      assert.equal(await name("val/acc").innerText(), "by epoch, 1 point without");
      assert.equal(await name("loss").count(), 0);
      await asTable("val/acc", async (read) => assert.deepEqual(await read(), ["epoch", "0.5 0.09", "1 0.19", "1.5 0.29", "2 0.39"]));
      await tab.shot(`axis-${what}`);
    });
  }

  await checks.check("a new point comes to its place between others, and one that has no epoch is counted", async () => {
    await asTable("val/acc", async (read) => {
      await hand.log("wren", '{"val/acc": 0.5, "epoch": 1.25}', STEPS + 1);
      await until("it is there", async () => (await read()).includes("1.25 0.5"));
      assert.deepEqual((await read()).map((row) => row.split(" ")[0]), ["epoch", "0.5", "1", "1.25", "1.5", "2"]);
    });
    await hand.log("wren", '{"val/acc": 0.1}', STEPS + 2);
    await until("it is counted", async () => (await name("val/acc").innerText()) === "by epoch, 2 points without");
  });

  await checks.check("a zoom by a metric's value is that axis' own, is kept in the address, and ends", async () => {
    await panel(page, "val/acc").locator('[role="img"]').focus();
    await page.keyboard.press("+");
    await until("the address says so", async () => /[?&]zoomed=epoch(&|$)/.test(await search()));
    const kept = await pointsIn(page, "loss");
    assert.equal(kept, STEPS);
    await page.reload();
    await until("it is as it was", async () => (await pointsIn(page, "loss")) === STEPS && (await pointsIn(page, "val/acc")) > 0);
    await until("fewer are in view", async () => (await pointsIn(page, "val/acc")) < 5);
    await page.getByRole("button", { name: "Reset zoom" }).click();
    await until("all are drawn again", async () => (await pointsIn(page, "val/acc")) === 5);
    await until("the address says so", async () => !/zoom/.test(await search()));
  });

  await checks.check("the hand chooses the step, or any metric, for all panels; the address keeps it", async () => {
    await select().selectOption("step");
    await until("val/acc is drawn by steps", async () => (await pointsIn(page, "val/acc")) === 7 && (await name("val/acc").count()) === 0);
    await until("the address says so", async () => /[?&]x=step(&|$)/.test(await search()));
    await select().selectOption("metric:epoch");
    await until("loss is drawn by epochs", async () => (await pointsIn(page, "loss")) === 4);
    assert.match(await name("loss").innerText(), /^by epoch, 36 points without$/);
    await until("the address says so", async () => new URLSearchParams(await search()).get("x") === "metric:epoch");
    await page.reload();
    await until("it still is", async () => (await pointsIn(page, "loss")) === 4 && (await name("loss").count()) === 1);
    assert.equal(await select().inputValue(), "metric:epoch");
  });

  await checks.check("fractions as steps are drawn where they are, whole ones among them too", async () => {
    const { id: half } = await hand.open("half", { project: "axes", name: "half" });
    for (let i = 0; i < 5; i++) await hand.log("half", `{"loss": ${i}}`, i / 2);
    await page.goto(`${url}/r/${half}`);
    await until("all are drawn", async () => (await pointsIn(page, "loss")) === 5);
    await asTable("loss", async (read) => assert.deepEqual(await read(), ["step", "0 0", "0.5 1", "1 2", "1.5 3", "2 4"]));
    await hand.finish("half");
  });
  await hand.finish("wren");
  await checks.check("nobody complained of an axis", async () => assert.deepEqual(tab.complaints, []));
  await tab.close();
}
