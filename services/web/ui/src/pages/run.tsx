//! A run: what it is doing, a chart of each metric, what it was started with and what it has come to.
import { useEffect, useMemo, useRef, useState } from "react";
import { Link } from "wouter";
import { useView } from "../address.js";
import { countText, durationText, runDurationUs, stateOf } from "../format.js";
import type { GetRunResponse, Run } from "../gen/corral/v1/query_pb.js";
import { useHeld, useLate, useLive, useNow, useTitle } from "../hooks.js";
import type { MetricName } from "../metric.js";
import { useColor } from "../palette.js";
import { Charts } from "../parts/charts.js";
import common from "../parts/common.module.css";
import { Controls, Find } from "../parts/controls.js";
import { Dot } from "../parts/dot.js";
import { Empty, Waiting } from "../parts/empty.js";
import { Block, Facts } from "../parts/facts.js";
import { stateHint, STATE_TONES } from "../parts/state.js";
import { Top } from "../parts/top.js";
import { projectPath } from "../paths.js";
import { projectsQuery, runQuery } from "../queries.js";
import { aboutFacts, configFacts, countsOf, metricsOf, summaryFacts, writerFacts, writersWorthTelling } from "../run.js";
import { useSeries } from "../series.js";
import { carried } from "../viewstate.js";
import { Lost } from "./lost.js";
import css from "./run.module.css";

/** A run that is not there yet is asked for again after so long: its link is known before the server has heard of it. */
const ASK_AGAIN_MS = 5_000;
const TAGS_MAX = 4;

