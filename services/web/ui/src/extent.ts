//! The range of x that the panels of one page share, so that a place on one is at the same place on all.
import { createContext, useContext, useSyncExternalStore } from "react";
import type { Range } from "./plot/view.js";

/** Panels hear of a wider range at most so often: each one's data may widen it. */
const TELL_EVERY_MS = 100;

export class Extent {
  private readonly parts = new Map<string, Range>();
  private readonly watchers = new Set<() => void>();
  private union: Range | null = null;
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

  /** The axis is another: what was known says nothing about it. */
  clear(): void {
    this.parts.clear();
    this.union = null;
  }

  read = (): Range | null => this.union;

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

export const ExtentContext = createContext(new Extent());

export function useExtent(): [Extent, Range | null] {
  const extent = useContext(ExtentContext);
  return [extent, useSyncExternalStore(extent.watch, extent.read)];
}
