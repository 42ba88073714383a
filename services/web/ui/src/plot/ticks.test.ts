//! What axes say: round numbers, decades, clock and elapsed time in the right unit.
import { describe, expect, test } from "vitest";
import { elapsedText, linearTicks, logBounds, logTicks, niceBounds, niceStep, tickText, xTicks } from "./ticks.js";

const S = 1e6;
const texts = (ticks: { text: string }[]) => ticks.map((t) => t.text);

describe("linear", () => {
  test("steps are 1, 2, 2.5, 5 or 10 times a power of ten", () => {
    expect(niceStep(0, 1, 4)).toBe(0.25);
    expect(niceStep(0, 12_000, 4)).toBe(5000);
    expect(niceStep(3, 3, 4)).toBe(1);
  });

  test("bounds are rounded out, and do not move while the data moves inside them", () => {
    expect(niceBounds(0.12, 0.93, 4)).toEqual([0, 1]);
    expect(niceBounds(0.13, 0.99, 4)).toEqual([0, 1]);
    expect(niceBounds(5, 5, 4)).toEqual([4.5, 5.5]);
    expect(niceBounds(0, 0, 4)).toEqual([-1, 1]);
  });

  test("no tick says the same as its neighbour, at any size", () => {
    for (const [lo, hi] of [[0, 1], [0.9981, 0.9993], [1e-7, 5e-7], [-3, 4e9], [123_456_000, 123_456_900], [0, 1e15], [-1e-12, 1e-12], [1e6, 1.0005e6]] as const) {
      const t = texts(linearTicks(lo, hi, 4));
      expect(t.length).toBeGreaterThanOrEqual(2);
      expect(new Set(t).size, `${lo}..${hi}: ${t.join(" ")}`).toBe(t.length);
    }
  });

  test("what a tick says reads back as its value", () => {
    const back = (s: string) => Number(s.replace(/k$/, "e3").replace(/M$/, "e6").replace(/G$/, "e9"));
    for (const [lo, hi] of [[0, 1], [0.4, 0.9], [0, 12_000], [1.2e6, 9.7e6], [0, 3e-4], [2e9, 8e9], [990, 1010]] as const) {
      for (const { value, text } of linearTicks(lo, hi, 5)) expect(back(text), text).toBeCloseTo(value, 9 - Math.ceil(Math.log10(hi)));
    }
  });

  test.each([[0, 1, "0"], [12_000, 2000, "12k"], [1_500_000, 500_000, "1.5M"], [3e-4, 1e-4, "3e-4"], [0.25, 0.25, "0.25"], [6100, 100, "6.1k"], [6312, 2, "6312"], [1_234_500, 500, "1234500"]])("%d by %d is %s", (v, step, text) => {
    expect(tickText(v, step)).toBe(text);
  });
});

describe("logarithmic", () => {
  test("decades when there are several, 1 2 5 when there are few, linear within one", () => {
    expect(texts(logTicks(1e-4, 1, 4))).toEqual(["1e-4", "0.001", "0.01", "0.1", "1"]);
    expect(texts(logTicks(1, 20, 4))).toEqual(["1", "2", "5", "10", "20"]);
    expect(texts(logTicks(1, 2, 4))).toContain("1.5");
  });
  test("many decades are thinned", () => expect(logTicks(1e-30, 1, 4).length).toBeLessThan(7));
  test("bounds never reach zero", () => {
    const [lo, hi] = logBounds(1e-9, 1);
    expect(lo).toBeGreaterThan(0);
    expect(lo).toBeLessThan(1e-9);
    expect(hi).toBeGreaterThan(1);
  });
});

describe("x", () => {
  test("steps are whole numbers", () => {
    expect(texts(xTicks("step", 0, 3, 8))).toEqual(["0", "1", "2", "3"]);
    expect(texts(xTicks("step", 0, 12_000, 4))).toEqual(["0", "5k", "10k"]);
  });

  test.each([
    [0, 4 * S, ["0", "1 s", "2 s", "3 s", "4 s"]],
    [0, 2 * S, ["0", "500 ms", "1000 ms", "1500 ms", "2000 ms"]],
    [0, 8 * 60 * S, ["0", "2 min", "4 min", "6 min", "8 min"]],
    [0, 4 * 3600 * S, ["0", "1 h", "2 h", "3 h", "4 h"]],
  ])("elapsed from %d to %d us", (lo, hi, want) => expect(texts(xTicks("relative", lo, hi, 4))).toEqual(want));

  test("half an hour is minutes, a day and a half is hours", () => {
    expect(elapsedText(90 * 60 * S, 1800 * S)).toBe("90 min");
    expect(elapsedText(36 * 3600 * S, 43200 * S)).toBe("36 h");
    expect(elapsedText(2 * 86400 * S, 86400 * S)).toBe("2 d");
  });

  test("clock ticks stand on round local times", () => {
    const at = new Date(2026, 10, 25, 14, 2, 11).getTime() * 1000;
    expect(texts(xTicks("time", at, at + 40 * 60 * S, 4))).toEqual(["14:10", "14:20", "14:30", "14:40"]);
    expect(texts(xTicks("time", at, at + 20 * S, 4))).toEqual(["14:02:15", "14:02:20", "14:02:25", "14:02:30"]);
  });
});
