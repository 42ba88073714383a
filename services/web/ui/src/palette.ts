//! The colours of a project's runs, the same on each page: a page of one run learns its neighbours once, then stops listening.
import { useMemo } from "react";
import { colorNumber, colorsOf, dashOf } from "./color.js";
import type { Run } from "./gen/corral/v1/query_pb.js";
import { useLive } from "./hooks.js";
import { runsQuery } from "./queries.js";
import { usePalette } from "./theme.js";
import { DEFAULT_VIEW } from "./viewstate.js";

/** Numbers (color.ts) of runs that some page has coloured beside their neighbours. */
const known = new Map<string, number>();

/** Colours of all runs of a project, as values of the theme. */
export function useColors(runs: readonly Run[]): ReadonlyMap<string, string> {
  const palette = usePalette();
  const key = runs.map((run) => run.id).sort().join();
  return useMemo(() => {
    const numbers = colorsOf(runs);
    for (const [id, number] of numbers) known.set(id, number);
    return new Map([...numbers].map(([id, number]) => [id, palette.series[colorNumber(number)]!]));
    // The ids stand for the runs: colours depend on nothing else that changes.
  }, [key, palette]);
}

/** The dashes of a coloured run's line. */
export const runDash = (id: string): readonly number[] => dashOf(known.get(id) ?? 1);

/** The colour of one run; undefined until its neighbours are known. */
export function useColor(run: Run): string | undefined {
  const palette = usePalette();
  const number = known.get(run.id);
  const { value, error } = useLive("runs", number === undefined ? runsQuery(run.projectId, DEFAULT_VIEW.order) : null);
  const learned = useMemo(() => {
    if (number !== undefined || (!value && !error)) return number;
    for (const [id, n] of colorsOf(value?.runs ?? [])) known.set(id, n);
    // Beyond the list's bound a run is coloured as if it were alone.
    if (!known.has(run.id)) known.set(run.id, colorsOf([run]).get(run.id)!);
    return known.get(run.id);
  }, [number, value, error, run.id]);
  return learned === undefined ? undefined : palette.series[colorNumber(learned)];
}
