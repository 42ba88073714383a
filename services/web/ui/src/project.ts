//! A project's runs as its page lists them: in an order that holds still under the hand, with columns that tell them apart.
import { useRef } from "react";
import type { RunList } from "./live/merge.js";
import type { Run } from "./gen/corral/v1/query_pb.js";

export interface Order {
  runs: readonly Run[];
  /** Runs that have come and wait for the hand to leave, or for a click. */
  waiting: number;
  /** The order is no longer what the sort says. */
  moved: boolean;
  take: () => void;
}

/**
 * `fresh`: the answer is that of the order asked for (not an older one that is still shown). `still`: the hand is on the list or
 * has scrolled it, so nothing may move.
 */
export function useOrder(list: RunList | undefined, order: string, fresh: boolean, still: boolean, again: () => void): Order {
  const held = useRef<{ order: string; ids: string[] } | undefined>(undefined);
  if (!list) return { runs: [], waiting: 0, moved: false, take: again };
  const { runs } = list;
  const byId = new Map(runs.map((run) => [run.id, run]));
  const take = () => {
    held.current = { order, ids: runs.map((run) => run.id) };
  };
  if (!held.current || (fresh && (held.current.order !== order || !still))) take();
  const { ids } = held.current!;
  const shown = ids.flatMap((id) => byId.get(id) ?? []);
  const waiting = runs.length - shown.length;
  const moved = waiting === 0 && fresh && shown.some((run, i) => run !== runs[i]);
  return { runs: shown, waiting, moved, take: () => (take(), again()) };
}

export interface Column {
  kind: "summary" | "config";
  key: string;
}

export const columnId = ({ kind, key }: Column): string => `${kind}:${key}`;

const LIKELY: readonly RegExp[] = [/^(val|valid|validation|eval|test).*(acc|f1|auc|score|bleu|map|reward)/i, /^(val|valid|validation|eval|test).*(loss|error|ppl|perplexity)/i, /(acc|f1|auc|score|reward)/i, /loss/i, /./];
const LIKELY_CONFIG: readonly RegExp[] = [/(^|[._])(lr|learning_rate|rate)$/i, /(solver|optim|model|arch|name)/i, /./];

const rank = (key: string, words: readonly RegExp[]): number => words.findIndex((w) => w.test(key));

/** Keys of summary figures that metrics made (others were set by hand), over all runs. */
export function metricNames(runs: readonly Run[]): string[] {
  const names = new Set<string>();
  for (const run of runs) for (const { key, value } of run.summary) if (value?.kind.case !== "json") names.add(key);
  return [...names];
}

/** How many of a run's metrics its head does not name. */
export const missingMetrics = (run: Run): number => run.metrics - run.summary.reduce((n, { value }) => n + Number(value?.kind.case !== "json"), 0);

/** Config paths by whether runs differ in them. */
export function configKeys(runs: readonly Run[]): { key: string; differs: boolean }[] {
  const values = new Map<string, Set<string>>();
  const counts = new Map<string, number>();
  for (const run of runs) {
    for (const { path, json } of run.config) {
      const key = path.join(".");
      const set = values.get(key) ?? new Set();
      values.set(key, set.add(json));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return [...values].map(([key, set]) => ({ key, differs: set.size > 1 || counts.get(key) !== runs.length }));
}

/** What the list shows when nobody chose: two figures that say how good a run is, one setting that says why. */
export function likelyColumns(runs: readonly Run[]): Column[] {
  const metrics = metricNames(runs).sort((a, b) => rank(a, LIKELY) - rank(b, LIKELY));
  const settings = configKeys(runs).filter((c) => c.differs && c.key !== "seed").map((c) => c.key).sort((a, b) => rank(a, LIKELY_CONFIG) - rank(b, LIKELY_CONFIG));
  return [...metrics.slice(0, 2).map((key): Column => ({ kind: "summary", key })), ...settings.slice(0, 1).map((key): Column => ({ kind: "config", key }))];
}
