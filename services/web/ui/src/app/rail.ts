//! Whether the rail is there: folded away by hand on wide windows, a drawer on narrow ones.
import { useSyncExternalStore } from "react";

const KEY = "corral_rail";
const narrow = matchMedia("(max-width: 760px)");
const watchers = new Set<() => void>();
let drawer = false;

function isOpen(): boolean {
  return narrow.matches ? drawer : localStorage.getItem(KEY) !== "folded";
}

function tell(): void {
  for (const changed of watchers) changed();
}

narrow.addEventListener("change", tell);

export const railStore = {
  toggle(): void {
    if (narrow.matches) drawer = !drawer;
    else if (isOpen()) localStorage.setItem(KEY, "folded");
    else localStorage.removeItem(KEY);
    tell();
  },
  /** The drawer only: a rail that is unfolded stays. */
  close(): void {
    drawer = false;
    tell();
  },
};

export function useRail(): boolean {
  return useSyncExternalStore((changed) => {
    watchers.add(changed);
    return () => watchers.delete(changed);
  }, isOpen);
}
