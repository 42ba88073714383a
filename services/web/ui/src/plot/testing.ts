//! For tests: lines of plain numbers, a scene around them, and a context that writes down what it is told to paint.
import type { PanelLine } from "../lines.js";
import type { SeriesBuckets } from "../live/history.js";
import type { Context } from "./raster.js";
import type { Scene, View } from "./scene.js";

export const THEME = { grid: "grid", axis: "axis", crosshair: "cross", surface: "surface", warn: "warn" };

/** A line of points (width 1), or of buckets when `more` says so. */
export function line(id: string, y: readonly number[], more: Partial<PanelLine> & { width?: number; min?: number[]; max?: number[] } = {}): PanelLine {
  const rows = y.length;
  const { width = 1, min, max, ...rest } = more;
  const f = (v: readonly number[]) => Float64Array.from(v);
  const series: SeriesBuckets = {
    ref: 1, runId: id, metric: "loss", label: "", take: 1, rows, width, index: Float64Array.from({ length: rows }, (_, i) => i),
    count: new Uint32Array(rows).fill(width), min: f(min ?? y), max: f(max ?? y), mean: f(y), last: f(y),
    nanCount: Uint32Array.from(y, (v) => (Number.isNaN(v) ? width : 0)), firstNonFinite: Float64Array.from(y, (v) => (Number.isFinite(v) ? 0 : v)), x: new Float64Array(0), xMetric: "", withoutX: 0,
  };
  const x = Float64Array.from({ length: rows }, (_, i) => i * width + (width - 1) / 2);
  return {
    id, name: id, color: `#${id}`, x, y: series.last, raw: undefined, lo: min ? series.min : undefined, hi: max ? series.max : undefined,
    live: false, dash: [], nonFinite: [...x].flatMap((at, i) => (Number.isFinite(y[i]!) ? [] : [{ x: at, value: y[i]! }])), series, ...rest,
  };
}

export function scene(lines: Scene["lines"], view: Partial<View> = {}): Scene {
  return { width: 440, height: 240, scale: 2, gutter: 0, lines, theme: THEME, view: { xMin: 0, xMax: 99, yMin: 0, yMax: 1, log: false, xKind: "step", ...view } };
}

export interface Stroke {
  op: "stroke" | "fill" | "rect" | "clear";
  style: string;
  alpha: number;
  width: number;
  path: [number, number][];
  dash: readonly number[];
}

/** Stands in for a canvas and its context. */
export class Recorder extends EventTarget {
  width = 0;
  height = 0;
  strokes: Stroke[] = [];
  private path: [number, number][] = [];
  private dash: readonly number[] = [];
  strokeStyle = "";
  fillStyle = "";
  globalAlpha = 1;
  lineWidth = 1;
  lineJoin = "";
  lineCap = "";
  readonly canvas = this;

  getContext(): Context {
    return this as unknown as Context;
  }
  private note(op: Stroke["op"], style: string, path = this.path): void {
    this.strokes.push({ op, style, alpha: this.globalAlpha, width: this.lineWidth, path: [...path], dash: this.dash });
  }
  beginPath = () => void (this.path = []);
  moveTo = (x: number, y: number) => void this.path.push([x, y]);
  lineTo = (x: number, y: number) => void this.path.push([x, y]);
  arc = (x: number, y: number) => void this.path.push([x, y]);
  rect = () => undefined;
  closePath = () => undefined;
  clip = () => undefined;
  save = () => undefined;
  restore = () => undefined;
  setTransform = () => undefined;
  setLineDash = (dash: readonly number[]) => void (this.dash = dash);
  clearRect = () => {
    this.strokes = [];
    this.note("clear", "", []);
  };
  fillRect = (x: number, y: number, w: number, h: number) => this.note("rect", this.fillStyle, [[x, y], [x + w, y + h]]);
  stroke = () => this.note("stroke", this.strokeStyle);
  fill = () => this.note("fill", this.fillStyle);

  of(style: string): Stroke[] {
    return this.strokes.filter((s) => s.style === style);
  }
}
