//! Each formula against itself written naively, and the promise that a smoothed value does not depend on buckets or zoom.
import { describe, expect, test } from "vitest";
import { ema, gaussian, memoryOf, runningMean, smooth, twema } from "./smooth.js";

/** A repeatable noise in [-1, 1). */
function noise(seed: number): () => number {
  let s = seed;
  return () => ((s = (s * 16807) % 2147483647) / 2147483647) * 2 - 1;
}

const N = 400;
const rnd = noise(7);
const x = Float64Array.from({ length: N }, (_, i) => i * 3 + (i % 5));
const y = Float64Array.from({ length: N }, (_, i) => Math.exp(-i / 90) + 0.2 * rnd());
const range = x[N - 1]! - x[0]!;

const close = (got: ArrayLike<number>, want: ArrayLike<number>, digits = 12) => {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) expect(got[i]).toBeCloseTo(want[i]!, digits);
};

describe("formulas", () => {
  test("twema is the weighted mean of all before, by distance on x", () => {
    const p = 0.81;
    const want = [...y].map((_, i) => {
      let s = 0;
      let d = 0;
      for (let j = 0; j <= i; j++) {
        const k = 0.9 ** (((x[i]! - x[j]!) / range) * 1000);
        s += y[j]! * k;
        d += k;
      }
      return s / d;
    });
    close(twema(x, y, p, range), want, 9);
  });

  test("twema's weight ends at 0.999", () => {
    close(twema(x, y, 1, range), twema(x, y, 0.999 ** 2, range));
    expect(twema(x, y, 1, range)[N - 1]).not.toBe(y[N - 1]);
  });

  test("ema is debiased: the first value is itself", () => {
    const w = 0.9;
    const want: number[] = [];
    let l = 0;
    for (let i = 0; i < N; i++) {
      l = w * l + (1 - w) * y[i]!;
      want.push(l / (1 - w ** (i + 1)));
    }
    close(ema(y, w), want);
    expect(ema(y, w)[0]).toBeCloseTo(y[0]!, 12);
  });

  test("a constant series stays exactly as it is", () => {
    const flat = new Float64Array(50).fill(0.1);
    expect([...ema(flat, 0.97)]).toEqual([...flat]);
  });

  test("gaussian looks both ways, in shares of the range", () => {
    const share = 0.02;
    const sigma = share * range;
    const want = [...y].map((_, i) => {
      let s = 0;
      let d = 0;
      for (let j = 0; j < N; j++) {
        const k = Math.exp(-((x[j]! - x[i]!) ** 2) / (2 * sigma * sigma));
        s += y[j]! * k;
        d += k;
      }
      return s / d;
    });
    close(gaussian(x, y, share, range), want, 5);
  });

  test.each([1, 2, 3, 10, 51, 1000])("running mean of %i points", (n) => {
    const before = Math.floor(n / 2);
    const want = [...y].map((_, i) => {
      const window = y.slice(Math.max(0, i - before), Math.min(N, i - before + n));
      return window.reduce((a, b) => a + b, 0) / window.length;
    });
    close(runningMean(y, n), want, 10);
  });
});

describe("what is not finite", () => {
  const holed = Float64Array.from([1, NaN, 2, Infinity, 3, -Infinity, 4]);
  const at = Float64Array.from([0, 1, 2, 3, 4, 5, 6]);
  test.each(["twema", "ema", "gaussian", "mean"] as const)("%s passes it through and learns nothing from it", (kind) => {
    const s = { kind, amount: kind === "mean" ? 3 : kind === "gaussian" ? 0.1 : 0.5 };
    const out = smooth(at, holed, s, 6);
    expect([out[1], out[3], out[5]]).toEqual([NaN, Infinity, -Infinity]);
    for (const i of [0, 2, 4, 6]) {
      expect(out[i]).toBeGreaterThanOrEqual(1);
      expect(out[i]).toBeLessThanOrEqual(4);
    }
  });
});

/** The points in buckets of `per`, as the server gives them: middle of x, mean, count. */
function bucketed(per: number): { x: Float64Array; y: Float64Array; n: Float64Array } {
  const rows = Math.ceil(N / per);
  const made = { x: new Float64Array(rows), y: new Float64Array(rows), n: new Float64Array(rows) };
  for (let r = 0; r < rows; r++) {
    const to = Math.min(N, (r + 1) * per);
    made.n[r] = to - r * per;
    made.x[r] = r * per + (per - 1) / 2;
    made.y[r] = y.slice(r * per, to).reduce((a, b) => a + b, 0) / made.n[r]!;
  }
  return made;
}

describe("buckets", () => {
  const steps = Float64Array.from({ length: N }, (_, i) => i);
  const kinds = [
    { kind: "twema", amount: 0.9 },
    { kind: "ema", amount: 0.97 },
    { kind: "gaussian", amount: 0.03 },
    { kind: "mean", amount: 40 },
  ] as const;

  test.each(kinds)("$kind of buckets of four is near that of the points", (s) => {
    const exact = smooth(steps, y, s, N - 1);
    const b = bucketed(4);
    const got = smooth(b.x, b.y, s, N - 1, b.n);
    for (let r = 2; r < got.length - 1; r++) {
      // The formulas of the past end with a bucket, the two-sided ones lie at its middle.
      const want = s.kind === "twema" || s.kind === "ema" ? exact[r * 4 + 3]! : (exact[r * 4 + 1]! + exact[r * 4 + 2]!) / 2;
      expect(Math.abs(got[r]! - want)).toBeLessThan(0.035);
    }
  });

  test.each(kinds)("weights of one change nothing of $kind", (s) => {
    close(smooth(steps, y, s, N - 1, new Float64Array(N).fill(1)), smooth(steps, y, s, N - 1), 12);
  });

  test("how much a bucket weighs matters", () => {
    const two = Float64Array.from([0, 1]);
    const at = Float64Array.from([0, 1]);
    expect(ema(two, 0.5, [1, 10])[1]).toBeGreaterThan(ema(two, 0.5, [1, 1])[1]!);
    expect(gaussian(at, two, 1, 1, [1, 10])[1]).toBeGreaterThan(gaussian(at, two, 1, 1, [1, 1])[1]!);
    expect(twema(at, two, 0.5, 1000, [1, 10])[1]).toBeGreaterThan(twema(at, two, 0.5, 1000, [1, 1])[1]!);
  });
});

describe("zoom", () => {
  test.each([
    { kind: "twema", amount: 0.9 },
    { kind: "gaussian", amount: 0.02 },
    { kind: "mean", amount: 30 },
    { kind: "ema", amount: 0.9 },
  ] as const)("with its memory before and after, $kind of a part is that of the whole", (s) => {
    const steps = Float64Array.from({ length: N }, (_, i) => i);
    const whole = smooth(steps, y, s, N - 1);
    const { before, after } = memoryOf(s, N - 1, 1);
    const from = Math.max(0, Math.floor(200 - before));
    const to = Math.min(N, Math.ceil(240 + after) + 1);
    const part = smooth(steps.slice(from, to), y.slice(from, to), s, N - 1);
    for (let i = 200; i < 240; i++) expect(Math.abs(part[i - from]! - whole[i]!)).toBeLessThan(2e-3);
  });
});
