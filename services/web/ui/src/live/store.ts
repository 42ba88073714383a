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
//!   store.retry(key)                            ask again what was answered with an error
//!   store.nowUs()                               the server's clock
//!
//! `Value` (merge.ts) is projects, runs, run, or history: a map from
//! `ref` to `SeriesBuckets` (history.ts), whose columns are typed arrays and are never changed in place. lines.ts makes lines of them.
import type { Answer, SessionReady, SubscriptionFailed } from "../gen/corral/v1/session_pb.js";
import { applyAnswer, type Value } from "./merge.js";
import type { Connection, Query, SessionEnvironment } from "./session.js";
import { Session } from "./session.js";

/** Redraws from data: at most one each so many milliseconds for an entry. */
export const NOTIFY_EVERY_MS = 100;
/** A subscription outlives its last watcher, so that going back and forth costs nothing. */
export const LINGER_MS = 4_000;
/** How long answers that lie before what is shown are held back after a reconnection. */
export const BEHIND_MS_MAX = 10_000;

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
  /** What is shown has everything up to then. */
  completeThroughUs: number | undefined;
  /** The oldest of the stopped partitions that something shown comes from. */
  staleSinceUs: number | undefined;
  /** When the connection was lost (this clock). */
  offlineSinceMs: number | undefined;
  /** Why the server wants nothing of this session. */
  refused: string | undefined;
  paused: boolean;
}

type Timer = ReturnType<typeof setTimeout>;
type Positions = ReadonlyMap<number, bigint>;

interface Entry {
  id: number;
  query: Query;
  watchers: Set<() => void>;
  /** What the living subscription has said so far. It is not shown while it lies before what was shown. */
  said: { snapshot: Snapshot; positions: Positions };
  /** The newest that may be shown, and what is. */
  snapshot: Snapshot;
  shown: Snapshot;
  positions: Positions;
  heldBack: Timer | undefined;
  toldAtMs: number;
  timer: Timer | undefined;
  linger: Timer | undefined;
}

