//! The range of x that the panels of one page share, so that a place on one is at the same place on all.
import { createContext, useContext, useSyncExternalStore } from "react";
import type { Run } from "./gen/corral/v1/query_pb.js";
import type { XKind } from "./plot/scene.js";
import type { Range } from "./plot/view.js";

/** Panels hear of a wider range at most so often: each one's data may widen it. */
const TELL_EVERY_MS = 100;

type Head = Pick<Run, "maxStep" | "startedUs" | "lastAppendUs">;

/** What the heads of runs say of a range: nearly the data's own. */
export function headRange(runs: readonly Head[], x: XKind): Range | null {
  if (x === "value") return null;
  const ends = runs.map(({ maxStep, startedUs, lastAppendUs }): Range => {
    if (x === "step") return [0, Number(maxStep)];
    const [from, to] = [Number(startedUs), Number(lastAppendUs)];
    return x === "time" ? [from, to] : [0, to - from];
  });
  const range: Range = [Math.min(...ends.map((e) => e[0])), Math.max(...ends.map((e) => e[1]))];
  return range[0] < range[1] ? range : null;
}

export class Extent {
  private readonly parts = new Map<string, Range>();
  private readonly watchers = new Set<() => void>();
  private union: Range | null = null;

  /** `guess`: what is known of the runs before any panel has its data (and all that is known while a zoom keeps panels from reading the rest). */
  constructor(private readonly guess: Range | null = null) {}

  private timer: ReturnType<typeof setTimeout> | undefined;

  /** What one panel's whole data covers; null: it has none, or is gone. */
  report(part: string, range: Range | null): void {
    const before = this.parts.get(part);
    if (before?.[0] === range?.[0] && before?.[1] === range?.[1]) return;
    if (range) this.parts.set(part, range);
    else this.parts.delete(part);
    // The first panel that knows tells all at once.
    if (this.union === null) this.tell();
    else this.timer ??= setTimeout(() => this.tell(), TELL_EVERY_MS);
  }

  read = (): Range | null => this.union ?? this.guess;

  watch = (changed: () => void): (() => void) => {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  };

  private tell(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    let lo = Infinity;
    let hi = -Infinity;
    for (const [from, to] of this.parts.values()) {
      lo = Math.min(lo, from);
      hi = Math.max(hi, to);
    }
    const union: Range | null = lo <= hi ? [lo, hi] : null;
    if (union?.[0] === this.union?.[0] && union?.[1] === this.union?.[1]) return;
    this.union = union;
    for (const changed of this.watchers) changed();
  }
}

/** One extent for each axis that panels of a page have: one of them may be drawn by steps, another by a metric's value. */
export class Extents {
  private readonly byAxis = new Map<string, Extent>();

  constructor(private readonly runs: readonly Head[] = []) {}

  /** `metric`: whose value x is. */
  of(x: XKind, metric: string): Extent {
    const key = `${x} ${metric}`;
    let extent = this.byAxis.get(key);
    if (!extent) this.byAxis.set(key, (extent = new Extent(headRange(this.runs, x))));
    return extent;
  }
}

export const ExtentContext = createContext(new Extents());

export function useExtent(x: XKind, metric: string): [Extent, Range | null] {
  const extent = useContext(ExtentContext).of(x, metric);
  return [extent, useSyncExternalStore(extent.watch, extent.read)];
}