/** The run's living answer; while it is not there, asked for again now and then (a subscription that failed has ended). */
function useRun(runId: string) {
  const [resting, setResting] = useState(false);
  const live = useLive("run", resting ? null : runQuery(runId));
  const absent = live.error?.reason === "NOT_FOUND";
  useEffect(() => {
    if (absent) setResting(true);
  }, [absent]);
  useEffect(() => {
    if (!resting) return;
    const timer = setTimeout(() => setResting(false), ASK_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [resting]);
  return useHeld(live, runId);
}

function StatePill({ run }: { run: Run }) {
  const nowUs = useNow(1_000);
  const state = stateOf(run, nowUs);
  const word = state[0]!.toUpperCase() + state.slice(1);
  return (
    <span className={common.pill} data-tone={STATE_TONES[state]} data-state={state} title={stateHint(run, nowUs)}>
      <Dot tone={STATE_TONES[state]} />{word} · {durationText(runDurationUs(run, nowUs))}
    </span>
  );
}

function Counts({ answer }: { answer: GetRunResponse }) {
  const { received, shown, lost } = countsOf(answer);
  return (
    <span className={css.counts} title={"received: calls that the run's programs made and the server has read from its log\nshown: points of all metrics on this page"}>
      <b data-count="received">{countText(received)}</b> received · <b data-count="shown">{countText(shown)}</b> points shown
      {lost > 0n && <span className={css.lost}> · {countText(lost)} lost</span>}
    </span>
  );
}

function useMetrics(answer: GetRunResponse, living: boolean): readonly MetricName[] {
  const held = useRef<readonly MetricName[]>([]);
  const now = useMemo(() => metricsOf(answer, living), [answer, living]);
  const before = held.current;
  if (now.length !== before.length || now.some((m, i) => m.name !== before[i]!.name || m.hint !== before[i]!.hint)) held.current = now;
  return held.current;
}

function Takes({ take }: { take: number }) {
  const [view, change] = useView();
  if (take <= 1) return null;
  return (
    <span className={common.pick} title="Each restart without resume opened a take; nothing was overwritten">
      <select aria-label="Take" value={view.take ?? take} onChange={(e) => change({ take: Number(e.target.value) === take ? null : Number(e.target.value), zoom: null, zoomed: "" })}>
        {Array.from({ length: take }, (_, i) => take - i).map((n) => <option key={n} value={n}>take {n}{n === take ? "" : " (earlier)"}</option>)}
      </select>
    </span>
  );
}

function Side({ answer }: { answer: GetRunResponse }) {
  const [search, setSearch] = useState("");
  const [view] = useView();
  const { run, writers } = answer;
  const summary = useMemo(() => summaryFacts(answer), [answer]);
  const config = useMemo(() => configFacts(answer, search), [run?.config, search]);
  const total = run?.config.length ?? 0;
  const live = run ? stateOf(run, Number(run.lastAppendUs)) === "running" : false;
  return (
    <aside className={css.side} aria-label="Details">
      {run?.message && <p className={css.message}>{run.message}</p>}
      {run?.notes && <p className={css.notes}>{run.notes}</p>}
      <Block title="Summary" note={view.take !== null ? `of take ${run?.take}` : live ? "live" : ""}><Facts facts={summary} none="No figures yet." /></Block>
      <Block title="Config" note={search === "" ? "" : `${config.length} of ${total}`} extra={total > 6 ? <Find label="Find" hotkey="/" value={search} onChange={setSearch} className={css.find} /> : undefined}>
        <Facts facts={config} none={total === 0 ? "None was given." : "Nothing matches."} />
      </Block>
      {writersWorthTelling(writers) && <Block title="Writers" note={countText(writers.length)}><Facts facts={writerFacts(writers)} none="" /></Block>}
      <Block title="Run"><Facts facts={aboutFacts(answer)} none="" /></Block>
    </aside>
  );
}

function Crumbs({ run, project }: { run: Run | undefined; project: string | undefined }) {
  const { value } = useLive("projects", projectsQuery);
  const [view] = useView();
  const known = value?.projects.find((p) => (run ? p.id === run.projectId : p.name === project || p.id === project));
  return (
    <>
      <Link href="/">Projects</Link><span>/</span>
      {known && <><Link href={projectPath(known) + carried(view)}>{known.name}</Link><span>/</span></>}
    </>
  );
}

function Body({ answer, run }: { answer: GetRunResponse; run: Run }) {
  const color = useColor(run);
  const nowUs = useNow(5_000);
  const [pane, setPane] = useState<"charts" | "details">("charts");
  const [view, change] = useView();
  const metrics = useMetrics(answer, view.take === null);
  const live = stateOf(run, nowUs) === "running" && view.take === null;
  const series = useSeries(color === undefined ? [] : [{ id: run.id, name: run.name || run.id, color, live }], true);
  return (
    <>
      <div className={common.bar} role="toolbar" aria-label="Charts">
        <span className={css.panes}>
          <button type="button" className={common.tab} aria-pressed={pane === "charts"} onClick={() => setPane("charts")}>Charts</button>
          <button type="button" className={common.tab} aria-pressed={pane === "details"} onClick={() => setPane("details")}>Details</button>
        </span>
        <Find label="Find a metric" hotkey="f" value={view.search} onChange={(text) => change({ search: text })} className={css.metric} />
        <Takes take={run.take} />
        <span className={common.grow} />
        <Controls metrics={metrics} />
      </div>
      <div className={css.split} data-pane={pane}>
        <section className={css.panels} aria-label="Charts">
          <Charts metrics={metrics} series={series} runs={[run]} />
          {metrics.length === 0 && <p className={css.none}>No figures yet: <code>{'run.log({"loss": 0.5})'}</code> makes the first panel.</p>}
        </section>
        <Side answer={answer} />
      </div>
    </>
  );
}

export function RunPage({ runId, project }: { runId: string; project?: string }) {
  const { value, error } = useRun(runId);
  const answer = value?.run;
  const run = answer?.run;
  const late = useLate(!answer && !error);
  const name = run ? run.name || run.id : runId;
  useTitle(name);
  const absent = error?.reason === "NOT_FOUND" || (answer !== undefined && !run);
  if (absent) return <><Top title={runId} crumbs={<Crumbs run={undefined} project={project} />} /><Lost what="run" id={runId} /></>;
  return (
    <>
      <Top title={name} crumbs={<Crumbs run={run} project={project} />} end={answer && run ? <Counts answer={answer} /> : undefined}>
        {run && <StatePill run={run} />}
        {run && run.tags.length > 0 && <span className={css.tags}>{run.tags.slice(0, TAGS_MAX).map((tag) => <span key={tag} className={common.chip}>{tag}</span>)}</span>}
      </Top>
      {error && !answer && <Empty title="The run cannot be read" role="alert"><p>{error.message}</p></Empty>}
      {!answer && !error && late && <Waiting />}
      {answer && run && <Body answer={answer} run={run} />}
    </>
  );
}