const EMPTY: Snapshot = { value: undefined, error: undefined, completeThroughUs: 0, staleSinceUs: undefined };
const NOWHERE: Positions = new Map();
const UNHEARD: Status = {
  connection: "connecting", organization: "", actor: "", behindMs: undefined, heardAtMs: undefined, completeThroughUs: undefined,
  staleSinceUs: undefined, offlineSinceMs: undefined, refused: undefined, paused: false,
};

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
  private hidden = false;
  private status: Status = UNHEARD;

  constructor(environment: SessionEnvironment, private readonly now: () => number = Date.now) {
    this.session = new Session(environment, {
      ready: (ready) => this.onReady(ready),
      answer: (answer) => this.onAnswer(answer),
      failed: (failed) => this.onFailed(failed),
      connection: (connection) => this.onConnection(connection),
    }, now);
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
      entry = {
        id: 0, query, watchers: new Set(), said: { snapshot: EMPTY, positions: NOWHERE }, snapshot: EMPTY, shown: EMPTY,
        positions: NOWHERE, heldBack: undefined, toldAtMs: -Infinity, timer: undefined, linger: undefined,
      };
      this.entries.set(key, entry);
      this.subscribe(entry);
    }
    clearTimeout(entry.linger);
    entry.watchers.add(changed);
    const held = entry;
    return () => {
      held.watchers.delete(changed);
      clearTimeout(held.linger);
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

  /** Nobody looks: nobody is told. */
  setHidden(hidden: boolean): void {
    this.hidden = hidden;
    if (hidden) return;
    for (const entry of this.entries.values()) this.tell(entry);
    this.setStatus({});
  }

  /** Asks again: an error ends a subscription. */
  retry(key: string): void {
    const entry = this.entries.get(key);
    if (entry) this.again(entry);
  }

  private subscribe(entry: Entry): void {
    entry.id = this.nextId++;
    this.byId.set(entry.id, entry);
    this.session.subscribe(entry.id, entry.query);
  }

  private again(entry: Entry): void {
    this.session.unsubscribe(entry.id);
    this.byId.delete(entry.id);
    this.subscribe(entry);
  }

  private drop(key: string, entry: Entry): void {
    if (entry.watchers.size > 0) return;
    clearTimeout(entry.timer);
    clearTimeout(entry.heldBack);
    this.entries.delete(key);
    this.byId.delete(entry.id);
    this.session.unsubscribe(entry.id);
    this.setStatus({ staleSinceUs: this.stalest() });
  }

  private onConnection(connection: Connection): void {
    const offlineSinceMs = connection === "offline" ? (this.status.offlineSinceMs ?? this.now()) : undefined;
    this.setStatus({ connection, offlineSinceMs });
  }

  private onReady(ready: SessionReady): void {
    this.clockOffsetUs = Number(ready.nowUs) - this.now() * 1000;
    this.setStatus({ organization: ready.organizationName, actor: ready.actor, refused: undefined });
  }

  private onAnswer(answer: Answer): void {
    const entry = this.byId.get(answer.subscription);
    if (!entry) return;
    const { said } = entry;
    let value: Value | undefined;
    try {
      value = applyAnswer(said.snapshot.value, answer);
    } catch (error) {
      // What changed does not fit what was said: the whole will. A whole that cannot be read is an error to show.
      if (!answer.whole) return this.again(entry);
      return this.show(entry, { ...entry.snapshot, error: { reason: "ANSWER_UNREADABLE", field: "", message: String(error) } });
    }
    if (value === undefined) return;
    const meta = answer.body.value?.meta;
    const completeThroughUs = meta ? Number(meta.completeThroughUs) : said.snapshot.completeThroughUs;
    const staleSinceUs = meta?.staleSinceUs === undefined ? undefined : Number(meta.staleSinceUs);
    const positions = new Map(answer.whole ? NOWHERE : said.positions);
    for (const { partition, offset } of meta?.position ?? []) positions.set(partition, offset);
    entry.said = { snapshot: { value, error: undefined, completeThroughUs, staleSinceUs }, positions };
    if (!liesBefore(positions, entry.positions)) return this.accept(entry);
    // After a failover the page waits rather than going back. Beyond the bound the log itself is another (restored): what it has is the truth.
    entry.heldBack ??= setTimeout(() => this.accept(entry), BEHIND_MS_MAX);
  }

  private accept(entry: Entry): void {
    clearTimeout(entry.heldBack);
    entry.heldBack = undefined;
    const { snapshot, positions } = entry.said;
    entry.positions = positions;
    this.show(entry, snapshot);
    const { completeThroughUs } = snapshot;
    this.setStatus({
      behindMs: completeThroughUs > 0 ? Math.max(0, (this.nowUs() - completeThroughUs) / 1000) : undefined,
      heardAtMs: this.now(),
      completeThroughUs: Math.max(completeThroughUs, this.status.completeThroughUs ?? 0),
      staleSinceUs: this.stalest(),
    });
  }

  private stalest(): number | undefined {
    const all = [...this.entries.values()].flatMap((e) => e.snapshot.staleSinceUs ?? []);
    return all.length === 0 ? undefined : Math.min(...all);
  }

  private onFailed(failed: SubscriptionFailed): void {
    const { error } = failed;
    if (failed.subscription === 0) return this.setStatus({ refused: failed.message });
    const entry = this.byId.get(failed.subscription);
    if (!entry) return;
    this.show(entry, { ...entry.snapshot, error: { reason: error?.reason ?? `code ${failed.code}`, field: error?.field ?? "", message: failed.message } });
    if (error?.retryAfterMs !== undefined) setTimeout(() => this.byId.get(failed.subscription) === entry && this.again(entry), Number(error.retryAfterMs));
  }

  private show(entry: Entry, snapshot: Snapshot): void {
    entry.snapshot = snapshot;
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
    if (this.hidden || (this.status.paused && entry.shown.value !== undefined)) return;
    if (entry.shown === entry.snapshot) return;
    entry.toldAtMs = this.now();
    entry.shown = entry.snapshot;
    for (const changed of entry.watchers) changed();
  }

  private setStatus(change: Partial<Status>): void {
    this.status = { ...this.status, ...change };
    if (this.hidden) return;
    for (const changed of this.statusWatchers) changed();
  }
}

/** Whether some partition's offset is below one that was shown. */
function liesBefore(now: Positions, before: Positions): boolean {
  for (const [partition, offset] of before) if ((now.get(partition) ?? 0n) < offset) return true;
  return false;
}
