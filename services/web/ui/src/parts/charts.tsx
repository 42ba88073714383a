//! The panels of a page: sections by prefix, and the one that fills the window.
import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Run } from "../gen/corral/v1/query_pb.js";
import { ExtentContext, Extents } from "../extent.js";
import { plural } from "../format.js";
import { useKeys } from "../hooks.js";
import { arranged, matches, type MetricName, type Section, sectionsOf } from "../metric.js";
import { engine } from "../plot/engine.js";
import type { Range } from "../plot/view.js";
import { changeView, useView, viewNow } from "../address.js";
import type { Series } from "../series.js";
import { isLog, toggleLog, type ViewState } from "../viewstate.js";
import { Panel, type PanelProps } from "./panel.js";
import css from "./charts.module.css";

export interface ChartsProps {
  metrics: readonly MetricName[];
  series: Series;
  /** The runs whose lines are drawn. */
  runs: readonly Run[];
  openRun?: ((runId: string) => void) | undefined;
}

type Shared = Omit<PanelProps, "metric" | "hint" | "log" | "tall">;

/** Names stay where they are while others come (metric.ts). */
function useArranged(metrics: readonly MetricName[], search: string): MetricName[] {
  const order = useRef<string[]>([]);
  return useMemo(() => {
    const byName = new Map(metrics.map((m) => [m.name, m]));
    order.current = arranged(byName.keys(), order.current);
    const shown = search === "" ? order.current : order.current.filter((name) => matches(name, search));
    return shown.map((name) => byName.get(name)!);
  }, [metrics, search]);
}

const Group = memo(function Group({ section, shared, view }: { section: Section; shared: Shared; view: ViewState }) {
  const [open, setOpen] = useState(true);
  return (
    <section className={css.section} aria-label={section.name}>
      <h2>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          <span className={css.caret} aria-hidden="true" />{section.name}<span className={css.count}>{plural(section.metrics.length, "panel")}</span>
        </button>
      </h2>
      {open && (
        <div className={css.grid} data-per-row={view.perRow}>
          {section.metrics.map((m) => <Panel key={m.name} {...shared} metric={m.name} hint={m.hint} log={isLog(view, m.name)} />)}
        </div>
      )}
    </section>
  );
});

function Full({ metrics, shared, view }: { metrics: readonly MetricName[]; shared: Shared; view: ViewState }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const at = metrics.findIndex((m) => m.name === view.open);
  const metric = metrics[at];
  useEffect(() => {
    if (!metric || dialog.current?.open) return;
    dialog.current?.showModal();
    // Not its first button, which would wear a ring that nobody asked for.
    dialog.current?.focus();
  }, [metric]);
  if (!metric) return null;
  const go = (by: number) => changeView({ open: metrics[(at + by + metrics.length) % metrics.length]!.name });
  return (
    <dialog
      ref={dialog} tabIndex={-1} className={css.full} aria-label={metric.name} onClose={() => changeView({ open: null })}
      onKeyDown={(e) => {
        const by = e.key === "[" ? -1 : e.key === "]" ? 1 : 0;
        if (by !== 0) go(by);
      }}
    >
      <Panel key={metric.name} {...shared} metric={metric.name} hint={metric.hint} log={isLog(view, metric.name)} tall />
      <footer className={css.steps}>
        <button type="button" onClick={() => go(-1)}><kbd>[</kbd>previous</button>
        <span>{at + 1} of {metrics.length}</span>
        <button type="button" onClick={() => go(1)}>next<kbd>]</kbd></button>
      </footer>
    </dialog>
  );
}

export function Charts({ metrics, series, runs, openRun }: ChartsProps) {
  const [view] = useView();
  // Another axis or take: another extent.
  const extents = useMemo(() => new Extents(runs), [view.x, view.take]);
  const shown = useArranged(metrics, view.search);
  const sections = useMemo(() => sectionsOf(shown), [shown]);
  const onZoom = useCallback((zoom: Range | null, metric: string) => changeView({ zoom: zoom ? [zoom[0], zoom[1]] : null, zoomed: viewNow().x === "auto" ? metric : "" }), []);
  const onLog = useCallback((metric: string) => changeView({ log: toggleLog(viewNow(), metric) }), []);
  const onOpen = useCallback((metric: string) => changeView({ open: viewNow().open === metric ? null : metric }), []);
  const shared = useMemo<Shared>(
    () => ({ series, x: view.x, smoothing: view.smoothing, zoom: view.zoom, zoomed: view.zoomed, take: view.take ?? undefined, onZoom, onLog, onOpen, openRun }),
    [series, view.x, view.smoothing, view.zoom, view.zoomed, view.take, onZoom, onLog, onOpen, openRun],
  );
  useKeys({ Escape: () => engine.setHover({ x: null, runId: null, select: null, xName: undefined }) });
  return (
    <ExtentContext value={extents}>
      {sections.map((section) => <Group key={section.name} section={section} shared={shared} view={view} />)}
      {shown.length === 0 && view.search !== "" && <p className={css.none}>No metric matches “{view.search}”.</p>}
      {view.open !== null && <Full metrics={shown} shared={shared} view={view} />}
    </ExtentContext>
  );
}
