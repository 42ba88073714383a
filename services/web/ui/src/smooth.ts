//! Smoothing by exact formulas, on the points or buckets of one series. Points that are not finite pass through and count for nothing.

export type SmoothingKind = "twema" | "ema" | "gaussian" | "mean" | "none";

export const SMOOTHING_KINDS: readonly { kind: SmoothingKind; name: string; max: number; step: number; hint: string }[] = [
  { kind: "twema", name: "time-weighted EMA", max: 0.99, step: 0.01, hint: "weighs by distance on the x axis" },
  { kind: "ema", name: "EMA", max: 0.99, step: 0.01, hint: "weighs by index, debiased" },
  { kind: "gaussian", name: "gaussian", max: 0.1, step: 0.001, hint: "two-sided; a share of the x range" },
  { kind: "mean", name: "running mean", max: 100, step: 1, hint: "window in points" },
  { kind: "none", name: "none", max: 0, step: 1, hint: "the points as they are" },
];

/** The range of x counts as so many units of time. */
export const TWEMA_SCALE = 1000;

/** w = min(sqrt p, 0.999); d = dx / range * scale; S = S w^d + y; D = D w^d + 1; out = S / D. */
export function twema(x: ArrayLike<number>, y: ArrayLike<number>, p: number, range: number): Float64Array {
  const out = new Float64Array(y.length);
  const w = Math.min(Math.sqrt(p), 0.999);
  let s = 0;
  let d = 0;
  let before = Number.NaN;
  for (let i = 0; i < y.length; i++) {
    const v = y[i]!;
    if (!Number.isFinite(v)) {
      out[i] = v;
      continue;
    }
    const distance = Number.isNaN(before) || range <= 0 ? 0 : ((x[i]! - before) / range) * TWEMA_SCALE;
    const a = w ** distance;
    before = x[i]!;
    s = s * a + v;
    d = d * a + 1;
    out[i] = s / d;
  }
  return out;
}

/** L = w L + (1 - w) y; out = L / (1 - w^k), k finite points so far; a constant series stays as it is. */
export function ema(y: ArrayLike<number>, w: number): Float64Array {
  const out = new Float64Array(y.length);
  let last = 0;
  let k = 0;
  let constant = true;
  let first = Number.NaN;
  for (let i = 0; i < y.length; i++) {
    const v = y[i]!;
    if (!Number.isFinite(v)) {
      out[i] = v;
      continue;
    }
    if (k === 0) first = v;
    constant &&= v === first;
    k++;
    last = last * w + (1 - w) * v;
    out[i] = constant || w >= 1 ? v : last / (1 - w ** k);
  }
  return out;
}

/** out = sum y K / sum K, K(u) = exp(-u^2 / 2 s^2), s = share of the range; weights below 1e-6 are left out. */
export function gaussian(x: ArrayLike<number>, y: ArrayLike<number>, share: number, range: number): Float64Array {
  const out = new Float64Array(y.length);
  const sigma = share * range;
  const reach = sigma * 5.26;
  let from = 0;
  for (let i = 0; i < y.length; i++) {
    if (!Number.isFinite(y[i]!) || sigma <= 0) {
      out[i] = y[i]!;
      continue;
    }
    while (x[i]! - x[from]! > reach) from++;
    let sum = 0;
    let weight = 0;
    for (let j = from; j < y.length && x[j]! - x[i]! <= reach; j++) {
      if (!Number.isFinite(y[j]!)) continue;
      const u = (x[j]! - x[i]!) / sigma;
      const k = Math.exp(-0.5 * u * u);
      sum += k * y[j]!;
      weight += k;
    }
    out[i] = sum / weight;
  }
  return out;
}

/** The mean of the window of n points around each (n odd or even: floor(n / 2) before, the rest from i on); the ends have what there is. */
export function runningMean(y: ArrayLike<number>, n: number): Float64Array {
  const out = new Float64Array(y.length);
  const sums = new Float64Array(y.length + 1);
  const counts = new Uint32Array(y.length + 1);
  for (let i = 0; i < y.length; i++) {
    const finite = Number.isFinite(y[i]!);
    sums[i + 1] = sums[i]! + (finite ? y[i]! : 0);
    counts[i + 1] = counts[i]! + (finite ? 1 : 0);
  }
  const before = Math.floor(n / 2);
  for (let i = 0; i < y.length; i++) {
    const a = Math.max(0, i - before);
    const b = Math.min(y.length, i - before + Math.max(1, n));
    out[i] = Number.isFinite(y[i]!) ? (sums[b]! - sums[a]!) / (counts[b]! - counts[a]!) : y[i]!;
  }
  return out;
}

export interface Smoothing {
  kind: SmoothingKind;
  amount: number;
}

export const isSmoothing = (s: Smoothing): boolean => s.kind !== "none" && s.amount > (s.kind === "mean" ? 1 : 0);

/** `range` is that of the whole data, not of what is in view: a smoothed value does not change with the zoom. */
export function smooth(x: ArrayLike<number>, y: ArrayLike<number>, s: Smoothing, range: number): Float64Array {
  switch (s.kind) {
    case "twema":
      return twema(x, y, s.amount, range);
    case "ema":
      return ema(y, s.amount);
    case "gaussian":
      return gaussian(x, y, s.amount, range);
    case "mean":
      return runningMean(y, s.amount);
    case "none":
      return Float64Array.from(y);
  }
}
