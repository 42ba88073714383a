//! What a subscription's value is after one more answer: a whole replaces, a delta is put over it by id.
import type { GetRunResponse, ListProjectsResponse, ListRunsResponse, Project, Run } from "../gen/corral/v1/query_pb.js";
import type { Answer } from "../gen/corral/v1/session_pb.js";
import { applyHistory, type History } from "./history.js";

export interface RunList {
  /** In the order of the last whole answer; runs that came since are in `arrived`, oldest first. */
  runs: Run[];
  arrived: Run[];
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

function mergeRuns(before: RunList, delta: ListRunsResponse): RunList {
  const changed = new Map(delta.runs.map((r) => [r.id, r]));
  const take = (r: Run): Run => {
    const now = changed.get(r.id);
    changed.delete(r.id);
    return now ?? r;
  };
  const runs = before.runs.map(take);
  const arrived = before.arrived.map(take);
  return { runs, arrived: [...arrived, ...changed.values()], total: Math.max(Number(delta.total), runs.length + arrived.length + changed.size) };
}

/** A run's delta names the metrics and writers that changed; the run itself comes whole when it changed. */
function mergeRun(before: GetRunResponse, delta: GetRunResponse): GetRunResponse {
  const metrics = new Map(before.metrics.map((m) => [m.name, m]));
  for (const m of delta.metrics) metrics.set(m.name, m);
  const writers = new Map(before.writers.map((w) => [`${w.writerId}/${w.epoch}`, w]));
  for (const w of delta.writers) writers.set(`${w.writerId}/${w.epoch}`, w);
  return { ...before, run: delta.run ?? before.run, metrics: [...metrics.values()], writers: [...writers.values()], meta: delta.meta ?? before.meta };
}

/** The value after `answer`; undefined for a delta without anything to put it over, or a kind that this page does not know. */
export function applyAnswer(before: Value | undefined, answer: Answer): Value | undefined {
  const { body, whole } = answer;
  switch (body.case) {
    case "projects":
      if (whole) return { kind: "projects", projects: body.value.projects };
      return before?.kind === "projects" ? { kind: "projects", projects: mergeProjects(before.projects, body.value) } : undefined;
    case "runs":
      if (whole) return { kind: "runs", runs: body.value.runs, arrived: [], total: Number(body.value.total) };
      return before?.kind === "runs" ? { kind: "runs", ...mergeRuns(before, body.value) } : undefined;
    case "run":
      if (whole) return { kind: "run", run: body.value };
      return before?.kind === "run" ? { kind: "run", run: mergeRun(before.run, body.value) } : undefined;
    case "history":
      if (!whole && before?.kind !== "history") return undefined;
      return { kind: "history", history: applyHistory(before?.kind === "history" ? before.history : undefined, body.value, whole) };
    default:
      return undefined;
  }
}
