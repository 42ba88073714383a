//! The questions that the page asks, as the session carries them.
import { create } from "@bufbuild/protobuf";
import { GetHistoryRequestSchema, GetRunRequestSchema, ListProjectsRequestSchema, ListRunsRequestSchema, RunField, type RunOrder, XAxis } from "./gen/corral/v1/query_pb.js";
import type { Query } from "./live/session.js";
import type { XKind } from "./plot/scene.js";
import type { Axis } from "./xaxis.js";

/** Rows of a list at most: the server's own bound of a page. */
export const LIST_COUNT_MAX = 1_000;
/** Series of one panel at most: as many as one answer holds. */
export const PANEL_RUNS_MAX = 100;

const FIELDS: Readonly<Record<string, RunField>> = { created: RunField.CREATED, name: RunField.NAME, state: RunField.STATE, active: RunField.LAST_ACTIVE };
const AXES: Readonly<Record<XKind, XAxis>> = { step: XAxis.UNSPECIFIED, time: XAxis.TIME, relative: XAxis.RELATIVE_TIME, value: XAxis.METRIC };

export const projectsQuery: Query = { case: "projects", value: create(ListProjectsRequestSchema, { pageSize: LIST_COUNT_MAX }) };

/** `order` as the address spells it (viewstate.ts). */
export function runsQuery(project: string, order: string): Query {
  const descending = order.startsWith("-");
  const text = descending ? order.slice(1) : order;
  const [kind = "", ...rest] = text.split(":");
  const key = rest.join(":");
  const by: RunOrder["by"] =
    kind === "summary" || kind === "config" ? { case: kind, value: key } : { case: "field", value: FIELDS[kind] ?? RunField.CREATED };
  return { case: "runs", value: create(ListRunsRequestSchema, { project, pageSize: LIST_COUNT_MAX, order: { by, descending } }) };
}

export const runQuery = (runId: string): Query => ({ case: "run", value: create(GetRunRequestSchema, { runId }) });

export interface HistoryAsk {
  runIds: readonly string[];
  metric: string;
  /** Undefined: that of the metric's definition. */
  axis: Axis | undefined;
  buckets: number;
  /** Closed bounds of x; null: all. For an axis that is named. */
  bounds: readonly [number, number] | null;
  /** Absent: the living one. */
  take?: number | undefined;
}

function boundsOf(axis: Axis, [from, to]: readonly [number, number]) {
  return axis.kind === "value" ? { xValueMin: from, xValueMax: to } : { xMin: BigInt(from), xMax: BigInt(to) };
}

export function historyQuery({ runIds, metric, axis, buckets, bounds, take }: HistoryAsk): Query {
  const x = axis ? { xAxis: AXES[axis.kind], xMetric: axis.metric, ...(bounds ? boundsOf(axis, bounds) : {}) } : { xAxis: XAxis.DEFINED };
  return { case: "history", value: create(GetHistoryRequestSchema, { runIds: [...runIds], metrics: [metric], buckets, take, ...x }) };
}
