//! Whose lines the panels of a page draw: runs in their colours, as one object that stays the same until something about it changes.
import { useRef } from "react";
import type { LineRun } from "./lines.js";

export interface Series {
  ids: readonly string[];
  runs: readonly LineRun[];
  /** A page of one run: labels have colours of their own. */
  single: boolean;
}

const same = (a: readonly LineRun[], b: readonly LineRun[]) =>
  a.length === b.length && a.every((run, i) => run.id === b[i]!.id && run.name === b[i]!.name && run.color === b[i]!.color && run.dash === b[i]!.dash && run.live === b[i]!.live);

export function useSeries(runs: readonly LineRun[], single = false): Series {
  const held = useRef<Series>({ ids: [], runs: [], single });
  if (!same(held.current.runs, runs)) held.current = { ids: runs.map((r) => r.id), runs, single };
  return held.current;
}
