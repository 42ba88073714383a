//! From a scene to pixels: the plot's rectangle, the maps of both axes, and where the ticks stand.
import type { Scene, View } from "./scene.js";
import { yTickCount } from "./view.js";
import { linearTicks, logTicks, xTicks, type Tick } from "./ticks.js";

const TOP = 8;
const RIGHT = 10;
const BOTTOM = 22;
const LEFT_MIN = 34;
const DIGIT_WIDTH = 6.1;
const X_TICKS_MAX = 10;

export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  xTicks: readonly (Tick & { at: number })[];
  yTicks: readonly (Tick & { at: number })[];
}

/** The two numbers of each axis' map: pixel = a + b * value (of the logarithm, on a logarithmic axis). */
export interface Maps {
  ax: number;
  bx: number;
  ay: number;
  by: number;
  log: boolean;
}

export function mapsOf(view: View, frame: Pick<Frame, "left" | "top" | "width" | "height">): Maps {
  const spanX = view.xMax - view.xMin || 1;
  const lo = view.log ? Math.log10(view.yMin) : view.yMin;
  const hi = view.log ? Math.log10(view.yMax) : view.yMax;
  const bx = frame.width / spanX;
  const by = -frame.height / (hi - lo || 1);
  return { ax: frame.left - bx * view.xMin, bx, ay: frame.top + frame.height - by * lo, by, log: view.log };
}

export const toX = (m: Maps, x: number): number => m.ax + m.bx * x;
export const toY = (m: Maps, y: number): number => m.ay + m.by * (m.log ? Math.log10(y) : y);
/** The least of a bucket on a logarithmic axis, where zero and below lie beneath every decade. */
export const footed = (m: Maps, lo: number): number => (m.log && !(lo > 0) ? Number.MIN_VALUE : lo);
export const fromX = (m: Maps, px: number): number => (px - m.ax) / m.bx;

export function layout({ width, height, gutter, view }: Pick<Scene, "width" | "height" | "gutter" | "view">): Frame {
  const plotHeight = Math.max(1, height - TOP - BOTTOM);
  const y = (view.log ? logTicks : linearTicks)(view.yMin, view.yMax, yTickCount(height));
  const left = Math.max(LEFT_MIN, Math.ceil(Math.max(0, ...y.map((t) => t.text.length)) * DIGIT_WIDTH) + 10);
  const plotWidth = Math.max(1, width - left - RIGHT - gutter);
  const rect = { left, top: TOP, width: plotWidth, height: plotHeight };
  const maps = mapsOf(view, rect);
  const x = xTicks(view.xKind, view.xMin, view.xMax, Math.min(X_TICKS_MAX, Math.max(2, Math.floor(plotWidth / (view.xKind === "step" ? 56 : 78)))));
  return {
    ...rect,
    yTicks: y.map((t) => ({ ...t, at: toY(maps, t.value) })),
    xTicks: x.map((t) => ({ ...t, at: toX(maps, t.value) })),
  };
}
