//! Where an axis has its ticks and what they say: linear, logarithmic, clock time and elapsed time.
import type { XKind } from "./scene.js";

export interface Tick {
  value: number;
  text: string;
}

const NICE = [1, 2, 2.5, 5, 10];

/** A round step so that [lo, hi] has about `count` of them. */
export function niceStep(lo: number, hi: number, count: number): number {
  const rough = (hi - lo) / Math.max(1, count);
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return (NICE.find((k) => k * power >= rough * 0.999) ?? 10) * power;
}

/** Bounds rounded out to whole steps, so that the axis stays where it is while a line wanders; a constant has room around it. */
export function niceBounds(lo: number, hi: number, count: number): [number, number] {
  // What differs in the last bits only (a smoothed constant) is one value: its ticks would all read the same.
  if (hi - lo <= Math.max(Math.abs(lo), Math.abs(hi)) * 1e-9) {
    const room = lo === 0 ? 1 : Math.abs(lo) * 0.1;
    return [lo - room, hi + room];
  }
  const step = niceStep(lo, hi, count);
  const bounds: [number, number] = [Math.floor(lo / step + 1e-9) * step, Math.ceil(hi / step - 1e-9) * step];
  return bounds[0] < bounds[1] && bounds.every(Number.isFinite) ? bounds : [lo, hi];
}

/** Bounds of a logarithmic axis: a little air, never through zero. */
export function logBounds(lo: number, hi: number): [number, number] {
  const a = Math.log10(lo);
  const b = Math.log10(hi);
  const air = Math.max(0.04, (b - a) * 0.05);
  return [10 ** (a - air), 10 ** (b + air)];
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** 12k, 1.5M, 0.25, 3e-4: what a tick says. `step` is the distance to the next, which decides the digits. */
export function tickText(v: number, step: number): string {
  if (v === 0 || Math.abs(v) < step * 1e-6) return "0";
  const size = Math.abs(v);
  // One digit more than the step's first: it may be 2.5. What is not needed is trimmed.
  const digits = 1 - Math.floor(Math.log10(step) + 1e-9);
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) {
    // 6.1k, but 6312: more digits than that are easier to read in one piece.
    if (size >= unit && size < unit * 1000 && step >= unit * 0.1 * (1 - 1e-9)) {
      return trimmed((v / unit).toFixed(Math.max(0, digits + Math.round(Math.log10(unit))))) + name;
    }
  }
  if (size >= 1e12 || size < 1e-3) {
    return v.toExponential(Math.max(0, Math.min(12, digits + Math.floor(Math.log10(size))))).replace(/\.?0+e/, "e").replace("e+", "e");
  }
  return trimmed(v.toFixed(Math.max(0, Math.min(12, digits))));
}

export function linearTicks(lo: number, hi: number, count: number): Tick[] {
  const step = niceStep(lo, hi, count);
  const ticks: Tick[] = [];
  const first = Math.ceil(lo / step - 1e-9);
  for (let k = first; k * step <= hi + step * 1e-9 && ticks.length < 64; k++) {
    const value = Number((k * step).toPrecision(12));
    ticks.push({ value, text: tickText(value, step) });
  }
  return ticks;
}

/** Decades, thinned when there are many; 1, 2 and 5 of each when there are few; linear ones within less than that. */
export function logTicks(lo: number, hi: number, count: number): Tick[] {
  const a = Math.log10(lo);
  const b = Math.log10(hi);
  if (b - a < 0.6) return linearTicks(lo, hi, count);
  const every = Math.max(1, Math.ceil((b - a) / count));
  const factors = b - a <= 1.6 ? [1, 2, 5] : [1];
  const ticks: Tick[] = [];
  for (let decade = Math.floor(a); decade <= b && ticks.length < 64; decade++) {
    if (((decade % every) + every) % every !== 0) continue;
    for (const factor of factors) {
      const value = Number((factor * 10 ** decade).toPrecision(12));
      if (value >= lo * 0.999999 && value <= hi * 1.000001) ticks.push({ value, text: tickText(value, value) });
    }
  }
  return ticks.length >= 2 ? ticks : linearTicks(lo, hi, count);
}

const S = 1e6;
const SPANS = [1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000].map((s) => s * S);

/** Microseconds that went by, in the largest unit that the step is a part of: 40 s, 12 min, 3 h, 2 d. */
export function elapsedText(us: number, step: number): string {
  if (us === 0) return "0";
  const [unit, name] = step >= 86400 * S ? [86400 * S, " d"] : step >= 3600 * S ? [3600 * S, " h"] : step >= 60 * S ? [60 * S, " min"] : step >= S ? [S, " s"] : [1e3, " ms"];
  return `${trimmed((us / unit).toFixed(1))}${name}`;
}

const two = (n: number) => String(n).padStart(2, "0");

function clockText(us: number, step: number): string {
  const d = new Date(us / 1000);
  if (step >= 86400 * S) return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`.slice(step >= 30 * 86400 * S ? 0 : 5);
  const clock = `${two(d.getHours())}:${two(d.getMinutes())}`;
  if (step >= 60 * S) return clock;
  return step >= S ? `${clock}:${two(d.getSeconds())}` : `:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, "0")}`;
}

function timeTicks(lo: number, hi: number, count: number, elapsed: boolean): Tick[] {
  const rough = (hi - lo) / Math.max(1, count);
  const step = SPANS.find((s) => s >= rough) ?? SPANS[SPANS.length - 1]!;
  // Ticks of a clock stand on the local hour.
  const shift = elapsed ? 0 : new Date(lo / 1000).getTimezoneOffset() * 60 * S;
  const ticks: Tick[] = [];
  for (let v = Math.ceil((lo - shift) / step) * step + shift; v <= hi && ticks.length < 64; v += step) {
    ticks.push({ value: v, text: elapsed ? elapsedText(v, step) : clockText(v, step) });
  }
  return ticks;
}

export function xTicks(kind: XKind, lo: number, hi: number, count: number): Tick[] {
  if (kind === "value") return linearTicks(lo, hi, count);
  if (kind !== "step") return timeTicks(lo, hi, count, kind === "relative");
  // Steps are whole numbers: no tick between them.
  return linearTicks(lo, hi, count).filter((t) => Number.isInteger(t.value));
}
