//! A value that stands out of its bucket is drawn at every zoom, however many points the bucket has: found here, in pixels.
import { footed, type Maps, toX, toY } from "./layout.js";
import type { Line } from "./scene.js";

/** Pixels by which an extreme must leave its neighbourhood to be drawn as a stroke of its own. */
const STANDS_OUT_PX = 5;
/** How many buckets on each side are the neighbourhood. */
const NEIGHBOURS = 3;

export interface Spike {
  px: number;
  /** Where the line is, and where the extreme is. */
  from: number;
  to: number;
}

const drawable = (v: number, log: boolean) => Number.isFinite(v) && (!log || v > 0);

/**
 * A smoothed line shows nothing of an extreme, so there the values themselves are looked at too; but to stand out they must leave
 * their neighbours by as much as those differ among themselves, or every noise would be hatched.
 */
export function spikes(m: Maps, line: Pick<Line, "x" | "y" | "raw" | "lo" | "hi">): Spike[] {
  const { x, y, raw } = line;
  const lo = line.lo ?? raw;
  const hi = line.hi ?? raw;
  if (!lo || !hi) return [];
  const seen = (i: number) => drawable(hi[i]!, m.log) && Number.isFinite(lo[i]!);
  const out: Spike[] = [];
  for (let i = 0; i < x.length; i++) {
    if (!drawable(y[i]!, m.log) || !seen(i) || (!raw && lo[i] === hi[i])) continue;
    const from = toY(m, y[i]!);
    // Pixels grow downwards: the greatest value has the least y.
    let above = from;
    let below = from;
    for (let j = Math.max(0, i - NEIGHBOURS); j <= Math.min(x.length - 1, i + NEIGHBOURS); j++) {
      if (j === i || !seen(j)) continue;
      above = Math.min(above, toY(m, hi[j]!));
      below = Math.max(below, toY(m, footed(m, lo[j]!)));
    }
    const room = raw ? Math.max(STANDS_OUT_PX, below - above) : STANDS_OUT_PX;
    const top = toY(m, hi[i]!);
    const foot = toY(m, footed(m, lo[i]!));
    const px = toX(m, x[i]!);
    if (above - top >= room) out.push({ px, from, to: top });
    if (foot - below >= room) out.push({ px, from, to: foot });
  }
  return out;
}
