//! What part of the data a chart shows: the bounds of both axes, and how a hand moves those of x.
import { type Line, type View, type XKind, xRange, yRange } from "./scene.js";
import { logBounds, niceBounds } from "./ticks.js";

/** Closed bounds of x. */
export type Range = readonly [number, number];

export interface ViewOptions {
  xKind: XKind;
  /** The metric whose value is x. */
  xName?: string | undefined;
  log: boolean;
  /** What the hand chose of x; null: everything. */
  zoom: Range | null;
  /** Of the panel, in pixels: how many ticks there are decides how bounds are rounded. */
  height: number;
}

/** The least span that a zoom may have, in units of x: two steps, a millisecond; of values a share of all. */
const SPAN_MIN: Record<XKind, number> = { step: 2, time: 1_000, relative: 1_000, value: 0 };
const VALUE_SHARE_MIN = 1e-6;
/** Half the span that a single point is given. */
const ROOM: Record<XKind, number> = { step: 0.5, time: 500_000, relative: 500_000, value: 0.5 };

export const yTickCount = (height: number): number => (height > 230 ? 6 : 4);

/** The bounds of both axes; undefined when there is nothing to show. Lines without a finite value still have their marks at the edges. */
export function viewOf(lines: readonly Line[], o: ViewOptions): View | undefined {
  const range = o.zoom ?? xRange(lines);
  if (!range || lines.every((l) => l.x.length === 0)) return undefined;
  const room = range[0] === range[1] ? ROOM[o.xKind] : 0;
  const [xMin, xMax] = [range[0] - room, range[1] + room];
  const seen = yRange(lines, xMin, xMax, o.log) ?? (o.log ? [1, 10] : [0, 1]);
  const [yMin, yMax] = o.log ? logBounds(...seen) : niceBounds(...seen, yTickCount(o.height));
  return { xMin, xMax, yMin, yMax, log: o.log, xKind: o.xKind, xName: o.xName };
}

/** Whole numbers around it (of values themselves), inside the data and never narrower than a zoom may be; null when that is everything. */
export function settled([from, to]: Range, full: Range, kind: XKind): Range | null {
  const values = kind === "value";
  const least = values ? (full[1] - full[0]) * VALUE_SHARE_MIN : SPAN_MIN[kind];
  const span = Math.min(Math.max(to - from, least), full[1] - full[0]);
  const middle = (from + to) / 2;
  const start = Math.min(Math.max(middle - span / 2, full[0]), full[1] - span);
  const range: Range = values ? [start, start + span] : [Math.floor(start + 1e-6), Math.ceil(start + span - 1e-6)];
  return range[0] <= full[0] && range[1] >= full[1] ? null : range;
}

/** Nearer (factor < 1) or further, with what lies at `at` staying where it is. */
export function zoomAround([from, to]: Range, at: number, factor: number): Range {
  return [at - (at - from) * factor, at + (to - at) * factor];
}

/** Along x by a share of what is in view, no further than the data goes. */
export function panBy([from, to]: Range, full: Range, share: number): Range {
  const span = to - from;
  const start = Math.min(Math.max(from + span * share, full[0]), Math.max(full[0], full[1] - span));
  return [start, start + span];
}
