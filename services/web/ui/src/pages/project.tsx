//! A project: its runs as a live list, and beside them a chart of every metric.
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { useView } from "../address.js";
import { countText, plural, stateOf } from "../format.js";
import type { Run } from "../gen/corral/v1/query_pb.js";
import { useHeld, useLate, useLive, useNow, useTitle } from "../hooks.js";
import { matches, type MetricName } from "../metric.js";
import { runDash, useColors } from "../palette.js";
import { Charts } from "../parts/charts.js";
import common from "../parts/common.module.css";
import { Controls, Find } from "../parts/controls.js";
import { Dot } from "../parts/dot.js";
import { Empty, Waiting } from "../parts/empty.js";
import { RunList } from "../parts/runlist.js";
import { Top } from "../parts/top.js";
import { runPath } from "../paths.js";
import { engine } from "../plot/engine.js";
import { likelyColumns, metricNames, missingMetrics, useOrder } from "../project.js";
import { LIST_COUNT_MAX, PANEL_RUNS_MAX, projectsQuery, runQuery, runsQuery } from "../queries.js";
import { useSeries } from "../series.js";
import { carried, DRAW_ALL, drawAlone, isDrawn, toggleDrawn, type ViewState } from "../viewstate.js";
import { Lost } from "./lost.js";
import { FirstRun } from "./projects.js";
import css from "./project.module.css";

/** Runs whose metrics make panels: beyond them a panel more says little. */
const METRIC_RUNS_MAX = 200;

/**
 * Metrics that no head of a run has room for, or whose definition keeps them out of summaries: of the run with the most of them,
 * asked for once and again when it has more.
 */
function useMoreNames(runs: readonly Run[]): readonly string[] {
  const known = useRef<{ key: string; names: readonly string[] }>({ key: "", names: [] });
  const widest = runs.reduce<Run | undefined>((most, run) => (missingMetrics(run) > (most ? missingMetrics(most) : 0) ? run : most), undefined);
  const key = widest ? `${widest.id} ${widest.metrics}` : "";
  const { value } = useLive("run", widest && key !== known.current.key ? runQuery(widest.id) : null);
  if (value && value.run.run?.id === widest?.id) known.current = { key, names: value.run.metrics.map((m) => m.name) };
  return known.current.names;
}

/** The same array as long as it holds the same names: panels are made of it. */
function useNames(runs: readonly Run[]): readonly MetricName[] {
  const held = useRef<readonly MetricName[]>([]);
  const more = useMoreNames(runs);
  const names = useMemo(() => [...new Set([...metricNames(runs.slice(0, METRIC_RUNS_MAX)), ...more])], [runs, more]);
  if (names.length !== held.current.length || names.some((name, i) => name !== held.current[i]!.name)) held.current = names.map((name) => ({ name }));
  return held.current;
}

/** Columns are chosen once there is something to choose from, then left alone. */
function useColumns(runs: readonly Run[], most: number) {
  const held = useRef<ReturnType<typeof likelyColumns>>([]);
  if (held.current.length < 3 && runs.length > 0) {
    const found = likelyColumns(runs);
    if (found.length > held.current.length) held.current = found;
  }
  return useMemo(() => held.current.slice(0, most), [held.current, most]);
}

/** Width of the list, from which follows how many figures have room. */
const columnsFor = (width: number): number => (width >= 1500 ? 3 : width >= 1360 || (width >= 520 && width <= 900) ? 2 : 1);

function useWindowWidth(): number {
  const [width, setWidth] = useState(innerWidth);
  useEffect(() => {
    const listen = () => setWidth(innerWidth);
    addEventListener("resize", listen);
    return () => removeEventListener("resize", listen);
  }, []);
  return width;
}

function orderText(order: string): string {
  const descending = order.startsWith("-");
  const by = descending ? order.slice(1) : order;
  const word = { created: descending ? "newest first" : "oldest first" }[by];
  return word ?? `sorted by ${by.replace(/^(summary|config):/, "")} ${descending ? "↓" : "↑"}`;
}

