//! From pixels to paint: draws a scene on any 2D context, in the worker or (where there is none) on the page itself.
import { footed, type Frame, type Maps, mapsOf, toX, toY } from "./layout.js";
import { pick, reachOf } from "./pick.js";
import type { Hover, Line, Scene } from "./scene.js";
import { spikes } from "./spikes.js";

export type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

const LINE = 1.4;
const LINE_BOLD = 2.2;
const RAW_ALPHA = 0.22;
const BAND_ALPHA = 0.16;
const FADED_ALPHA = 0.28;

const SELECT_ALPHA = 0.1;
const LONE_RADIUS = 1.8;

const drawable = (v: number, log: boolean) => Number.isFinite(v) && (!log || v > 0);

/** A line with its gaps; a point between two gaps is a dot, or it would not be seen at all. */
function trace(g: Context, m: Maps, x: Float64Array, y: Float64Array): void {
  const alone: number[] = [];
  const seen = (i: number) => i >= 0 && i < x.length && drawable(y[i]!, m.log);
  g.beginPath();
  let pen = false;
  for (let i = 0; i < x.length; i++) {
    if (!seen(i)) {
      pen = false;
      continue;
    }
    const px = toX(m, x[i]!);
    const py = toY(m, y[i]!);
    if (pen) g.lineTo(px, py);
    else if (seen(i + 1)) g.moveTo(px, py);
    else alone.push(px, py);
    pen = true;
  }
  g.stroke();
  for (let k = 0; k < alone.length; k += 2) dot(g, alone[k]!, alone[k + 1]!, LONE_RADIUS);
}

function dot(g: Context, px: number, py: number, radius: number): void {
  g.beginPath();
  g.arc(px, py, radius, 0, 7);
  g.fill();
}

function band(g: Context, m: Maps, line: Line): void {
  const { x, lo, hi } = line;
  if (!lo || !hi) return;
  let from = 0;
  while (from < x.length) {
    if (!drawable(hi[from]!, m.log) || !Number.isFinite(lo[from]!)) {
      from++;
      continue;
    }
    let to = from;
    while (to + 1 < x.length && drawable(hi[to + 1]!, m.log) && Number.isFinite(lo[to + 1]!)) to++;
    g.beginPath();
    for (let i = from; i <= to; i++) g.lineTo(toX(m, x[i]!), toY(m, footed(m, lo[i]!)));
    for (let i = to; i >= from; i--) g.lineTo(toX(m, x[i]!), toY(m, hi[i]!));
    g.closePath();
    g.fill();
    from = to + 1;
  }
}

/** What no axis has: a triangle at the edge that it left through, a cross at the foot for "not a number". */
function edgeMarks(g: Context, m: Maps, frame: Frame, line: Line): void {
  for (const { x, value } of line.nonFinite) {
    const px = toX(m, x);
    if (px < frame.left || px > frame.left + frame.width) continue;
    const top = frame.top + 1;
    const foot = frame.top + frame.height - 1;
    g.beginPath();
    if (Number.isNaN(value)) {
      g.moveTo(px - 3, foot - 6);
      g.lineTo(px + 3, foot);
      g.moveTo(px + 3, foot - 6);
      g.lineTo(px - 3, foot);
      g.stroke();
    } else {
      const [tip, base] = value > 0 ? [top, top + 6] : [foot, foot - 6];
      g.moveTo(px, tip);
      g.lineTo(px - 3.5, base);
      g.lineTo(px + 3.5, base);
      g.closePath();
      g.fill();
    }
  }
}

function spikeStrokes(g: Context, m: Maps, line: Line): void {
  const found = spikes(m, line);
  if (found.length === 0) return;
  g.beginPath();
  for (const { px, from, to } of found) {
    g.moveTo(px, from);
    g.lineTo(px, to);
  }
  g.stroke();
}

function drawLine(g: Context, m: Maps, frame: Frame, line: Line, bold: boolean, alpha: number): void {
  g.strokeStyle = line.color;
  g.fillStyle = line.color;
  if (!line.raw) {
    g.globalAlpha = BAND_ALPHA * alpha;
    band(g, m, line);
  } else {
    g.globalAlpha = RAW_ALPHA * alpha;
    g.lineWidth = 1;
    trace(g, m, line.x, line.raw);
  }
  g.globalAlpha = alpha * (line.raw ? 0.5 : 1);
  g.lineWidth = LINE;
  spikeStrokes(g, m, line);
  g.globalAlpha = alpha;
  g.lineWidth = bold ? LINE_BOLD : LINE;
  g.setLineDash(line.dash as number[]);
  trace(g, m, line.x, line.y);
  g.setLineDash([]);
  g.lineWidth = 1.4;
  edgeMarks(g, m, frame, line);
}

