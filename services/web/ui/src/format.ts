//! Words for numbers, times and states: one place, so that a value reads the same in a table, a chart and a tooltip.
import { type Run, RunState, type TypedValue } from "./gen/corral/v1/query_pb.js";

const MINUS = "−";

/** Made once for each count of decimals: making one costs a hundred times what using it does, and a live list uses many. */
const WHOLE = new Intl.NumberFormat("en-US");
const FRACTIONS = Array.from({ length: 9 }, (_, n) => new Intl.NumberFormat("en-US", { minimumFractionDigits: Math.min(n, 4), maximumFractionDigits: n }));

/** A number for a narrow place: `digits` significant ones, thousands parted, tiny and huge by exponent. */
export function numberText(v: number, digits = 4): string {
  if (Number.isNaN(v)) return "NaN";
  if (!Number.isFinite(v)) return v > 0 ? "∞" : `${MINUS}∞`;
  if (Object.is(v, -0)) return `${MINUS}0`;
  if (v === 0) return "0";
  const size = Math.abs(v);
  if (size >= 1e9 || size < 1e-3) {
    return v.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e").replace(/-/g, MINUS);
  }
  if (Number.isInteger(v)) return WHOLE.format(v).replace("-", MINUS);
  const decimals = Math.max(0, Math.min(8, digits - 1 - Math.floor(Math.log10(size))));
  return FRACTIONS[decimals]!.format(v).replace("-", MINUS);
}

/** A double exactly: the shortest text that reads back as the same value. */
export function exactText(v: number): string {
  if (Object.is(v, -0)) return "-0";
  return Number.isFinite(v) ? String(v) : Number.isNaN(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity";
}

/** A figure exactly in its type; integers beyond a double's keep every digit. */
export function typedText(value: TypedValue | undefined): string {
  const kind = value?.kind;
  switch (kind?.case) {
    case "f64":
    case "f32":
      return exactText(kind.value);
    case "i64":
    case "u64":
      return kind.value.toString();
    case "bool":
      return kind.value ? "true" : "false";
    case "json":
      return kind.value;
    default:
      return "–";
  }
}

/** A figure for a narrow place; what is not a double is shown whole. */
export function typedShort(value: TypedValue | undefined): string {
  const kind = value?.kind;
  if (kind?.case === "f64" || kind?.case === "f32") return numberText(kind.value);
  if ((kind?.case === "i64" || kind?.case === "u64") && (kind.value > -1_000_000_000n && kind.value < 1_000_000_000n)) return numberText(Number(kind.value));
  return typedText(value);
}

/** A figure as a number to sort by; NaN when it is none. */
export function typedNumber(value: TypedValue | undefined): number {
  const kind = value?.kind;
  if (kind?.case === "json") return Number.NaN;
  return kind?.case === undefined ? Number.NaN : Number(kind.value);
}

/** Config: JSON text, without the quotes of a plain string. */
export function configText(json: string): string {
  if (!json.startsWith('"')) return json;
  try {
    return JSON.parse(json) as string;
  } catch {
    return json;
  }
}

/** The leading zero dropped where every figure of the column is below 1 (".9713" under "0.9820" would read as more). */
export function dropLeadingZeros(texts: readonly string[]): string[] {
  const all = texts.every((t) => t === "" || t === "–" || /^[−]?0\.\d/.test(t));
  return all ? texts.map((t) => t.replace(/^([−]?)0\./, "$1.")) : [...texts];
}

/** How long something took, in two units at most: 41 min, 1 h 12, 3 d 4 h. */
export function durationText(us: number): string {
  const s = Math.max(0, us) / 1e6;
  if (s < 60) return `${s < 10 ? s.toFixed(1).replace(/\.0$/, "") : Math.floor(s)} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 === 0 ? `${h} h` : `${h} h ${String(min % 60).padStart(2, "0")}`;
  return h % 24 === 0 ? `${Math.floor(h / 24)} d` : `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** Times are relative under a day; the exact one is for the hover. */
export function agoText(us: number, nowUs: number): string {
  const age = nowUs - us;
  if (age < 5e6) return "now";
  if (age < 86_400e6) return `${durationText(age)} ago`;
  return new Date(us / 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export const clockText = (us: number): string => new Date(us / 1000).toLocaleTimeString("en-GB");
export const exactTime = (us: number): string => new Date(us / 1000).toISOString().replace("T", " ").replace("Z", " UTC");
export const countText = (n: number | bigint): string => WHOLE.format(n);
export const plural = (n: number, one: string, many = `${one}s`): string => `${countText(n)} ${n === 1 ? one : many}`;

const SILENT_AFTER_US = 60e6;
const CRASHED_AFTER_US = 300e6;

export type StateName = "running" | "finished" | "failed" | "silent" | "crashed";

/** A run's state now: a running one that says nothing is silent, then crashed, without any event. */
export function stateOf(run: Pick<Run, "state" | "lastAppendUs">, nowUs: number): StateName {
  switch (run.state) {
    case RunState.FINISHED:
      return "finished";
    case RunState.FAILED:
      return "failed";
    default: {
      const silence = nowUs - Number(run.lastAppendUs);
      return silence >= CRASHED_AFTER_US ? "crashed" : silence >= SILENT_AFTER_US ? "silent" : "running";
    }
  }
}

export function runDurationUs(run: Pick<Run, "state" | "startedUs" | "lastAppendUs" | "finishedUs">, nowUs: number): number {
  const state = stateOf(run, nowUs);
  const end = state === "running" || state === "silent" ? nowUs : Number(run.finishedUs ?? run.lastAppendUs);
  return end - Number(run.startedUs);
}