/** What stays pointed out comes back when the pointer has left whatever else it pointed at. */
function useSelected() {
  const [selected, setSelected] = useState<string | null>(null);
  useEffect(() => {
    const restore = () => {
      const { runId, select } = engine.readHover();
      if (selected !== null && runId === null && select === null) engine.setHover({ runId: selected });
    };
    restore();
    const end = engine.watchHover(restore);
    return () => {
      end();
      engine.setHover({ runId: null });
    };
  }, [selected]);
  return [selected, setSelected] as const;
}

interface ListProps {
  runs: readonly Run[];
  all: readonly Run[];
  total: number;
  waiting: number;
  moved: boolean;
  take: () => void;
  view: ViewState;
  colors: ReadonlyMap<string, string>;
  project: string;
  search: string;
  onSearch: (text: string) => void;
  onStill: (still: { away?: boolean; hand?: boolean }) => void;
}

function List({ runs, all, total, waiting, moved, take, view, colors, project, search, onSearch, onStill }: ListProps) {
  const [, change] = useView();
  const [selected, select] = useSelected();
  const nowUs = useNow(1_000);
  const columns = useColumns(all, columnsFor(useWindowWidth()));
  const { drawn } = view;
  const hidden = all.reduce((n, run) => n + Number(!isDrawn(drawn, run.id)), 0);
  const live = all.filter((run) => stateOf(run, nowUs) === "running").length;
  const toggle = useCallback((id: string, alone: boolean) => change({ drawn: alone ? drawAlone(drawn, id) : toggleDrawn(drawn, id) }), [drawn, change]);
  const toggleAll = useCallback(() => change({ drawn: drawn.all && drawn.ids.length === 0 ? { all: false, ids: [] } : DRAW_ALL }), [drawn, change]);
  return (
    <section className={css.runs} aria-label="Runs" onPointerEnter={() => onStill({ hand: true })} onPointerLeave={() => onStill({ hand: false })}>
      {/* What is new is told where there is room for it: a line of its own would move the rows. */}
      <div className={css.query}>
        <Find label="Find a run" hotkey="/" value={search} onChange={onSearch} className={css.find} />
        {(waiting > 0 || moved) && <button type="button" className={css.news} onClick={take}>{waiting > 0 ? `Show ${plural(waiting, "new run")}` : "Sort again"}</button>}
      </div>
      <RunList
        runs={runs} columns={columns} order={view.order} colors={colors} drawn={drawn} selected={selected} nowUs={nowUs}
        hrefOf={(run) => runPath(run.id, project) + carried(view)} onOrder={(order) => change({ order })} onToggle={toggle} onToggleAll={toggleAll} onSelect={select}
        onScroll={(atTop) => onStill({ away: !atTop })}
      />
      <footer className={css.foot}>
        <span>{search === "" ? plural(total, "run") : `${countText(runs.length)} of ${plural(total, "run")}`}</span>
        {live > 0 && <span className={css.live}><Dot live />{live} live</span>}
        {hidden > 0 && <button type="button" className={common.link} onClick={() => change({ drawn: DRAW_ALL })}>{countText(hidden)} hidden</button>}
        <span className={common.grow} />
        <span>{orderText(view.order)}</span>
      </footer>
    </section>
  );
}

/** The runs that the panels draw, in the list's order, in colours that depend on no order. */
function useDrawn(runs: readonly Run[], view: ViewState) {
  const nowUs = useNow(5_000);
  const colors = useColors(runs);
  const drawn = useMemo(() => {
    return runs.filter((r) => isDrawn(view.drawn, r.id)).slice(0, PANEL_RUNS_MAX).map((run) => ({ id: run.id, name: run.name || run.id, color: colors.get(run.id)!, dash: runDash(run.id), live: stateOf(run, nowUs) === "running" }));
  }, [runs, view.drawn, colors, nowUs]);
  return { colors, series: useSeries(drawn) };
}