function liveEnd(g: Context, m: Maps, frame: Frame, line: Line, alpha: number): void {
  let i = line.x.length - 1;
  while (i >= 0 && !drawable(line.y[i]!, m.log)) i--;
  if (i < 0) return;
  const px = toX(m, line.x[i]!);
  const py = toY(m, line.y[i]!);
  if (px < frame.left || px > frame.left + frame.width + 2 || py < frame.top - 2 || py > frame.top + frame.height + 2) return;
  g.fillStyle = line.color;
  g.globalAlpha = 0.25 * alpha;
  dot(g, px, py, 6);
  g.globalAlpha = alpha;
  dot(g, px, py, 2.6);
}

function clear(g: Context, scene: Scene): void {
  g.setTransform(scene.scale, 0, 0, scene.scale, 0, 0);
  g.clearRect(0, 0, scene.width, scene.height);
  g.globalAlpha = 1;
  g.lineJoin = "round";
  g.lineCap = "round";
}

/** The chart itself. `highlight`: the run whose lines stand out while the others fade; null: none. */
export function drawScene(g: Context, scene: Scene, frame: Frame, highlight: string | null): void {
  clear(g, scene);
  const m = mapsOf(scene.view, frame);
  g.strokeStyle = scene.theme.grid;
  g.lineWidth = 1;
  g.beginPath();
  for (const { at } of frame.yTicks) {
    const y = Math.round(at) + 0.5;
    g.moveTo(frame.left, y);
    g.lineTo(frame.left + frame.width, y);
  }
  g.stroke();
  g.save();
  g.beginPath();
  g.rect(frame.left - 1, frame.top - 3, frame.width + 3, frame.height + 6);
  g.clip();
  const some = highlight !== null && scene.lines.some((l) => l.id === highlight);
  const order = some ? [...scene.lines].sort((a, b) => Number(a.id === highlight) - Number(b.id === highlight)) : scene.lines;
  for (const line of order) drawLine(g, m, frame, line, some && line.id === highlight, some && line.id !== highlight ? FADED_ALPHA : 1);
  g.restore();
  for (const line of order) if (line.live) liveEnd(g, m, frame, line, some && line.id !== highlight ? FADED_ALPHA : 1);
}

function selection(g: Context, m: Maps, scene: Scene, frame: Frame, [from, to]: readonly [number, number]): void {
  const right = frame.left + frame.width;
  const a = Math.min(Math.max(toX(m, from), frame.left), right);
  const b = Math.min(Math.max(toX(m, to), frame.left), right);
  g.fillStyle = scene.theme.crosshair;
  g.globalAlpha = SELECT_ALPHA;
  g.fillRect(a, frame.top, b - a, frame.height);
  g.globalAlpha = 0.7;
  g.fillRect(Math.round(a), frame.top, 1, frame.height);
  g.fillRect(Math.round(b), frame.top, 1, frame.height);
  g.globalAlpha = 1;
}

/** What lies over it: the range being dragged, the crosshair and the points that it meets. */
export function drawOverlay(g: Context, scene: Scene, frame: Frame, { x, runId: highlight, select }: Hover): void {
  clear(g, scene);
  const m = mapsOf(scene.view, frame);
  if (select) selection(g, m, scene, frame, select);
  if (x === null || x < scene.view.xMin || x > scene.view.xMax) return;
  const px = Math.round(toX(m, x)) + 0.5;
  g.strokeStyle = scene.theme.crosshair;
  g.globalAlpha = 0.7;
  g.lineWidth = 1;
  g.lineCap = "butt";
  g.setLineDash([3, 3]);
  g.beginPath();
  g.moveTo(px, frame.top);
  g.lineTo(px, frame.top + frame.height);
  g.stroke();
  g.setLineDash([]);
  g.globalAlpha = 1;
  g.lineWidth = 1.2;
  g.strokeStyle = scene.theme.surface;
  const some = highlight !== null && scene.lines.some((l) => l.id === highlight);
  for (const line of scene.lines) {
    if (some && line.id !== highlight) continue;
    const i = pick(line.x, x, reachOf(line.x, 4 / m.bx));
    if (i < 0 || !drawable(line.y[i]!, m.log)) continue;
    const py = toY(m, line.y[i]!);
    if (py < frame.top - 3 || py > frame.top + frame.height + 3) continue;
    g.fillStyle = line.color;
    g.beginPath();
    g.arc(toX(m, line.x[i]!), py, 3, 0, 7);
    g.fill();
    g.stroke();
  }
}
