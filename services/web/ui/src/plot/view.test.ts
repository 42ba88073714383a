//! What is in view, and what a hand may make of it.
import { describe, expect, test } from "vitest";
import { layout } from "./layout.js";
import { nearest, pick, reachOf } from "./pick.js";
import { line, scene } from "./testing.js";
import { panBy, settled, viewOf, zoomAround } from "./view.js";

const OPTIONS = { xKind: "step", log: false, zoom: null, height: 240 } as const;

describe("viewOf", () => {
  test("all of x, and y rounded out", () => {
    expect(viewOf([line("a", [0.11, 0.5, 0.93]), line("b", [0.2])], OPTIONS)).toEqual({ xMin: 0, xMax: 2, yMin: 0, yMax: 1, log: false, xKind: "step" });
  });
  test("a zoom's y is that of what is in it", () => {
    expect(viewOf([line("a", [900, 0.1, 0.9, 900])], { ...OPTIONS, zoom: [1, 2] })).toMatchObject({ xMin: 1, xMax: 2, yMin: 0, yMax: 1 });
  });
  test("the band counts: a spike is inside", () => {
    expect(viewOf([line("a", [1, 1], { width: 8, min: [1, 1], max: [1, 40] })], OPTIONS)!.yMax).toBeGreaterThanOrEqual(40);
  });
  test("a single point has room around it", () => {
    expect(viewOf([line("a", [5])], OPTIONS)).toMatchObject({ xMin: -0.5, xMax: 0.5, yMin: 4.5, yMax: 5.5 });
  });
  test("nothing, and nothing finite", () => {
    expect(viewOf([], OPTIONS)).toBeUndefined();
    expect(viewOf([line("a", [])], OPTIONS)).toBeUndefined();
    expect(viewOf([line("a", [NaN, Infinity])], OPTIONS)).toMatchObject({ yMin: 0, yMax: 1 });
  });
  test("a logarithmic axis is of what is above zero", () => {
    const view = viewOf([line("a", [-5, 0, 0.01, 100])], { ...OPTIONS, log: true })!;
    expect(view.yMin).toBeGreaterThan(0.001);
    expect(view.yMax).toBeGreaterThan(100);
    expect(viewOf([line("a", [-5, 0])], { ...OPTIONS, log: true })).toMatchObject({ log: true });
  });
});

describe("zoom", () => {
  test("whole units, inside the data, never narrower than two steps", () => {
    expect(settled([3.2, 7.9], [0, 100], "step")).toEqual([3, 8]);
    expect(settled([-50, 20], [0, 100], "step")).toEqual([0, 70]);
    expect(settled([5.1, 5.2], [0, 100], "step")).toEqual([4, 7]);
    expect(settled([5, 6], [0, 1_000_000], "time")).toEqual([0, 1_000]);
  });
  test("everything is no zoom", () => {
    expect(settled([-1, 101], [0, 100], "step")).toBeNull();
    expect(settled([5, 5], [5, 5], "step")).toBeNull();
  });
  test("what is pointed at stays where it is", () => {
    const [from, to] = zoomAround([0, 100], 25, 0.5);
    expect([from, to]).toEqual([12.5, 62.5]);
    expect((25 - from) / (to - from)).toBe(0.25);
  });
  test("along x no further than the data", () => {
    expect(panBy([10, 20], [0, 100], 0.5)).toEqual([15, 25]);
    expect(panBy([10, 20], [0, 100], -5)).toEqual([0, 10]);
    expect(panBy([85, 95], [0, 100], 5)).toEqual([90, 100]);
  });
});

describe("pick", () => {
  const x = Float64Array.from([0, 10, 20, 40]);
  test.each([[-5, 0], [4, 0], [5, 0], [6, 1], [29, 2], [31, 3], [99, 3]])("nearest to %d is %d", (at, i) => expect(nearest(x, at)).toBe(i));
  test("of nothing", () => expect(nearest([], 3)).toBe(-1));
  test("a line that ended says nothing beyond its own spacing", () => {
    expect(pick(x, 50, reachOf(x, 1))).toBe(3);
    expect(pick(x, 60, reachOf(x, 1))).toBe(-1);
    expect(reachOf([7], 3)).toBe(3);
  });
});

describe("layout", () => {
  test("the plot leaves room for its longest label, and ticks lie inside", () => {
    const narrow = layout(scene([], { yMin: 0, yMax: 1 }));
    const wide = layout(scene([], { yMin: 0.99812, yMax: 0.99814 }));
    expect(wide.left).toBeGreaterThan(narrow.left);
    for (const f of [narrow, wide]) {
      for (const t of f.yTicks) expect(t.at >= f.top - 0.01 && t.at <= f.top + f.height + 0.01).toBe(true);
      for (const t of f.xTicks) expect(t.at >= f.left - 0.01 && t.at <= f.left + f.width + 0.01).toBe(true);
    }
  });
});
