//! What goes over the wires: a mark now and then while nothing happens, and little when a point comes. Counts are gates, times are not.
import { pause, pointsIn, Tab, until } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

const IDLE_MS = 8_000;
/** By then a page has ended the subscriptions that it needed while it was being laid out. */
const SETTLED_MS = 11_000;
const POINT_BYTES_MAX = 200;
/** The server's own (SESSION_MARK_MS): what says that it lives, and costs next to nothing. */
const MARK_MS = 5_000;
const MARK_BYTES_MAX = 4;
const METRICS = ["loss", "accuracy", "lr"];

export async function quiet({ browser, hand, url, state, checks }) {
  const tab = (checks.tab = await Tab.open(browser, { state }));
  const { page } = tab;
  const { id } = await hand.open("still", { project: "quiet", name: "still" });
  await hand.log("still", '{"loss": 1.0, "accuracy": 0.5, "lr": 0.1}', 0);
  await page.goto(`${url}/p/quiet`);
  await until("three panels", async () => (await pointsIn(page, "lr")) === 1);
  await pause(2_000);

  await checks.check("a page of a live run asks for nothing while it waits", async () => {
    tab.reset();
    await pause(IDLE_MS);
    assert.deepEqual(tab.requests, []);
    assert.deepEqual(tab.frames.filter((f) => f.way === "out"), []);
    return `${tab.frames.length} frames heard (heartbeats)`;
  });

  await checks.check(`a new point costs at most ${POINT_BYTES_MAX} bytes on the wire, in a panel and with its share of the lists, and no request`, async () => {
    // The first deltas of a series name it, and buckets double while a run is short: both are whole answers.
    for (let step = 1; step <= 20; step++) await hand.log("still", `{"loss": ${1 / step}, "accuracy": 0.6, "lr": 0.1}`, step);
    await until("they are drawn", async () => (await pointsIn(page, "lr")) === 21);
    await pause(500);
    tab.reset();
    for (let step = 21; step <= 40; step++) {
      await hand.log("still", `{"loss": ${1 / step}, "accuracy": 0.6, "lr": 0.1}`, step);
      await pause(250);
    }
    await until("they are drawn", async () => (await pointsIn(page, "lr")) === 41);
    assert.deepEqual(tab.requests, []);
    assert.deepEqual(tab.frames.filter((f) => f.way === "out"), []);
    const points = tab.frames.filter((f) => f.frame.value?.body?.case === "history");
    assert.ok(points.length >= METRICS.length, "points came as history");
    assert.ok(points.every((f) => !f.frame.value.whole), "and not as whole answers");
    const most = Math.max(...points.map((f) => f.bytes));
    assert.ok(most <= POINT_BYTES_MAX, `${most} bytes`);
    const kinds = new Map();
    for (const f of tab.frames) {
      const kind = f.frame.value.body?.case ?? f.frame.case;
      kinds.set(kind, (kinds.get(kind) ?? 0) + f.bytes);
    }
    const all = tab.frames.reduce((n, f) => n + f.bytes, 0);
    const each = Math.round(all / 20 / METRICS.length);
    assert.ok(each <= POINT_BYTES_MAX, `${each} bytes a point with lists`);
    return `at most ${most} bytes a frame; with lists and figures ${each} bytes a point and panel (${[...kinds].map(([kind, bytes]) => `${kind} ${Math.round(bytes / 20)}`).join(", ")} a step)`;
  });

  await checks.check(`on the run's own page a new point costs at most ${POINT_BYTES_MAX} bytes too, with its share of what stands beside the charts`, async () => {
    await page.goto(`${url}/r/${id}`);
    await until("three panels", async () => (await pointsIn(page, "lr")) === 41);
    await hand.log("still", '{"loss": 0.5, "accuracy": 0.6, "lr": 0.1}', 41);
    await until("it lives", async () => (await pointsIn(page, "lr")) === 42);
    await pause(1_500);
    tab.reset();
    for (let step = 42; step <= 61; step++) {
      await hand.log("still", `{"loss": ${1 / step}, "accuracy": ${step / 100}, "lr": 0.1}`, step);
      // Eight a second: what stands beside the charts comes twice a second at most.
      await pause(125);
    }
    await until("they are drawn", async () => (await pointsIn(page, "lr")) === 62);
    const heard = tab.frames.filter((f) => f.frame.value.body?.case === "run" && f.frame.value.whole);
    assert.deepEqual(heard, [], "the run does not come whole again");
    const all = tab.frames.reduce((n, f) => n + f.bytes, 0);
    const each = Math.round(all / 20 / METRICS.length);
    assert.ok(each <= POINT_BYTES_MAX, `${each} bytes a point`);
    return `${each} bytes a point`;
  });

  await hand.finish("still");
  for (const [name, path] of [["project", "/p/quiet"], ["run", `/r/${id}`], ["projects", "/"]]) {
    await checks.check(`nothing but the server's mark goes over the wires of an idle ${name} page in ${IDLE_MS / 1000} s, either way`, async () => {
      await page.goto(url + path);
      await page.locator("main").waitFor();
      await pause(SETTLED_MS);
      tab.reset();
      await pause(IDLE_MS);
      assert.deepEqual(tab.requests, []);
      const isMark = (f) => f.way === "in" && f.frame.case === "mark" && f.bytes <= MARK_BYTES_MAX;
      assert.deepEqual(tab.frames.filter((f) => !isMark(f)).map((f) => `${f.way} ${f.frame.case} ${f.frame.value.body?.case ?? f.frame.value.query?.case ?? ""}`), []);
      const marks = tab.frames.length;
      assert.ok(marks >= 1 && marks <= Math.ceil(IDLE_MS / MARK_MS), `${marks} marks`);
    });
  }

  await checks.check("nothing is painted while nothing changes", async () => {
    await page.goto(`${url}/p/quiet`);
    await until("three panels", async () => (await pointsIn(page, "lr")) === 62);
    await pause(1_000);
    const painted = () => page.locator("[data-painted]").evaluateAll((all) => all.map((e) => e.dataset.painted).join(" "));
    const before = await painted();
    await pause(3_000);
    assert.equal(await painted(), before);
    assert.notEqual(before, "");
  });
  await tab.close();
}
