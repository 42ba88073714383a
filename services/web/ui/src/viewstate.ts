//! What the address holds of a view: smoothing, x axis, zoom, logarithmic panels, hidden runs, order, open panel. It survives copy and paste.
import type { XKind } from "./plot/scene.js";
import { SMOOTHING_KINDS, type Smoothing, type SmoothingKind } from "./smooth.js";

export interface ViewState {
  x: XKind;
  smoothing: Smoothing;
  /** Closed bounds in units of x. */
  zoom: [number, number] | null;
  /** Metrics whose panels are logarithmic; `*`: all but the named ones. */
  log: readonly string[];
  hidden: readonly string[];
  /** What the runs are sorted by: "created", "name", "state", "active", "summary:KEY" or "config:PATH"; a minus before it: descending. */
  order: string;
  /** The panel that fills the window: a metric's name. */
  open: string | null;
  /** Panels whose metric does not hold this text are left out. */
  search: string;
  perRow: number;
  /** Which life of a run is shown; null: the living one. */
  take: number | null;
}

export const DEFAULT_VIEW: ViewState = { x: "step", smoothing: { kind: "twema", amount: 0 }, zoom: null, log: [], hidden: [], order: "-created", open: null, search: "", perRow: 3, take: null };

/** Names and values that an address may hold at most: a longer one would be cut off by somebody on its way. */
const HIDDEN_COUNT_MAX = 100;

export const ALL_LOG = "*";

export function readView(search: string): ViewState {
  const q = new URLSearchParams(search);
  const x = q.get("x");
  const kind = SMOOTHING_KINDS.find((k) => k.kind === (q.get("smoother") ?? "twema")) ?? SMOOTHING_KINDS[0]!;
  const amount = Number(q.get("smoothing") ?? 0);
  const zoom = (q.get("zoom") ?? "").split("~").map(Number);
  const perRow = Number(q.get("row") ?? 3);
  const take = Number(q.get("take") ?? Number.NaN);
  return {
    x: x === "time" || x === "relative" ? x : "step",
    smoothing: { kind: kind.kind, amount: Number.isFinite(amount) ? Math.min(Math.max(amount, 0), kind.max) : 0 },
    zoom: zoom.length === 2 && zoom.every(Number.isSafeInteger) && zoom[0]! < zoom[1]! ? (zoom as [number, number]) : null,
    log: q.getAll("log"),
    hidden: q.getAll("hide").slice(0, HIDDEN_COUNT_MAX),
    order: q.get("order") ?? DEFAULT_VIEW.order,
    open: q.get("panel"),
    search: q.get("find") ?? "",
    perRow: [1, 2, 3, 4].includes(perRow) ? perRow : 3,
    take: Number.isInteger(take) && take >= 0 && take < 2 ** 32 ? take : null,
  };
}

/** Only what differs from the default is written. */
export function writeView(view: ViewState): string {
  const q = new URLSearchParams();
  if (view.x !== "step") q.set("x", view.x);
  if (view.smoothing.kind !== "twema") q.set("smoother", view.smoothing.kind);
  if (view.smoothing.amount > 0) q.set("smoothing", String(view.smoothing.amount));
  if (view.zoom) q.set("zoom", view.zoom.join("~"));
  for (const metric of view.log) q.append("log", metric);
  for (const id of view.hidden.slice(0, HIDDEN_COUNT_MAX)) q.append("hide", id);
  if (view.order !== DEFAULT_VIEW.order) q.set("order", view.order);
  if (view.open !== null) q.set("panel", view.open);
  if (view.search !== "") q.set("find", view.search);
  if (view.perRow !== 3) q.set("row", String(view.perRow));
  if (view.take !== null) q.set("take", String(view.take));
  return q.toString();
}

/** What a link to another page of the same project takes along: how one looks, not what at. */
export function carried(view: ViewState): string {
  const text = writeView({ ...DEFAULT_VIEW, x: view.x, smoothing: view.smoothing, log: view.log, perRow: view.perRow });
  return text === "" ? "" : `?${text}`;
}

export const isLog = (view: ViewState, metric: string): boolean => view.log.includes(ALL_LOG) !== view.log.includes(metric);

/** The named metric's panel, or all of them (`*`), with the other kind of axis. */
export function toggleLog(view: ViewState, metric: string): readonly string[] {
  if (metric === ALL_LOG) return view.log.includes(ALL_LOG) ? [] : [ALL_LOG];
  return view.log.includes(metric) ? view.log.filter((m) => m !== metric) : [...view.log, metric];
}

/** The smoothing with another formula, its amount within what that one takes. */
export function withKind(kind: SmoothingKind, before: Smoothing): Smoothing {
  const to = SMOOTHING_KINDS.find((k) => k.kind === kind)!;
  const from = SMOOTHING_KINDS.find((k) => k.kind === before.kind)!;
  const share = from.max > 0 ? before.amount / from.max : 0.5;
  return { kind, amount: Number((Math.round((share * to.max) / to.step) * to.step).toFixed(3)) };
}
