//! Which point is meant: the nearest of a rising column, by binary search.

/** Index of the first entry that is not below `target`; the length when all are. */
export function lowerBound(x: ArrayLike<number>, target: number): number {
  let lo = 0;
  let hi = x.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (x[mid]! < target) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

/** Index of the entry nearest to `target`; -1 of an empty column. */
export function nearest(x: ArrayLike<number>, target: number): number {
  if (x.length === 0) return -1;
  const lo = Math.min(lowerBound(x, target), x.length - 1);
  return lo > 0 && target - x[lo - 1]! <= x[lo]! - target ? lo - 1 : lo;
}

/** The nearest entry, if it is not further off than `reach`: a line that ended long ago has nothing to say here. */
export function pick(x: ArrayLike<number>, target: number, reach: number): number {
  const i = nearest(x, target);
  return i >= 0 && Math.abs(x[i]! - target) <= reach ? i : -1;
}

/** How far from the crosshair a point may be: half a gap of the line's own spacing, at least `atLeast`. */
export function reachOf(x: ArrayLike<number>, atLeast: number): number {
  if (x.length < 2) return atLeast;
  return Math.max(atLeast, ((x[x.length - 1]! - x[0]!) / (x.length - 1)) * 1.01);
}
