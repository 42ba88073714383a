//! A run in words: counts that tell what has arrived, facts for the side.
import { configText, countText, exactTime, numberText, typedText } from "./format.js";
import { Goal, SummaryRule } from "./gen/corral/v1/event_pb.js";
import type { GetRunResponse, Metric, RunWriter, TypedValue } from "./gen/corral/v1/query_pb.js";
import { byName, matches, type MetricName } from "./metric.js";
import type { Fact } from "./parts/facts.js";

export interface Counts {
  /** Items (a `log()` call is one) that the server has received and read, whatever came of them. */
  received: bigint;
  /** Points of the metrics that the page shows. */
  shown: bigint;
  lost: bigint;
}

export function countsOf({ writers, metrics }: GetRunResponse): Counts {
  const sum = (of: readonly RunWriter[], pick: (w: RunWriter) => bigint) => of.reduce((n, w) => n + pick(w), 0n);
  const lost = sum(writers, (w) => w.gapItems);
  return { received: sum(writers, (w) => w.lastSeq) - lost, shown: metrics.reduce((n, m) => n + m.count, 0n), lost };
}

const GOALS: Readonly<Record<number, "min" | "max">> = { [Goal.MINIMIZE]: "min", [Goal.MAXIMIZE]: "max" };

/** Beside a panel's title: the best value where a metric has a goal, else the last one. */
function hintOf(metric: Metric): string {
  const best = GOALS[metric.goal];
  const value = best === undefined ? undefined : metric[best];
  if (best !== undefined && value !== undefined) return `${best} ${numberText(value)}`;
  const last = metric.last?.kind;
  return last?.case === undefined || last.case === "json" ? "" : numberText(Number(last.value));
}

/** `living`: the charts show the living take, of which the figures beside their titles are. */
export const metricsOf = ({ metrics }: GetRunResponse, living: boolean): MetricName[] => metrics.map((m) => ({ name: m.name, hint: living ? hintOf(m) : "" }));

/** A double's 17 digits are for the hover; everything else is short enough to be shown exactly. */
const EXACT_LENGTH_MAX = 9;

function figureText(value: TypedValue | undefined): string {
  const exact = typedText(value);
  const kind = value?.kind;
  if (kind?.case === "json") return configText(kind.value);
  return (kind?.case === "f64" || kind?.case === "f32") && Number.isFinite(kind.value) && exact.length > EXACT_LENGTH_MAX ? numberText(kind.value, 6) : exact;
}

const RULES: Readonly<Record<number, string>> = { [SummaryRule.MIN]: "least", [SummaryRule.MAX]: "greatest", [SummaryRule.MEAN]: "mean", [SummaryRule.BEST]: "best" };

/** The summary by name; what a figure is of its metric stands beside it. */
export function summaryFacts({ run, metrics }: GetRunResponse): Fact[] {
  const byMetric = new Map(metrics.map((m) => [m.name, m]));
  const facts = (run?.summary ?? []).map(({ key, value }): Fact => {
    const metric = byMetric.get(key);
    const exact = typedText(value);
    const title = metric ? `${exact}\n${countText(metric.count)} points${metric.nanCount > 0n ? `, ${countText(metric.nanCount)} NaN` : ""}, last at step ${countText(metric.lastStep)}` : exact;
    return { key, value: figureText(value), title, note: metric ? RULES[metric.summary] : undefined };
  });
  return facts.sort((a, b) => byName(a.key, b.key));
}

/** The config as its paths; a search looks at both sides. */
export function configFacts({ run }: GetRunResponse, search: string): Fact[] {
  const facts = (run?.config ?? []).map(({ path, json }): Fact => ({ key: path.join("."), value: configText(json), title: json }));
  const found = search === "" ? facts : facts.filter((f) => matches(`${f.key} ${f.value}`, search));
  return found.sort((a, b) => byName(a.key, b.key));
}

export function aboutFacts({ run }: GetRunResponse): Fact[] {
  if (!run) return [];
  const facts: (Fact | false)[] = [
    { key: "id", value: run.id },
    run.group !== "" && { key: "group", value: run.group },
    run.jobType !== "" && { key: "job type", value: run.jobType },
    { key: "by", value: run.actor },
    { key: "started", value: exactTime(Number(run.startedUs)).slice(0, 19), title: exactTime(Number(run.startedUs)) },
    run.finishedUs !== undefined && { key: "ended", value: exactTime(Number(run.finishedUs)).slice(0, 19), title: exactTime(Number(run.finishedUs)) },
    run.exitCode !== undefined && run.exitCode !== 0 && { key: "exit code", value: String(run.exitCode) },
    { key: "last step", value: countText(run.maxStep) },
    { key: "points", value: countText(run.points) },
  ];
  return facts.filter((f) => f !== false);
}

/** Worth a word only where there is more than the one writer of a plain run, or something was lost. */
export function writersWorthTelling(writers: readonly RunWriter[]): boolean {
  return writers.length > 1 || writers.some((w) => w.gapItems > 0n || w.label !== "");
}

export function writerFacts(writers: readonly RunWriter[]): Fact[] {
  const takes = new Set(writers.map((w) => w.take)).size > 1;
  return writers.map((w) => ({
    key: `${w.label || w.writerId.slice(0, 8)}${w.epoch > 1 ? ` / ${w.epoch}` : ""}`,
    value: `${countText(w.lastSeq)} items`,
    title: `writer ${w.writerId}, epoch ${w.epoch}, take ${w.take}, by ${w.actor}`,
    note: w.gapItems > 0n ? `${countText(w.gapItems)} lost` : takes ? `take ${w.take}` : undefined,
  }));
}
