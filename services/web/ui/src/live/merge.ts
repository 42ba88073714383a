//! What a subscription's value is after one more answer: a whole replaces, a delta is put over it by id.
import type { GetRunResponse, ListProjectsResponse, ListRunsResponse, Project, Run } from "../gen/corral/v1/query_pb.js";
import type { Answer } from "../gen/corral/v1/session_pb.js";
import { applyHistory, type History } from "./history.js";

export interface RunList {
  runs: Run[];
  total: number;
}

/** The value of a subscription by the kind of its query. */
export type Value =
  | { kind: "projects"; projects: Project[] }
  | ({ kind: "runs" } & RunList)
  | { kind: "run"; run: GetRunResponse }
  | { kind: "history"; history: History };

function mergeProjects(before: Project[], delta: ListProjectsResponse): Project[] {
  const changed = new Map(delta.projects.map((p) => [p.id, p]));
  const kept = before.map((p) => {
    const now = changed.get(p.id);
    changed.delete(p.id);
    return now ?? p;
  });
  return [...kept, ...changed.values()];
}

/** What moved put over the run as it was (`Answer.partial_runs`). */
function movedRun(before: Run, { lastAppendUs, maxStep, points, metrics, gapItems, summary }: Run): Run {
  const figures = new Map(before.summary.map((f) => [f.key, f]));
  for (const f of summary) figures.set(f.key, f);
  return { ...before, lastAppendUs, maxStep, points, metrics, gapItems, summary: [...figures.values()] };
}

/** The same runs in the same order: where another came, or the order changed, the server sends the whole list. */
function mergeRuns(before: RunList, delta: ListRunsResponse, partial: readonly number[]): RunList {
  const changed = new Map(delta.runs.map((run, i) => [run.id, { run, partial: partial.includes(i) }]));
  const runs = before.runs.map((r): Run => {
    const now = changed.get(r.id);
    changed.delete(r.id);
    return now ? (now.partial ? movedRun(r, now.run) : now.run) : r;
  });
  for (const id of changed.keys()) throw new Error(`runs: ${id} was never in a whole list`);
  return { runs, total: Number(delta.total) };
}

/** A run's delta names the metrics and writers that changed; of the run itself what moved, or the whole. */
function mergeRun(before: GetRunResponse, delta: GetRunResponse, partial: boolean): GetRunResponse {
  const run = partial && before.run && delta.run ? movedRun(before.run, delta.run) : (delta.run ?? before.run);
  const metrics = new Map(before.metrics.map((m) => [m.name, m]));
  for (const m of delta.metrics) metrics.set(m.name, m);
  const writers = new Map(before.writers.map((w) => [`${w.writerId}/${w.epoch}`, w]));
  for (const w of delta.writers) writers.set(`${w.writerId}/${w.epoch}`, w);
  return { ...before, run, metrics: [...metrics.values()], writers: [...writers.values()], meta: delta.meta ?? before.meta };
}

/** The value after `answer`; undefined for a delta without anything to put it over, or a kind that this page does not know. */
export function applyAnswer(before: Value | undefined, answer: Answer): Value | undefined {
  const { body, whole } = answer;
  switch (body.case) {
    case "projects":
      if (whole) return { kind: "projects", projects: body.value.projects };
      return before?.kind === "projects" ? { kind: "projects", projects: mergeProjects(before.projects, body.value) } : undefined;
    case "runs":
      if (whole) return { kind: "runs", runs: body.value.runs, total: Number(body.value.total) };
      return before?.kind === "runs" ? { kind: "runs", ...mergeRuns(before, body.value, answer.partialRuns) } : undefined;
    case "run":
      if (whole) return { kind: "run", run: body.value };
      return before?.kind === "run" ? { kind: "run", run: mergeRun(before.run, body.value, answer.partialRuns.length > 0) } : undefined;
    case "history":
      if (!whole && before?.kind !== "history") return undefined;
      return { kind: "history", history: applyHistory(before?.kind === "history" ? before.history : undefined, body.value, whole) };
    default:
      return undefined;
  }
}