/**
 * The project by its id or name. A link may be older than the project that it leads to (a demo prints it first): the page then waits
 * for the list of projects to name it, and asks for nothing that is not there.
 */
function useProject(project: string): { name: string; there: boolean; absent: boolean } {
  const { value } = useLive("projects", projectsQuery);
  const found = value?.projects.find((p) => p.id === project || p.name === project);
  const whole = value !== undefined && value.projects.length < LIST_COUNT_MAX;
  return { name: found?.name ?? project, there: found !== undefined || (value !== undefined && !whole), absent: found === undefined && whole };
}

export function ProjectPage({ project }: { project: string }) {
  const [view, change] = useView();
  const { name, there, absent } = useProject(project);
  const asked = useLive("runs", there ? runsQuery(project, view.order) : null);
  const { value, error } = useHeld(asked, project);
  const [, again] = useReducer((n: number) => n + 1, 0);
  const [still, setStill] = useState({ away: false, hand: false });
  const order = useOrder(value, view.order, asked.value !== undefined, still.away || still.hand, again);
  const [search, setSearch] = useState("");
  const [pane, setPane] = useState<"runs" | "charts">("charts");
  const [, go] = useLocation();
  const { colors, series } = useDrawn(order.runs, view);
  const metrics = useNames(order.runs);
  const late = useLate(!value && !error && !absent);
  const openRun = useCallback((id: string) => go(runPath(id, project)), [go, project]);
  const onStill = useCallback((part: { away?: boolean; hand?: boolean }) => setStill((s) => ({ ...s, ...part })), []);
  useTitle(name);
  if (error?.reason === "NOT_FOUND") return <><Top title={project} /><Lost what="project" id={project} /></>;
  const listed = search === "" ? order.runs : order.runs.filter((run) => matches(run.name || run.id, search));
  return (
    <>
      <Top title={name} crumbs={<><Link href="/">Projects</Link><span>/</span></>} />
      {error && !value && <Empty title="The runs cannot be read" role="alert"><p>{error.message}</p></Empty>}
      {!value && late && <Waiting />}
      {!value && absent && <FirstRun title={`No project “${project}” yet`} project={project} />}
      {value && order.runs.length === 0 && <FirstRun title="No run yet" project={name} />}
      {value && order.runs.length > 0 && (
        <>
          <div className={common.bar} role="toolbar" aria-label="Charts">
            <span className={css.panes}>
              <button type="button" className={common.tab} aria-pressed={pane === "runs"} onClick={() => setPane("runs")}>Runs</button>
              <button type="button" className={common.tab} aria-pressed={pane === "charts"} onClick={() => setPane("charts")}>Charts</button>
            </span>
            <Find label="Find a metric" hotkey="f" value={view.search} onChange={(text) => change({ search: text })} className={css.metric} />
            <span className={common.grow} />
            <Controls metrics={metrics} />
          </div>
          <div className={css.split} data-pane={pane}>
            <List
              runs={listed} all={order.runs} total={value.total} waiting={order.waiting} moved={order.moved} take={order.take} view={view} colors={colors}
              project={project} search={search} onSearch={setSearch} onStill={onStill}
            />
            <section className={css.panels} aria-label="Charts">
              <Charts metrics={metrics} series={series} runs={order.runs} openRun={openRun} />
              {metrics.length === 0 && <p className={css.none}>No figures yet: <code>run.log({"{"}"loss": 0.5{"}"})</code> makes the first panel.</p>}
              {value.total > LIST_COUNT_MAX && <p className={css.none}>The list has the first {countText(LIST_COUNT_MAX)} of {countText(value.total)} runs.</p>}
              {series.ids.length === PANEL_RUNS_MAX && <p className={css.none}>Panels draw the first {PANEL_RUNS_MAX} runs that are not hidden.</p>}
            </section>
          </div>
        </>
      )}
    </>
  );
}
