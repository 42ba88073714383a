//! From buckets to lines: places, bands, smoothing, marks, and the same columns for the same buckets.
import { describe, expect, test } from "vitest";
import type { SeriesBuckets } from "./live/history.js";
import { linesOf, type LineOptions } from "./lines.js";

const RUNS = [{ id: "a", name: "owl", color: "blue", live: true }, { id: "b", name: "fox", color: "red", live: false }];
const PLAIN: LineOptions = { metric: "loss", smoothing: { kind: "none", amount: 0 }, range: 10 };

function series(ref: number, runId: string, last: number[], more: Partial<SeriesBuckets> = {}): SeriesBuckets {
  const f = Float64Array.from(last);
  const n = last.length;
  return {
    ref, runId, metric: "loss", label: "", take: 1, rows: n, width: 1, index: Float64Array.from({ length: n }, (_, i) => i), count: new Uint32Array(n).fill(1),
    min: f, max: f, mean: f, last: f, nanCount: new Uint32Array(n), firstNonFinite: new Float64Array(n), x: new Float64Array(0), xMetric: "", withoutX: 0, ...more,
  };
}
const history = (...all: SeriesBuckets[]) => new Map(all.map((s) => [s.ref, s]));

test("one line a series, in the order of the runs, of this metric alone", () => {
  const lines = linesOf(history(series(1, "b", [1]), series(2, "a", [2]), series(3, "a", [3], { metric: "other" })), RUNS, PLAIN);
  expect(lines.map((l) => [l.id, l.name, l.color, l.live, [...l.y]])).toEqual([["a", "owl", "blue", true, [2]], ["b", "fox", "red", false, [1]]]);
});

test("a bucket stands at its middle and has a band; a single unit stands where it is", () => {
  const [wide] = linesOf(history(series(1, "a", [1, 2], { width: 8, index: Float64Array.from([-1, 4]) })), RUNS, PLAIN);
  expect([...wide!.x]).toEqual([-4.5, 35.5]);
  expect(wide!.lo).toBeDefined();
  const [exact] = linesOf(history(series(1, "a", [1, 2])), RUNS, PLAIN);
  expect([...exact!.x]).toEqual([0, 1]);
  expect(exact!.lo).toBeUndefined();
});

test("labels are lines of their own, named and coloured", () => {
  const all = history(series(1, "a", [1], { label: "rank1" }), series(2, "a", [1], { label: "rank0" }));
  expect(linesOf(all, RUNS, { ...PLAIN, labelColors: ["x", "y"] }).map((l) => [l.name, l.color])).toEqual([["owl rank0", "x"], ["owl rank1", "y"]]);
});

test("a run's dashes are its line's; more labels than colours are told apart by dashes", () => {
  const [owl, fox] = linesOf(history(series(1, "a", [1]), series(2, "b", [1])), [{ ...RUNS[0]!, dash: [6, 3] }, RUNS[1]!], PLAIN);
  expect([owl!.dash, fox!.dash]).toEqual([[6, 3], []]);
  const ranks = linesOf(history(series(1, "a", [1], { label: "0" }), series(2, "a", [1], { label: "1" }), series(3, "a", [1], { label: "2" })), RUNS, { ...PLAIN, labelColors: ["x", "y"] });
  expect(new Set(ranks.map((l) => `${l.color} ${l.dash.join()}`)).size).toBe(3);
});

test("what is not finite is marked: the first of a bucket, and that there were NaNs", () => {
  const s = series(1, "a", [1, 2, NaN, 4], { width: 2, nanCount: Uint32Array.from([0, 1, 2, 0]), firstNonFinite: Float64Array.from([0, Infinity, NaN, -Infinity]) });
  expect(linesOf(history(s), RUNS, PLAIN)[0]!.nonFinite.map(({ x, value }) => [x, String(value)])).toEqual([[2.5, "NaN"], [2.5, "Infinity"], [4.5, "NaN"], [6.5, "-Infinity"]]);
});

describe("smoothing", () => {
  const twema = { kind: "twema", amount: 0.9 } as const;
  test("draws the raw line behind", () => {
    const s = series(1, "a", [1, 9, 1, 9]);
    const [l] = linesOf(history(s), RUNS, { ...PLAIN, smoothing: twema });
    expect(l!.raw).toBe(s.last);
    expect(l!.y[3]).not.toBe(9);
    expect(linesOf(history(s), RUNS, { ...PLAIN, smoothing: { kind: "twema", amount: 0 } })[0]!.raw).toBeUndefined();
  });
  test("is of means, as often as a bucket has values", () => {
    const of = (count: number, nan: number) =>
      linesOf(history(series(1, "a", [0, 5], { width: 64, mean: Float64Array.from([0, 1]), count: Uint32Array.from([1, count]), nanCount: Uint32Array.from([0, nan]) })), RUNS, { ...PLAIN, smoothing: { kind: "ema", amount: 0.5 } })[0]!.y[1]!;
    expect(of(1, 0)).toBeCloseTo(2 / 3, 12);
    expect(of(9, 0)).toBeGreaterThan(0.99);
    expect(of(9, 8)).toBe(of(1, 0));
  });
});

test("the same buckets give the same columns, however often they are asked for; other buckets give others", () => {
  const s = series(1, "a", [1, 9, 1]);
  const o: LineOptions = { ...PLAIN, smoothing: { kind: "twema", amount: 0.5 } };
  const [a, b] = [linesOf(history(s), RUNS, o)[0]!, linesOf(history(s), RUNS, { ...o })[0]!];
  for (const f of ["x", "y", "raw", "nonFinite", "dash"] as const) expect(a[f]).toBe(b[f]);
  expect(linesOf(history(s), RUNS, { ...o, range: 20 })[0]!.y).not.toBe(a.y);
  expect(linesOf(history({ ...s }), RUNS, o)[0]!.x).not.toBe(a.x);
});
