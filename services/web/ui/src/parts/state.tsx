//! A run's state in a word and a colour, with how long it has taken.
import { durationText, exactTime, runDurationUs, type StateName, stateOf } from "../format.js";
import type { Run } from "../gen/corral/v1/query_pb.js";
import { Dot } from "./dot.js";
import css from "./state.module.css";

export const STATE_TONES: Readonly<Record<StateName, "live" | "warn" | "bad" | undefined>> = { running: "live", silent: "warn", crashed: "bad", failed: "bad", finished: undefined };

const HINTS: Readonly<Record<StateName, string>> = {
  running: "running",
  finished: "finished",
  failed: "failed",
  silent: "running, and nothing has come for a minute",
  crashed: "nothing has come for five minutes and it never said that it ended",
};

export function stateHint(run: Run, nowUs: number): string {
  const state = stateOf(run, nowUs);
  const exit = run.exitCode === undefined || run.exitCode === 0 ? "" : `, exit code ${run.exitCode}`;
  const end = run.finishedUs === undefined ? `last heard of ${exactTime(Number(run.lastAppendUs))}` : `ended ${exactTime(Number(run.finishedUs))}`;
  return `${HINTS[state]}${exit}${run.message === "" ? "" : `: ${run.message}`}\nstarted ${exactTime(Number(run.startedUs))}\n${end}`;
}

/** For a table: what went well says how long it took, what did not says so. */
export function State({ run, nowUs }: { run: Run; nowUs: number }) {
  const state = stateOf(run, nowUs);
  const text = state === "finished" || state === "running" ? durationText(runDurationUs(run, nowUs)) : state;
  return (
    <span className={css.state} data-tone={STATE_TONES[state]} data-state={state} title={stateHint(run, nowUs)}>
      {state !== "finished" && <Dot tone={STATE_TONES[state]} />}
      <span className={css.word}>{state}</span>{text}
    </span>
  );
}
