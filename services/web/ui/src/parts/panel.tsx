//! One metric's panel: asks for buckets as wide as its pixels, hands lines to the chart worker, draws the axes' labels itself.
import { memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useExtent } from "../extent.js";
import { numberText, plural } from "../format.js";
import { useBox, useHeld, useLive } from "../hooks.js";
import type { Series } from "../series.js";
import { linesOf, type PanelLine } from "../lines.js";
import type { History } from "../live/history.js";
import { gutterOf } from "../plot/ends.js";
import { engine } from "../plot/engine.js";
import { gestures } from "../plot/gesture.js";
import { type Frame, layout } from "../plot/layout.js";
import { describe } from "../plot/readout.js";
import { hoverOn, type Scene, xRange } from "../plot/scene.js";
import { type Range, viewOf } from "../plot/view.js";
import { historyQuery } from "../queries.js";
import { isSmoothing, memoryOf, type Smoothing } from "../smooth.js";
import { usePalette } from "../theme.js";
import { answeredAxis, type Axis, chosenAxis, STEP, withoutX, type XChoice } from "../xaxis.js";
import { placeText } from "../xtext.js";
import { Axes } from "./axes.js";
import { Ends } from "./ends.js";
import { Table } from "./table.js";
import { Tooltip } from "./tooltip.js";
import css from "./panel.module.css";

/** Buckets come in these strides, so that a window that is being resized does not ask at each pixel. */
const BUCKET_STRIDE = 64;
const BUCKETS_MAX = 2_000;
/** What is read beyond a zoom on each side, in shares of it: lines leave the frame. */
const BEYOND = 0.05;
/** A smoothed line has settled before it enters, if that takes no more than so many shares: the buckets are for what is in view. */
const BEYOND_SMOOTHED_MAX = 2;
/** The chart in words is made again at most so often. */
const DESCRIBE_EVERY_MS = 5_000;

export interface PanelProps {
  metric: string;
  /** A few words beside the title: units, goal, a figure. */
  hint?: string | undefined;
  series: Series;
  x: XChoice;
  smoothing: Smoothing;
  log: boolean;
  zoom: Range | null;
  /** Where each metric has its own x: the metric whose value the zoom is of; empty: the step. */
  zoomed: string;
  take?: number | undefined;
  tall?: boolean;
  onZoom: (range: Range | null, metric: string) => void;
  onLog: (metric: string) => void;
  /** Fills the window, or no longer does. */
  onOpen: (metric: string) => void;
  openRun?: ((runId: string) => void) | undefined;
}

function beyond(zoom: Range | null, smoothing: Smoothing, full: number, { kind }: Axis): Range | null {
  if (!zoom) return null;
  const span = zoom[1] - zoom[0];
  // Steps are taken to be logged one by one; of time nobody knows.
  const memory = memoryOf(smoothing, full, kind === "step" ? 1 : span / 100);
  const wide = (memory: number) => Math.max(span * BEYOND, Math.min(memory, span * BEYOND_SMOOTHED_MAX));
  const room = (memory: number) => (kind === "value" ? wide(memory) : Math.ceil(wide(memory)) + 1);
  return [zoom[0] - room(memory.before), zoom[1] + room(memory.after)];
}

/** Buckets so that the part in view has one a pixel at most. */
function bucketsFor(width: number, zoom: Range | null, bounds: Range | null): number {
  const share = zoom && bounds ? (bounds[1] - bounds[0]) / (zoom[1] - zoom[0]) : 1;
  return Math.min(BUCKETS_MAX, Math.ceil((width * share) / BUCKET_STRIDE) * BUCKET_STRIDE);
}

/** From where the first bucket begins: its middle would leave the axis without its zero. */
function wholeRange(lines: readonly PanelLine[], kind: Axis["kind"]): Range | null {
  const range = xRange(lines);
  if (range && kind === "value") return range;
  return range ? [lines.reduce((lo, { series: s }) => (s.rows > 0 ? Math.min(lo, s.index[0]! * s.width) : lo), range[0]), range[1]] : null;
}

/**
 * The axis that a panel draws: the one chosen, else what its metric's definition makes it, as the answer tells. Runs that defined it
 * differently have the step in common.
 */
