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

/** How many points an entry stands for; without weights each is one point, and the formulas are exact. */
type Weights = ArrayLike<number> | undefined;

/** n points spread evenly over a stretch at whose end the first has decayed to `a` weigh together as much as so many at its end. */
const spread = (n: number, a: number): number => (n <= 1 || a >= 1 ? n : (1 - a) / (1 - a ** (1 / n)));

/** w = min(sqrt p, 0.999); d = dx / range * scale; S = S w^d + y; D = D w^d + 1; out = S / D. */
export function twema(x: ArrayLike<number>, y: ArrayLike<number>, p: number, range: number, weights?: Weights): Float64Array {
  const out = new Float64Array(y.length);
  const w = Math.min(Math.sqrt(p), 0.999);
  const decay = (dx: number) => (range > 0 ? w ** ((dx / range) * TWEMA_SCALE) : 1);
  let s = 0;
  let d = 0;
  let before = Number.NaN;
  for (let i = 0; i < y.length; i++) {
    const v = y[i]!;
    if (!Number.isFinite(v)) {
      out[i] = v;
      continue;
    }
    const first = Number.isNaN(before);
    const a = first ? 1 : decay(x[i]! - before);
    // The first entry has nothing before it: it is as long as the next is away.
    const n = weights ? spread(weights[i]!, first && i + 1 < y.length ? decay(x[i + 1]! - x[i]!) : a) : 1;
    before = x[i]!;
    s = s * a + n * v;
    d = d * a + n;
    out[i] = s / d;
  }
  return out;
}

/** L = w L + (1 - w) y; out = L / (1 - w^k), k finite points so far; a constant series stays as it is. */
export function ema(y: ArrayLike<number>, w: number, weights?: Weights): Float64Array {
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
    const n = weights ? weights[i]! : 1;
    k += n;
    const kept = w ** n;
    last = last * kept + (1 - kept) * v;
    out[i] = constant || w >= 1 ? v : last / (1 - w ** k);
  }
  return out;
}

/** out = sum y K / sum K, K(u) = exp(-u^2 / 2 s^2), s = share of the range; weights below 1e-6 are left out. */
export function gaussian(x: ArrayLike<number>, y: ArrayLike<number>, share: number, range: number, weights?: Weights): Float64Array {
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
      const k = Math.exp(-0.5 * u * u) * (weights ? weights[j]! : 1);
      sum += k * y[j]!;
      weight += k;
    }
    out[i] = sum / weight;
  }
  return out;
}

/**
 * The mean of the window of n points around each (floor(n / 2) before, the rest from it on); the ends have what there is. An entry
 * of many points is cut where the window ends, as if its points were equal.
 */
export function runningMean(y: ArrayLike<number>, n: number, weights?: Weights): Float64Array {
  const out = new Float64Array(y.length);
  // Where each entry begins, counted in finite points, and the sum of all points before it.
  const starts = new Float64Array(y.length + 1);
  const sums = new Float64Array(y.length + 1);
  for (let i = 0; i < y.length; i++) {
    const count = Number.isFinite(y[i]!) ? (weights ? weights[i]! : 1) : 0;
    starts[i + 1] = starts[i]! + count;
    sums[i + 1] = sums[i]! + (count > 0 ? count * y[i]! : 0);
  }
  const before = Math.floor(n / 2);
  const [a, b] = [new Walk(y, starts, sums), new Walk(y, starts, sums)];
  for (let i = 0; i < y.length; i++) {
    if (!Number.isFinite(y[i]!)) {
      out[i] = y[i]!;
      continue;
    }
    const middle = starts[i]! + Math.floor((starts[i + 1]! - starts[i]! - 1) / 2);
    const from = Math.max(0, middle - before);
    const to = Math.min(starts[y.length]!, middle - before + Math.max(1, n));
    out[i] = (b.sumTo(to) - a.sumTo(from)) / (to - from);
  }
  return out;
}

/** Sums of the first t points, for t that rises. */
class Walk {
  private i = 0;

  constructor(private readonly y: ArrayLike<number>, private readonly starts: Float64Array, private readonly sums: Float64Array) {}

  sumTo(t: number): number {
    while (this.i < this.y.length && this.starts[this.i + 1]! <= t) this.i++;
    const inside = t - this.starts[this.i]!;
    return this.sums[this.i]! + (inside > 0 ? inside * this.y[this.i]! : 0);
  }
}

export interface Smoothing {
  kind: SmoothingKind;
  amount: number;
}

export const isSmoothing = (s: Smoothing): boolean => s.kind !== "none" && s.amount > (s.kind === "mean" ? 1 : 0);

/** `range` is that of the whole data, not of what is in view: a smoothed value does not change with the zoom. */
export function smooth(x: ArrayLike<number>, y: ArrayLike<number>, s: Smoothing, range: number, weights?: ArrayLike<number>): Float64Array {
  switch (s.kind) {
    case "twema":
      return twema(x, y, s.amount, range, weights);
    case "ema":
      return ema(y, s.amount, weights);
    case "gaussian":
      return gaussian(x, y, s.amount, range, weights);
    case "mean":
      return runningMean(y, s.amount, weights);
    case "none":
      return Float64Array.from(y);
  }
}

/** What of an old point is still worth remembering. */
const FORGOTTEN = 1e-3;

/**
 * How much x before and after what is in view the formula needs, so that a zoomed chart is smoothed as the whole one is: ask the
 * server for that much more. `spacing`: x from point to point, for the formulas that count points.
 */
export function memoryOf(s: Smoothing, range: number, spacing: number): { before: number; after: number } {
  if (!isSmoothing(s)) return { before: 0, after: 0 };
  const points = (w: number) => Math.log(FORGOTTEN) / Math.log(w);
  switch (s.kind) {
    case "twema":
      return { before: Math.min(range, (points(Math.min(Math.sqrt(s.amount), 0.999)) * range) / TWEMA_SCALE), after: 0 };
    case "ema":
      return { before: Math.min(range, points(Math.min(s.amount, 0.999)) * spacing), after: 0 };
    case "gaussian":
      return { before: 3.8 * s.amount * range, after: 3.8 * s.amount * range };
    case "mean":
      return { before: Math.floor(s.amount / 2) * spacing, after: Math.ceil(s.amount / 2) * spacing };
    case "none":
      return { before: 0, after: 0 };
  }
}
