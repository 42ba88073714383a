//! What the page knows: one entry for each living subscription, shared by all who look at it, told at most ten times a second.
//!
//! The interface between what is live and what is shown (React or not); it only grows:
//!
//!   store.start() / stop() / wake()             the one session; wake: try again at once (the network or the person came back)
//!   store.setHidden(hidden)                     the page is out of sight: nobody is told anything until it comes back
//!   store.watch(queryKey(q), q, changed) -> end subscribe; equal queries share one subscription, which lingers 4 s after its last watcher
//!   store.read(key) -> Snapshot                 the same object until something changed; value keeps what was last known through a reconnection
//!   store.readStatus() / watchStatus(changed)   what the live pill is made of; `pillOf(status, Date.now())` of pill.ts words it
//!   store.setPaused(paused)                     keep what is shown
//!   store.nowUs()                               the server's clock
//!
//! `Value` (merge.ts) is projects, runs (list order of the last whole answer; newcomers in `arrived`), run, or history: a map from
//! `ref` to `SeriesBuckets` (history.ts), whose columns are typed arrays and are never changed in place. lines.ts makes lines of them.
import type { Answer, SessionReady, SubscriptionFailed } from "../gen/corral/v1/session_pb.js";
import { applyAnswer, type Value } from "./merge.js";
import type { Connection, Query, SessionEnvironment } from "./session.js";
import { Session } from "./session.js";

/** Redraws from data: at most one each so many milliseconds for an entry. */
export const NOTIFY_EVERY_MS = 100;
/** A subscription outlives its last watcher, so that going back and forth costs nothing. */
export const LINGER_MS = 4_000;
/** How long an answer that lies before what is shown is held back after a reconnection. */
const BEHIND_MS_MAX = 10_000;

export interface Snapshot<V extends Value = Value> {
  value: V | undefined;
  error: { reason: string; field: string; message: string } | undefined;
  /** Everything appended up to this time (microseconds) is in the value. */
  completeThroughUs: number;
  staleSinceUs: number | undefined;
}

export interface Status {
  connection: Connection;
  organization: string;
  actor: string;
  /** Of the newest answer: how far it was behind the server's clock when it came, and when that was (this clock). */
  behindMs: number | undefined;
  heardAtMs: number | undefined;
  completeThroughUs: number | undefined;
  staleSinceUs: number | undefined;
  paused: boolean;
}

interface Entry {
  id: number;
  query: Query;
  watchers: Set<() => void>;
  snapshot: Snapshot;
  shown: Snapshot;
  positions: Map<number, bigint>;
  behindSinceMs: number | undefined;
  toldAtMs: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  linger: ReturnType<typeof setTimeout> | undefined;
}

const EMPTY: Snapshot = { value: undefined, error: undefined, completeThroughUs: 0, staleSinceUs: undefined };

/** The key by which equal queries share a subscription. */
export function queryKey(query: Query): string {
  return JSON.stringify(query, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v));
}

export class LiveStore {
  private readonly session: Session;
  private readonly entries = new Map<string, Entry>();
  private readonly byId = new Map<number, Entry>();
  private readonly statusWatchers = new Set<() => void>();
  private nextId = 1;
  private clockOffsetUs = 0;
  private status: Status = { connection: "connecting", organization: "", actor: "", behindMs: undefined, heardAtMs: undefined, completeThroughUs: undefined, staleSinceUs: undefined, paused: false };

  constructor(environment: SessionEnvironment, private readonly now: () => number = Date.now) {
    this.session = new Session(environment, {
      ready: (ready) => this.onReady(ready),
      answer: (answer) => this.onAnswer(answer),
      failed: (failed) => this.onFailed(failed),
      connection: (connection) => this.setStatus({ connection }),
    });
  }

  start(): void {
    this.session.start();
  }

  stop(): void {
    this.session.stop();
  }

  wake(): void {
    this.session.wake();
  }

  /** The server's clock, in microseconds. */
  nowUs(): number {
    return this.now() * 1000 + this.clockOffsetUs;
  }

  /** Watches a query; the returned function ends it. Equal queries share one subscription. */
  watch(key: string, query: Query, changed: () => void): () => void {
    let entry = this.entries.get(key);
    if (!entry) {
      entry = { id: this.nextId++, query, watchers: new Set(), snapshot: EMPTY, shown: EMPTY, positions: new Map(), behindSinceMs: undefined, toldAtMs: 0, timer: undefined, linger: undefined };
      this.entries.set(key, entry);
      this.byId.set(entry.id, entry);
      this.session.subscribe(entry.id, query);
    }
    clearTimeout(entry.linger);
    entry.watchers.add(changed);
    const held = entry;
    return () => {
      held.watchers.delete(changed);
      if (held.watchers.size === 0) held.linger = setTimeout(() => this.drop(key, held), LINGER_MS);
    };
  }

