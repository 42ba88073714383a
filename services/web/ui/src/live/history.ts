//! A series' buckets as typed columns, and the merging of what changed. No React here: this runs for every frame.
import type { BucketColumns, GetHistoryResponse } from "../gen/corral/v1/query_pb.js";

/** The buckets of one (run, take, metric, label). Columns have `rows` entries, `index` rising. */
export interface SeriesBuckets {
  ref: number;
  runId: string;
  metric: string;
  label: string;
  take: number;
  rows: number;
  /** Bucket i covers [index * width, (index + 1) * width) of x. */
  width: number;
  index: Float64Array;
  count: Uint32Array;
  min: Float64Array;
  max: Float64Array;
  mean: Float64Array;
  last: Float64Array;
  nanCount: Uint32Array;
  firstNonFinite: Float64Array;
  /** Where x is a metric's value: the highest x in each bucket; else empty. */
  x: Float64Array;
  /** The metric whose value is x; empty: the step or a time. */
  xMetric: string;
  /** Points that have no x, and are not in any bucket. */
  withoutX: number;
}

export type History = ReadonlyMap<number, SeriesBuckets>;

/** A series' columns, without what names it. */
type Columns = Omit<SeriesBuckets, "ref" | "runId" | "metric" | "label" | "take" | "xMetric" | "withoutX">;

/** The server's columns are little-endian, as is every machine that runs a browser; the copy aligns them. */
const aligned = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer as ArrayBuffer;

function int64s(bytes: Uint8Array): Float64Array {
  const wide = new BigInt64Array(aligned(bytes));
  const out = new Float64Array(wide.length);
  for (let i = 0; i < wide.length; i++) out[i] = Number(wide[i]);
  return out;
}

function checked<T extends { length: number }>(name: string, column: T, rows: number): T {
  if (column.length !== rows) throw new Error(`history: column ${name} has ${column.length} entries of ${rows}`);
  return column;
}

function decodeColumns(rows: number, c: BucketColumns): Columns {
  return {
    rows,
    width: c.xWidth > 0 ? c.xWidth : Number(c.width),
    index: checked("index", int64s(c.index), rows),
    count: checked("count", new Uint32Array(aligned(c.count)), rows),
    min: checked("min", new Float64Array(aligned(c.min)), rows),
    max: checked("max", new Float64Array(aligned(c.max)), rows),
    mean: checked("mean", new Float64Array(aligned(c.mean)), rows),
    last: checked("last", new Float64Array(aligned(c.last)), rows),
    nanCount: checked("nan_count", new Uint32Array(aligned(c.nanCount)), rows),
    firstNonFinite: checked("first_non_finite", new Float64Array(aligned(c.firstNonFinite)), rows),
    x: checked("x", new Float64Array(aligned(c.x)), c.xWidth > 0 ? rows : 0),
  };
}

const COLUMNS = ["index", "count", "min", "max", "mean", "last", "nanCount", "firstNonFinite", "x"] as const;

/** `to`'s buckets with those of `from` put over or between them: the bucket of an equal index is replaced. */
export function mergeBuckets(to: Columns, from: Columns): Columns {
  if (to.rows === 0) return from;
  if (from.rows === 0) return to;
  if (to.width !== from.width) throw new Error(`history: buckets of width ${from.width} do not fit those of ${to.width}`);
  const picks: number[] = [];
  let a = 0;
  let b = 0;
  while (a < to.rows || b < from.rows) {
    const ia = a < to.rows ? to.index[a]! : Infinity;
    const ib = b < from.rows ? from.index[b]! : Infinity;
    if (ib <= ia) {
      // Below zero: row -1-b of `from`.
      picks.push(-1 - b);
      b++;
      if (ia === ib) a++;
    } else {
      picks.push(a);
      a++;
    }
  }
  const merged: Record<string, unknown> = { rows: picks.length, width: to.width };
  for (const name of COLUMNS) {
    const source = to[name];
    const over = from[name];
    const rows = source.length === 0 ? 0 : picks.length;
    const out = source instanceof Uint32Array ? new Uint32Array(rows) : new Float64Array(rows);
    for (let i = 0; i < rows; i++) {
      const pick = picks[i]!;
      out[i] = pick >= 0 ? source[pick]! : over[-1 - pick]!;
    }
    merged[name] = out;
  }
  return merged as unknown as Columns;
}

/**
 * The history after an answer: the whole of it, or what changed put over what was there. A series that did not change stays the
 * same object. Throws where an answer does not fit: then what is shown must be asked for again.
 */
export function applyHistory(before: History | undefined, answer: GetHistoryResponse, whole: boolean): History {
  const after = new Map(whole ? undefined : before);
  for (const wire of answer.series) {
    if (wire.columns.case !== "buckets") throw new Error(`history: series ${wire.ref} has no buckets`);
    const columns = decodeColumns(wire.rows, wire.columns.value);
    const known = after.get(wire.ref);
    const named = wire.runId !== "";
    if (!named && !known) throw new Error(`history: series ${wire.ref} was never named`);
    if (named && known && known.runId !== wire.runId) throw new Error(`history: series ${wire.ref} is of another run`);
    const name = known ?? { ref: wire.ref, runId: wire.runId, metric: wire.metric, label: wire.label, take: wire.take, xMetric: wire.xMetric };
    after.set(wire.ref, { ...name, ...(known ? mergeBuckets(known, columns) : columns), withoutX: Number(wire.withoutX) });
  }
  return after;
}

/** Points that the buckets stand for. */
export function pointsOf(history: History): number {
  let n = 0;
  for (const s of history.values()) for (let i = 0; i < s.rows; i++) n += s.count[i]!;
  return n;
}
