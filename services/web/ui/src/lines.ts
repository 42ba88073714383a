//! From the buckets of a panel's series to the lines that its chart draws: places on x, smoothing, bands, what is not finite.
import { DASHES } from "./color.js";
import type { History, SeriesBuckets } from "./live/history.js";
import type { Line } from "./plot/scene.js";
import { isSmoothing, smooth, type Smoothing } from "./smooth.js";

export interface LineRun {
  id: string;
  name: string;
  color: string;
  /** Told apart from runs of the same colour; none: solid. */
  dash?: readonly number[] | undefined;
  live: boolean;
}

export interface LineOptions {
  metric: string;
  smoothing: Smoothing;
  /** Range of x of the whole data, by which smoothing measures distance. */
  range: number;
  /** Labels have colours of their own (a page of one run). */
  labelColors?: readonly string[] | undefined;
}

/** A line, and the buckets that it was made of. */
export interface PanelLine extends Line {
  series: SeriesBuckets;
}

interface Made {
  x: Float64Array;
  marks: { x: number; value: number }[];
  /** The newest smoothing, under what it was made with. */
  smoothed: { key: string; y: Float64Array } | undefined;
}

/** Buckets never change in place, so what was made of them is good as long as they live; a chart compares columns by identity. */
const made = new WeakMap<SeriesBuckets, Made>();

/** A bucket's place: its middle, exact where a bucket is one unit wide; of values the highest, which is one that was logged. */
function places({ rows, index, width, xMetric, x: values }: SeriesBuckets): Float64Array {
  if (xMetric !== "") return values;
  const x = new Float64Array(rows);
  for (let i = 0; i < rows; i++) x[i] = index[i]! * width + (width - 1) / 2;
  return x;
}

function nonFinite(s: SeriesBuckets, x: Float64Array): { x: number; value: number }[] {
  const marks: { x: number; value: number }[] = [];
  for (let i = 0; i < s.rows; i++) {
    if (s.nanCount[i]! > 0 && !Number.isNaN(s.firstNonFinite[i]!)) marks.push({ x: x[i]!, value: Number.NaN });
    if (!Number.isFinite(s.firstNonFinite[i]!)) marks.push({ x: x[i]!, value: s.firstNonFinite[i]! });
  }
  return marks;
}

function madeOf(series: SeriesBuckets): Made {
  let m = made.get(series);
  if (!m) {
    const x = places(series);
    m = { x, marks: nonFinite(series, x), smoothed: undefined };
    made.set(series, m);
  }
  return m;
}

/** The formulas are of points; a bucket enters them as its mean, as many times as it has values. */
function smoothed(series: SeriesBuckets, m: Made, o: LineOptions): Float64Array {
  const key = `${o.smoothing.kind} ${o.smoothing.amount} ${o.range}`;
  if (m.smoothed?.key !== key) {
    const values = series.count.map((n, i) => n - series.nanCount[i]!);
    m.smoothed = { key, y: smooth(m.x, series.mean, o.smoothing, o.range, values) };
  }
  return m.smoothed.y;
}

const [SOLID] = DASHES;

/** Colour and dashes. */
type Pen = Pick<LineRun, "color" | "dash">;

function lineOf(series: SeriesBuckets, run: LineRun, pen: Pen, labels: number, o: LineOptions): PanelLine {
  const m = madeOf(series);
  const smooths = isSmoothing(o.smoothing);
  const banded = series.xMetric === "" ? series.width > 1 : series.count.some((n) => n > 1);
  return {
    id: run.id,
    name: labels > 1 || series.label !== "" ? `${run.name} ${series.label}`.trim() : run.name,
    color: pen.color,
    x: m.x,
    y: smooths ? smoothed(series, m, o) : series.last,
    raw: smooths ? series.last : undefined,
    lo: banded ? series.min : undefined,
    hi: banded ? series.max : undefined,
    live: run.live,
    dash: pen.dash ?? SOLID!,
    nonFinite: m.marks,
    series,
  };
}

/** The lines of one metric, in the order of the runs. */
export function linesOf(history: History, runs: readonly LineRun[], o: LineOptions): PanelLine[] {
  const byRun = new Map<string, SeriesBuckets[]>();
  for (const s of history.values()) {
    if (s.metric !== o.metric) continue;
    const list = byRun.get(s.runId);
    if (list) list.push(s);
    else byRun.set(s.runId, [s]);
  }
  return runs.flatMap((run) => {
    const list = (byRun.get(run.id) ?? []).sort((a, b) => (a.label < b.label ? -1 : 1));
    const { labelColors: colors = [] } = o;
    const penOf = (k: number): Pen => (list.length > 1 && colors.length > 0 ? { color: colors[k % colors.length]!, dash: DASHES[Math.floor(k / colors.length) % DASHES.length] } : { color: run.color, dash: run.dash });
    return list.map((series, k) => lineOf(series, run, penOf(k), list.length, o));
  });
}
