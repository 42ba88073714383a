//! What a chart says in words: the tooltip's rows at the crosshair, where the tooltip may stand, and the chart in one sentence.
import type { PanelLine } from "../lines.js";
import { fromX, type Maps, toX, toY } from "./layout.js";
import { lowerBound, nearest, pick, reachOf } from "./pick.js";

export interface ReadoutRow {
  /** The run. */
  id: string;
  name: string;
  color: string;
  dash: readonly number[];
  /** Where the point is; a bucket's middle. */
  x: number;
  /** As drawn: smoothed where the chart is. */
  value: number;
  /** The last value of the bucket as it was logged (NaN and infinities too). */
  raw: number;
  /** What the bucket stands for. */
  count: number;
  min: number;
  max: number;
  nanCount: number;
  /** Units of x that the bucket covers; 1: the very point. */
  width: number;
}

const rank = (v: number): number => (Number.isNaN(v) ? -Infinity : v);

/** One row for each line that has a point at x (within its own spacing, or `atLeast`), greatest value first. */
export function readout(lines: readonly PanelLine[], x: number, atLeast: number): ReadoutRow[] {
  const rows: ReadoutRow[] = [];
  for (const line of lines) {
    const i = pick(line.x, x, reachOf(line.x, atLeast));
    if (i < 0) continue;
    const { series } = line;
    rows.push({
      id: line.id, name: line.name, color: line.color, dash: line.dash, x: line.x[i]!,
      value: line.y[i]!, raw: series.last[i]!,
      count: series.count[i]!, min: series.min[i]!, max: series.max[i]!, nanCount: series.nanCount[i]!, width: series.width,
    });
  }
  return rows.sort((a, b) => rank(b.value) - rank(a.value) || (a.name < b.name ? -1 : 1));
}

/** The place of x nearest to `x` that some line has a point at: where a crosshair snaps to. */
export function snap(lines: readonly { x: Float64Array }[], x: number): number | null {
  let best: number | null = null;
  for (const line of lines) {
    const i = nearest(line.x, x);
    if (i >= 0 && (best === null || Math.abs(line.x[i]! - x) < Math.abs(best - x))) best = line.x[i]!;
  }
  return best;
}

/** The run whose line passes nearest to a pixel, if within `reachPx` of it. */
export function lineAt(lines: readonly { id: string; x: Float64Array; y: Float64Array }[], m: Maps, px: number, py: number, reachPx: number): string | null {
  let best: string | null = null;
  let least = reachPx;
  for (const { id, x, y } of lines) {
    const i = lowerBound(x, fromX(m, px));
    for (const j of [i - 1, i]) {
      const distance = distanceTo(m, x, y, j, px, py);
      if (distance <= least) [best, least] = [id, distance];
    }
  }
  return best;
}

/** From a pixel to the stretch of line between points i and i + 1 (or to point i, where it ends). */
function distanceTo(m: Maps, x: Float64Array, y: Float64Array, i: number, px: number, py: number): number {
  if (i < 0 || i >= x.length) return Infinity;
  const [ax, ay] = [toX(m, x[i]!), toY(m, y[i]!)];
  const end = i + 1 < x.length && Number.isFinite(toY(m, y[i + 1]!)) ? i + 1 : i;
  const [bx, by] = [toX(m, x[end]!), toY(m, y[end]!)];
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length));
  const distance = Math.hypot(px - ax - t * (bx - ax), py - ay - t * (by - ay));
  return Number.isNaN(distance) ? Infinity : distance;
}

/** Beside the point where there is room, else above or below it: never over it. All in pixels of the window. */
export function placeTooltip(point: { x: number; y: number }, size: { width: number; height: number }, within: { width: number; height: number }, gap = 14): { left: number; top: number } {
  const clamp = (v: number, room: number) => Math.max(0, Math.min(v, room));
  const top = clamp(point.y - size.height / 2, within.height - size.height);
  if (point.x + gap + size.width <= within.width) return { left: point.x + gap, top };
  if (point.x - gap - size.width >= 0) return { left: point.x - gap - size.width, top };
  const left = clamp(point.x - size.width / 2, within.width - size.width);
  return { left, top: point.y + gap + size.height <= within.height ? point.y + gap : Math.max(0, point.y - gap - size.height) };
}

/** The chart in a sentence, for those who do not see it. `xText` words a place on x. */
export function describe(metric: string, lines: readonly PanelLine[], valueText: (v: number) => string, xText: (x: number) => string): string {
  const runs = new Set(lines.map((l) => l.id)).size;
  let lowest: { v: number; at: string } | undefined;
  let highest: { v: number; at: string } | undefined;
  for (const { series, name, x } of lines) {
    for (let i = 0; i < series.rows; i++) {
      const at = () => `${name} at ${xText(x[i]!)}`;
      if (!lowest || series.min[i]! < lowest.v) if (Number.isFinite(series.min[i]!)) lowest = { v: series.min[i]!, at: at() };
      if (!highest || series.max[i]! > highest.v) if (Number.isFinite(series.max[i]!)) highest = { v: series.max[i]!, at: at() };
    }
  }
  const head = `${metric}, ${runs} ${runs === 1 ? "run" : "runs"}`;
  return lowest && highest ? `${head}, lowest ${valueText(lowest.v)} ${lowest.at}, highest ${valueText(highest.v)} ${highest.at}` : `${head}, no finite value`;
}
