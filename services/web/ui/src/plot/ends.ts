//! The names at the ends of lines, where there is room for them: which, and at what height, so that none covers another.
import { type Frame, type Maps, mapsOf, toX, toY } from "./layout.js";
import type { Line, Scene } from "./scene.js";

/** Beneath it a plot needs its width for itself. */
const WIDTH_MIN = 400;
/** More lines than that end in a crowd that no name is found in. */
const LINES_MAX = 12;
const CHAR_PX = 6.2;
/** Between a line's end (with its halo) and its name. */
export const GAP_PX = 9;
const SHARE_MAX = 0.24;
const HEIGHT_PX = 14;

export interface EndLabel {
  id: string;
  text: string;
  color: string;
  /** Of the text's middle. */
  top: number;
}

/** What the names take at the right of the plot; 0: there is no room, or nothing to tell apart. */
export function gutterOf(lines: readonly Line[], width: number): number {
  if (width < WIDTH_MIN || lines.length < 2 || lines.length > LINES_MAX) return 0;
  const longest = Math.max(...lines.map((l) => l.name.length));
  return Math.ceil(Math.min(longest * CHAR_PX + GAP_PX, width * SHARE_MAX));
}

/** Where a line leaves the plot on its right: its last point in view, as far as it has a place on the axis. */
function endOf({ x, y }: Line, m: Maps, frame: Frame): { px: number; py: number } | undefined {
  for (let i = x.length - 1; i >= 0; i--) {
    const [px, py] = [toX(m, x[i]!), toY(m, y[i]!)];
    if (px > frame.left + frame.width + 1 || !Number.isFinite(py)) continue;
    return px < frame.left ? undefined : { px, py: Math.min(Math.max(py, frame.top), frame.top + frame.height) };
  }
  return undefined;
}

/** The labels from the top down: each beside its line's end, moved as little as the others allow; none where not all have room. */
export function endLabels(scene: Scene, frame: Frame): EndLabel[] {
  if (scene.gutter === 0) return [];
  const m = mapsOf(scene.view, frame);
  const ends = scene.lines.flatMap((line) => {
    const end = endOf(line, m, frame);
    return end ? [{ line, py: end.py }] : [];
  });
  if (ends.length * HEIGHT_PX > frame.height + HEIGHT_PX) return [];
  ends.sort((a, b) => a.py - b.py);
  const tops = ends.map((e) => e.py);
  for (let i = 1; i < tops.length; i++) tops[i] = Math.max(tops[i]!, tops[i - 1]! + HEIGHT_PX);
  // What was pushed out at the foot pushes back.
  let room = frame.top + frame.height;
  for (let i = tops.length - 1; i >= 0; i--) {
    tops[i] = Math.min(tops[i]!, room);
    room = tops[i]! - HEIGHT_PX;
  }
  return ends.map(({ line }, i) => ({ id: line.id, text: line.name, color: line.color, top: tops[i]! }));
}