function useAxis(choice: XChoice, of: string) {
  const [told, setTold] = useState<{ of: string; axis: Axis | "mixed" }>();
  const chosen = chosenAxis(choice);
  const known = told?.of === of ? told.axis : undefined;
  /** Whether an answer is of this axis; one that is of another tells of it. */
  const fits = (history: History | undefined): boolean => {
    if (chosen || !history || history.size === 0) return true;
    const axis = answeredAxis(history);
    return known === "mixed" ? axis !== "mixed" : known !== undefined && axis !== "mixed" && axis.metric === known.metric;
  };
  const tell = (history: History | undefined) => {
    if (history && !fits(history)) setTold({ of, axis: known === "mixed" ? known : answeredAxis(history) });
  };
  const axis = chosen ?? (known === undefined || known === "mixed" ? STEP : known);
  // Bounds are of an axis that is named; until the answer names it, all is asked for.
  return { axis, named: chosen !== undefined || known !== undefined, asked: chosen ?? (known === "mixed" ? STEP : undefined), fits, tell };
}

function usePanelLines(p: PanelProps, width: number, near: boolean) {
  const { axis, named, asked, fits, tell } = useAxis(p.x, `${p.metric} ${p.take ?? ""} ${p.series.ids.join(" ")}`);
  const zoom = p.zoom && named && (p.x !== "auto" || axis.metric === p.zoomed) ? p.zoom : null;
  const [extent, full] = useExtent(axis.kind, axis.metric);
  const range = full ? full[1] - full[0] : 0;
  // A live range must not ask anew with each point: a power of two stands for it.
  const scale = 2 ** Math.ceil(Math.log2(range > 0 ? range : 1));
  const { kind, metric } = axis;
  const bounds = useMemo(() => beyond(zoom, p.smoothing, scale, { kind, metric }), [zoom, p.smoothing, scale, kind, metric]);
  const asks = near && width > 0 && p.series.ids.length > 0;
  const query = asks ? historyQuery({ runIds: p.series.ids, metric: p.metric, axis: bounds ? axis : asked, buckets: bucketsFor(width, zoom, bounds), bounds, take: p.take }) : null;
  const snapshot = useHeld(useLive("history", query), `${p.metric} ${p.x} ${p.take ?? ""}`);
  const answered: History | undefined = snapshot.value?.history;
  useLayoutEffect(() => tell(answered));
  const history = fits(answered) ? answered : undefined;
  const { series: palette } = usePalette();
  const lines = useMemo(
    () => (history ? linesOf(history, p.series.runs, { metric: p.metric, smoothing: p.smoothing, range, labelColors: p.series.single ? palette.slice(1) : undefined }) : []),
    // A range matters to smoothing alone: a live one must not make every line anew.
    [history, p.series, p.metric, p.smoothing, isSmoothing(p.smoothing) ? range : 0, palette],
  );
  const whole = useMemo(() => (zoom === null ? wholeRange(lines, kind) : null), [zoom, lines, kind]);
  const [from, to] = whole ?? [undefined, undefined];
  useEffect(() => {
    if (from !== undefined && to !== undefined) extent.report(p.metric, [from, to]);
  }, [extent, p.metric, from, to]);
  const left = useMemo(() => (history ? withoutX(history) : 0), [history]);
  return { lines, full: full ?? whole, history, axis, zoom, left, error: snapshot.error, waiting: asks && snapshot.value === undefined };
}

/** The chart worker's canvases, while the panel is near what is in view. */
function useScene(host: React.RefObject<HTMLDivElement | null>, near: boolean, shown: { scene: Scene; frame: Frame } | undefined, history: History | undefined) {
  const panel = useRef<number | undefined>(undefined);
  const drawn = useRef<History | undefined>(undefined);
  useLayoutEffect(() => {
    if (!near || !host.current) return;
    const attached = engine.attach(host.current);
    panel.current = attached.panel;
    return () => {
      panel.current = undefined;
      attached.detach();
    };
  }, [host, near]);
  useLayoutEffect(() => {
    if (panel.current === undefined || !shown) return;
    engine.draw(panel.current, shown.scene, drawn.current !== undefined && drawn.current !== history ? "data" : "hand");
    drawn.current = history;
  }, [shown, history, near]);
}