  read(key: string): Snapshot {
    return this.entries.get(key)?.shown ?? EMPTY;
  }

  readStatus(): Status {
    return this.status;
  }

  watchStatus(changed: () => void): () => void {
    this.statusWatchers.add(changed);
    return () => this.statusWatchers.delete(changed);
  }

  /** While paused the page keeps what it shows; data is still received, so that going live again is at once. */
  setPaused(paused: boolean): void {
    this.setStatus({ paused });
    if (!paused) for (const entry of this.entries.values()) this.tell(entry);
  }

  private drop(key: string, entry: Entry): void {
    if (entry.watchers.size > 0) return;
    clearTimeout(entry.timer);
    this.entries.delete(key);
    this.byId.delete(entry.id);
    this.session.unsubscribe(entry.id);
  }

  private onReady(ready: SessionReady): void {
    this.clockOffsetUs = Number(ready.nowUs) - this.now() * 1000;
    this.setStatus({ organization: ready.organizationName, actor: ready.actor });
  }

  private onAnswer(answer: Answer): void {
    const entry = this.byId.get(answer.subscription);
    if (!entry) return;
    const meta = answer.body.value?.meta;
    if (answer.whole && this.goesBack(entry, meta?.position ?? [])) return;
    let value: Value | undefined;
    try {
      value = applyAnswer(entry.snapshot.value, answer);
    } catch (error) {
      entry.snapshot = { ...entry.snapshot, error: { reason: "ANSWER_UNREADABLE", field: "", message: String(error) } };
      return this.schedule(entry);
    }
    if (value === undefined) return;
    entry.behindSinceMs = undefined;
    for (const { partition, offset } of meta?.position ?? []) entry.positions.set(partition, offset);
    const completeThroughUs = meta ? Number(meta.completeThroughUs) : entry.snapshot.completeThroughUs;
    const staleSinceUs = meta?.staleSinceUs === undefined ? undefined : Number(meta.staleSinceUs);
    entry.snapshot = { value, error: undefined, completeThroughUs, staleSinceUs };
    const behindMs = completeThroughUs > 0 ? Math.max(0, (this.nowUs() - completeThroughUs) / 1000) : undefined;
    this.setStatus({ behindMs, heardAtMs: this.now(), completeThroughUs: Math.max(completeThroughUs, this.status.completeThroughUs ?? 0), staleSinceUs });
    this.schedule(entry);
  }

  /** True for a whole answer that lies before what is shown: after a failover the page waits rather than going back in time. */
  private goesBack(entry: Entry, position: { partition: number; offset: bigint }[]): boolean {
    const back = position.some(({ partition, offset }) => offset < (entry.positions.get(partition) ?? 0n));
    if (!back) return false;
    entry.behindSinceMs ??= this.now();
    // Beyond the bound the log itself is another (restored): what it has is the truth.
    if (this.now() - entry.behindSinceMs >= BEHIND_MS_MAX) {
      entry.positions.clear();
      return false;
    }
    setTimeout(() => {
      if (this.byId.get(entry.id) === entry && entry.behindSinceMs !== undefined) this.again(entry);
    }, BEHIND_MS_MAX / 5);
    return true;
  }

  private again(entry: Entry): void {
    this.session.unsubscribe(entry.id);
    this.byId.delete(entry.id);
    entry.id = this.nextId++;
    this.byId.set(entry.id, entry);
    this.session.subscribe(entry.id, entry.query);
  }

  private onFailed(failed: SubscriptionFailed): void {
    const entry = this.byId.get(failed.subscription);
    if (!entry) return;
    const { error } = failed;
    entry.snapshot = { ...entry.snapshot, error: { reason: error?.reason ?? `code ${failed.code}`, field: error?.field ?? "", message: failed.message } };
    this.schedule(entry);
    if (error?.retryAfterMs !== undefined) setTimeout(() => this.byId.get(entry.id) === entry && this.again(entry), Number(error.retryAfterMs));
  }

  private schedule(entry: Entry): void {
    if (entry.timer !== undefined) return;
    const wait = entry.toldAtMs + NOTIFY_EVERY_MS - this.now();
    if (wait <= 0) return this.tell(entry);
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      this.tell(entry);
    }, wait);
  }

  private tell(entry: Entry): void {
    // The first answer is shown even while paused: an empty page would not be a pause.
    if (this.status.paused && entry.shown.value !== undefined) return;
    if (entry.shown === entry.snapshot) return;
    entry.toldAtMs = this.now();
    entry.shown = entry.snapshot;
    for (const changed of entry.watchers) changed();
  }

  private setStatus(change: Partial<Status>): void {
    this.status = { ...this.status, ...change };
    for (const changed of this.statusWatchers) changed();
  }
}
