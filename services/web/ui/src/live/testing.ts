//! For tests: answers as the server makes them, and a server at the other end of a pretended WebSocket.
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { BucketColumnsSchema, RunSchema } from "../gen/corral/v1/query_pb.js";
import { type Answer, AnswerSchema, type SessionRequest, SessionRequestSchema, SessionResponseSchema } from "../gen/corral/v1/session_pb.js";

const bytes = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer as ArrayBuffer);

/** Buckets of one point each (unless `more` says otherwise): value `values[i]` in bucket `at[i]`. */
export function columns(at: readonly number[], values: readonly number[], more: { width?: number; count?: number[] } = {}): MessageInitShape<typeof BucketColumnsSchema> {
  const f64 = bytes(Float64Array.from(values));
  return {
    width: BigInt(more.width ?? 1), index: bytes(BigInt64Array.from(at, BigInt)), count: bytes(Uint32Array.from(more.count ?? at.map(() => 1))),
    min: f64, max: f64, mean: f64, last: f64, nanCount: bytes(Uint32Array.from(values, (v) => Number(Number.isNaN(v)))), firstNonFinite: bytes(Float64Array.from(values, (v) => (Number.isFinite(v) ? 0 : v))),
  };
}

export interface SeriesInit {
  ref: number;
  /** Names the series; absent in later deltas. */
  run?: string;
  at: readonly number[];
  values: readonly number[];
  width?: number;
}

export type Body = NonNullable<MessageInitShape<typeof AnswerSchema>["body"]>;

export function answer(subscription: number, whole: boolean, offset: bigint, body: Body, meta: object = {}): Answer {
  const value = { ...(body.value as object), meta: { position: [{ partition: 0, offset }], completeThroughUs: offset * 1000n, ...meta } };
  return create(AnswerSchema, { subscription, whole, body: { case: body.case, value } as never });
}

export function historyBody(series: readonly SeriesInit[]): Body {
  const wire = series.map(({ ref, run, at, values, width }) => ({
    ref, rows: at.length, ...(run === undefined ? {} : { runId: run, metric: "loss", take: 1 }),
    columns: { case: "buckets" as const, value: columns(at, values, width === undefined ? {} : { width }) },
  }));
  return { case: "history", value: { series: wire } };
}

export const runsBody = (runs: readonly MessageInitShape<typeof RunSchema>[], total = runs.length): Body => ({ case: "runs", value: { runs: [...runs], total: BigInt(total) } });

type Frame = NonNullable<MessageInitShape<typeof SessionResponseSchema>["frame"]>;

/** A WebSocket whose other end is the test. */
export class FakeSocket {
  static all: FakeSocket[] = [];
  static get last(): FakeSocket {
    return FakeSocket.all[FakeSocket.all.length - 1]!;
  }
  binaryType = "";
  closed = false;
  heard: SessionRequest["frame"][] = [];
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: ArrayBuffer }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }
  send(data: Uint8Array): void {
    this.heard.push(fromBinary(SessionRequestSchema, data).frame);
  }
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onclose?.();
  }
  /** The server accepts and greets. */
  greet(nowUs = 0n, markMs = 0n): void {
    this.onopen?.();
    this.says({ case: "ready", value: { protocolVersion: 1, actor: "ada", organizationName: "home", nowUs, markMs } });
  }
  /** Nothing new, but the server lives. */
  marks(): void {
    this.says({ case: "mark", value: {} });
  }
  says(frame: Frame): void {
    this.raw(toBinary(SessionResponseSchema, create(SessionResponseSchema, { frame })));
  }
  answers(a: Answer): void {
    this.says({ case: "answer", value: a });
  }
  raw(data: Uint8Array): void {
    this.onmessage?.({ data: data.slice().buffer as ArrayBuffer });
  }
  get subscriptions(): number[] {
    return this.heard.flatMap((f) => (f.case === "subscribe" ? [f.value.subscription] : []));
  }
}
