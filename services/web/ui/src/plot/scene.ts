//! What a chart shows, in data's own units: lines, bands, marks and the view on them. No pixels, no DOM, no React.

/** `value`: that of a metric, which a view names. */
export type XKind = "step" | "time" | "relative" | "value";

export interface Line {
  /** The run; lines of one run are highlighted together. */
  id: string;
  name: string;
  color: string;
  x: Float64Array;
  /** What is drawn boldly: the last value of each bucket, smoothed or not. */
  y: Float64Array;
  /** The unsmoothed values, drawn faintly behind. */
  raw: Float64Array | undefined;
  /** The least and greatest value of each bucket. */
  lo: Float64Array | undefined;
  hi: Float64Array | undefined;
  /** Ends in a dot with a halo: more is to come. */
  live: boolean;
  dash: readonly number[];
  /** Values that no axis has, drawn at the edge. */
  nonFinite: readonly { x: number; value: number }[];
}

export interface View {
  xMin: number;
  xMax: number;
  yMin: number;
  yMax: number;
  log: boolean;
  xKind: XKind;
  /** The metric whose value is x. */
  xName?: string | undefined;
}

export interface Theme {
  grid: string;
  axis: string;
  crosshair: string;
  surface: string;
  warn: string;
}

/** What every panel shows at once. */
export interface Hover {
  /** The crosshair's place in units of x; null: none. */
  x: number | null;
  /** The run that is pointed at; null: none. */
  runId: string | null;
  /** The range of x that is being dragged; null: none. */
  select: readonly [number, number] | null;
  /** The metric whose value x is, on the panel that the hand is on; undefined: a step or a time. */
  xName?: string | undefined;
}

/** What of a hand a panel shows: a place on another axis is none on its own. */
export const hoverOn = (hover: Hover, view: Pick<View, "xName">): Hover => (hover.xName === view.xName ? hover : { ...hover, x: null, select: null });

export const NO_HOVER: Hover = { x: null, runId: null, select: null };

export interface Scene {
  width: number;
  height: number;
  scale: number;
  /** Pixels that the plot leaves free at its right, for the lines' names; 0: none. */
  gutter: number;
  view: View;
  lines: readonly Line[];
  theme: Theme;
}

const LINE_FIELDS = ["id", "color", "x", "y", "raw", "lo", "hi", "live", "dash", "nonFinite"] as const satisfies readonly (keyof Line)[];
const VIEW_FIELDS = ["xMin", "xMax", "yMin", "yMax", "log", "xKind", "xName"] as const satisfies readonly (keyof View)[];
const THEME_FIELDS = ["grid", "axis", "crosshair", "surface", "warn"] as const satisfies readonly (keyof Theme)[];

const equal = <T>(a: T, b: T, fields: readonly (keyof T)[]) => a === b || fields.every((f) => Object.is(a[f], b[f]));

/** Whether two scenes paint the same. Columns are compared by identity: they are never changed in place. */
export function sameScene(a: Scene, b: Scene): boolean {
  return (
    equal(a, b, ["width", "height", "scale", "gutter"]) && equal(a.view, b.view, VIEW_FIELDS) && equal(a.theme, b.theme, THEME_FIELDS) &&
    a.lines.length === b.lines.length && a.lines.every((line, i) => equal(line, b.lines[i]!, LINE_FIELDS))
  );
}

/** The scene with nothing but what is painted: what a line carries besides would be copied to the worker for nothing. */
export function bareScene(scene: Scene): Scene {
  const lines = scene.lines.map(({ id, name, color, x, y, raw, lo, hi, live, dash, nonFinite }) => ({ id, name, color, x, y, raw, lo, hi, live, dash, nonFinite }));
  return { ...scene, lines };
}

const pointAt = (line: Line, i: number, visit: (v: number) => void, log: boolean) => {
  const see = (v: number) => Number.isFinite(v) && (!log || v > 0) && visit(v);
  see(line.y[i]!);
  if (line.raw) see(line.raw[i]!);
  if (line.lo) see(line.lo[i]!);
  if (line.hi) see(line.hi[i]!);
};

/** The range of x of the lines; undefined when there is no point. */
export function xRange(lines: readonly Line[]): [number, number] | undefined {
  let lo = Infinity;
  let hi = -Infinity;
  for (const { x } of lines) {
    if (x.length === 0) continue;
    lo = Math.min(lo, x[0]!);
    hi = Math.max(hi, x[x.length - 1]!);
  }
  return lo <= hi ? [lo, hi] : undefined;
}

/** The range of y of what lies in [xMin, xMax]; undefined when nothing finite does. */
export function yRange(lines: readonly Line[], xMin: number, xMax: number, log: boolean): [number, number] | undefined {
  let lo = Infinity;
  let hi = -Infinity;
  for (const line of lines) {
    for (let i = 0; i < line.x.length; i++) {
      if (line.x[i]! < xMin || line.x[i]! > xMax) continue;
      pointAt(line, i, (v) => {
        if (v < lo) lo = v;
        if (v > hi) hi = v;
      }, log);
    }
  }
  return lo <= hi ? [lo, hi] : undefined;
}
