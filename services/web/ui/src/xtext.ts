//! Words for a place on the x axis: exact, since a tooltip and a sentence have room for it.
import { countText, durationText, exactText } from "./format.js";
import type { XKind } from "./plot/scene.js";

export const X_NAMES: Readonly<Record<Exclude<XKind, "value">, string>> = { step: "step", relative: "elapsed", time: "clock" };

/** An axis in a word: a metric's own name where x is its value. */
export const axisName = (kind: XKind, metric: string): string => (kind === "value" ? metric : X_NAMES[kind]);

const two = (n: number) => String(n).padStart(2, "0");

function elapsed(us: number): string {
  const s = us / 1e6;
  if (s < 60) return `${s.toFixed(s < 10 ? 2 : 1)} s`;
  return s < 3600 ? `${Math.floor(s / 60)} min ${two(Math.floor(s % 60))} s` : durationText(us);
}

function clock(us: number): string {
  const d = new Date(us / 1000);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** `x`: the middle of a bucket of `width` units; a bucket of steps is named by its first and last. */
export function placeName(kind: XKind, x: number, width: number): string {
  if (kind === "relative") return elapsed(x);
  if (kind === "time") return clock(x);
  if (kind === "value") return exactText(Number(x.toPrecision(6)));
  if (width <= 1) return countText(Math.round(x));
  const from = Math.round(x - (width - 1) / 2);
  return `${countText(from)} – ${countText(from + width - 1)}`;
}

/** The same in a sentence: a number alone would not say what it is. */
export const placeText = (kind: XKind, x: number, width: number, metric = ""): string =>
  kind === "step" || kind === "value" ? `${axisName(kind, metric)} ${placeName(kind, x, width)}` : placeName(kind, x, width);
