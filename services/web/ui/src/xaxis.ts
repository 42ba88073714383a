//! What x is: as each metric's definition says, a step, a time, or a metric's value; and what of that a panel draws.
import type { History } from "./live/history.js";
import type { XKind } from "./plot/scene.js";

/** `auto`: a metric's own step metric (`define_metric`), else the step. */
export type XChoice = "auto" | Exclude<XKind, "value"> | `metric:${string}`;

/** What a panel's x is. `metric`: whose value, or empty. */
export interface Axis {
  kind: XKind;
  metric: string;
}

const METRIC = "metric:";
/** The server's bound of a name; a longer one can only be a mistake. */
const NAME_LENGTH_MAX = 1_024;

export const STEP: Axis = { kind: "step", metric: "" };

export function readChoice(text: string | null): XChoice {
  if (text === "step" || text === "time" || text === "relative") return text;
  return text?.startsWith(METRIC) && text.length > METRIC.length && text.length <= NAME_LENGTH_MAX ? (text as XChoice) : "auto";
}

export const byMetric = (metric: string): XChoice => `${METRIC}${metric}`;

/** The axis that is chosen; undefined: each metric has its own. */
export function chosenAxis(choice: XChoice): Axis | undefined {
  if (choice === "auto") return undefined;
  return choice.startsWith(METRIC) ? { kind: "value", metric: choice.slice(METRIC.length) } : { kind: choice as XKind, metric: "" };
}

/** The axis of what was answered; "mixed": the runs have defined it differently, so that no one axis is all of theirs. */
export function answeredAxis(history: History): Axis | "mixed" {
  const metrics = new Set([...history.values()].map((s) => s.xMetric));
  if (metrics.size > 1) return "mixed";
  const [metric = ""] = metrics;
  return metric === "" ? STEP : { kind: "value", metric };
}

/** Points that have no place on the axis. */
export const withoutX = (history: History): number => [...history.values()].reduce((n, s) => n + s.withoutX, 0);
