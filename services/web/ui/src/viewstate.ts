//! What the address holds of a view: smoothing, x axis, zoom, logarithmic panels, chosen runs, order, open panel. It survives copy and paste.
import { SMOOTHING_KINDS, type Smoothing, type SmoothingKind } from "./smooth.js";
import { chosenAxis, readChoice, type XChoice } from "./xaxis.js";

export interface ViewState {
  x: XChoice;
  smoothing: Smoothing;
  /** Closed bounds in units of x. */
  zoom: [number, number] | null;
  /** Where each metric has its own x: the metric whose value the zoom is of; empty: the step. */
  zoomed: string;
  /** Metrics whose panels are logarithmic; `*`: all but the named ones. */
  log: readonly string[];
  drawn: Drawn;
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

/** Runs whose lines are drawn: all but these, or only these. */
export interface Drawn {
  all: boolean;
  ids: readonly string[];
}

export const DRAW_ALL: Drawn = { all: true, ids: [] };

export const DEFAULT_VIEW: ViewState = { x: "auto", smoothing: { kind: "twema", amount: 0 }, zoom: null, zoomed: "", log: [], drawn: DRAW_ALL, order: "-created", open: null, search: "", perRow: 3, take: null };

/** Names and values that an address may hold at most: a longer one would be cut off by somebody on its way. */
const IDS_COUNT_MAX = 100;

export const ALL_LOG = "*";

export function readView(search: string): ViewState {
  const q = new URLSearchParams(search);
  const x = readChoice(q.get("x"));
  const zoomed = x === "auto" ? (q.get("zoomed") ?? "") : "";
  // Steps and times are whole.
  const bound = zoomed !== "" || chosenAxis(x)?.kind === "value" ? Number.isFinite : Number.isSafeInteger;
  const kind = SMOOTHING_KINDS.find((k) => k.kind === (q.get("smoother") ?? "twema")) ?? SMOOTHING_KINDS[0]!;
  const amount = Number(q.get("smoothing") ?? 0);
  const zoom = (q.get("zoom") ?? "").split("~").map(Number);
  const perRow = Number(q.get("row") ?? 3);
  const take = Number(q.get("take") ?? Number.NaN);
  return {
    x,
    smoothing: { kind: kind.kind, amount: Number.isFinite(amount) ? Math.min(Math.max(amount, 0), kind.max) : 0 },
    zoom: zoom.length === 2 && zoom.every((at) => bound(at)) && zoom[0]! < zoom[1]! ? (zoom as [number, number]) : null,
    zoomed,
    log: q.getAll("log"),
    drawn: q.has("only") ? { all: false, ids: q.getAll("only").filter((id) => id !== "") } : { all: true, ids: q.getAll("hide") },
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
  if (view.x !== "auto") q.set("x", view.x);
  if (view.smoothing.kind !== "twema") q.set("smoother", view.smoothing.kind);
  if (view.smoothing.amount > 0) q.set("smoothing", String(view.smoothing.amount));
  if (view.zoom) q.set("zoom", view.zoom.join("~"));
  if (view.zoom && view.zoomed !== "") q.set("zoomed", view.zoomed);
  for (const metric of view.log) q.append("log", metric);
  for (const id of view.drawn.ids.slice(0, IDS_COUNT_MAX)) q.append(view.drawn.all ? "hide" : "only", id);
  if (!view.drawn.all && view.drawn.ids.length === 0) q.set("only", "");
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

export const isDrawn = ({ all, ids }: Drawn, id: string): boolean => ids.includes(id) !== all;

/** The run drawn, or no longer. */
export function toggleDrawn(drawn: Drawn, id: string): Drawn {
  const { all, ids } = drawn;
  return { all, ids: ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id] };
}

/** This run alone; all of them again where it was alone already. */
export const drawAlone = ({ all, ids }: Drawn, id: string): Drawn => (!all && ids.length === 1 && ids[0] === id ? DRAW_ALL : { all: false, ids: [id] });

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