/** The chart in a sentence, made anew now and then rather than with each point. */
function useWords(metric: string, lines: readonly PanelLine[], x: Axis): string {
  const [words, setWords] = useState(metric);
  const latest = useRef({ metric, lines, x });
  latest.current = { metric, lines, x };
  const some = lines.length > 0;
  useEffect(() => {
    const make = () => {
      const now = latest.current;
      setWords(describe(now.metric, now.lines, numberText, (at) => placeText(now.x.kind, at, 1, now.x.metric)));
    };
    make();
    const timer = setInterval(make, DESCRIBE_EVERY_MS);
    return () => clearInterval(timer);
  }, [metric, some, x.kind, x.metric]);
  return words;
}

/** Whether the panel shows its figures as a table; leaving it leads back to the button that opened it. */
function useTabled() {
  const [tabled, setTabled] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const toggle = useCallback(() => setTabled((t) => !t), []);
  const back = useCallback(() => {
    setTabled(false);
    button.current?.focus();
  }, []);
  return { tabled, button, toggle, back };
}

export const Panel = memo(function Panel(p: PanelProps) {
  const [measure, box] = useBox<HTMLDivElement>();
  const host = useRef<HTMLDivElement>(null);
  const { lines, full, history, axis, zoom, left, error, waiting } = usePanelLines(p, box.width, box.near);
  const xName = axis.kind === "value" ? axis.metric : undefined;
  const { chart } = usePalette();
  const shown = useMemo(() => {
    if (box.width === 0) return undefined;
    const view = viewOf(lines, { xKind: axis.kind, xName, log: p.log, zoom: zoom ?? full, height: box.height });
    if (!view) return undefined;
    const scene: Scene = { width: box.width, height: box.height, scale: devicePixelRatio, gutter: gutterOf(lines, box.width), view, lines, theme: chart };
    return { scene, frame: layout(scene) };
  }, [lines, axis.kind, xName, p.log, zoom, full, box.width, box.height, chart]);
  useScene(host, box.near && box.width > 0, shown, history);
  const { tabled, button, toggle, back } = useTabled();
  const hands = useRef({ p, shown, full, xName });
  hands.current = { p, shown, full, xName };
  useEffect(() => {
    if (!host.current) return;
    return gestures(host.current, {
      shown: () => hands.current.shown,
      full: () => hands.current.full ?? undefined,
      hover: (change) => engine.setHover({ ...change, xName: hands.current.xName }),
      hovered: () => hoverOn(engine.readHover(), { xName: hands.current.xName }),
      zoom: (range) => hands.current.p.onZoom(range, hands.current.xName ?? ""),
      open: (id) => hands.current.p.openRun?.(id),
    });
  }, []);
  const words = useWords(p.metric, lines, axis);
  const points = lines.reduce((n, l) => n + l.series.rows, 0);
  return (
    <section className={css.panel} data-tall={p.tall} data-metric={p.metric}>
      <header className={css.head}>
        <h3 title={p.metric}>{p.metric}</h3>
        {p.hint && <small>{p.hint}</small>}
        {xName !== undefined && <small data-axis-name title={`x is the value of ${xName} at the same step`}>by {xName}{left > 0 && `, ${plural(left, "point")} without`}</small>}
        <span className={css.verbs}>
          <button ref={button} type="button" aria-pressed={tabled} onClick={toggle} aria-label={`table of ${p.metric}`}>table</button>
          <button type="button" aria-pressed={p.log} onClick={() => p.onLog(p.metric)} aria-label={`log axis of ${p.metric}`}>log</button>
          <button type="button" onClick={() => p.onOpen(p.metric)} aria-label={p.tall ? `close ${p.metric}` : `open ${p.metric}`}>{p.tall ? "close" : "open"}</button>
        </span>
      </header>
      <div className={css.plot} ref={measure}>
        <div ref={host} className={css.canvas} data-empty={!shown} data-covered={tabled && shown !== undefined} tabIndex={0} role="img" aria-label={words} data-points={points} />
        {shown && !tabled && <><Axes frame={shown.frame} /><Ends scene={shown.scene} frame={shown.frame} /></>}
        {shown && tabled && <Table metric={p.metric} lines={lines} view={shown.scene.view} onBack={back} />}
        {error && !shown ? <p className={css.note} role="alert">{error.message}</p> : null}
        {!shown && !error && !waiting && <p className={css.note}>{p.series.ids.length === 0 ? (p.series.single ? "" : "every run is hidden") : history ? (zoom ? "no point in this range" : left > 0 ? `no point has a value of ${axis.metric}` : "no point yet") : ""}</p>}
        <Tooltip host={host} shown={shown} lines={lines} />
      </div>
    </section>
  );
});
