//! What the page knows: shared, at most ten times a second, never back in position, kept through losses.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Query } from "./session.js";
import { BEHIND_MS_MAX, LINGER_MS, LiveStore, queryKey } from "./store.js";
import { answer, FakeSocket, historyBody, runsBody } from "./testing.js";

const RUNS = { case: "runs", value: { project: "p" } } as Query;
const HISTORY = { case: "history", value: { runIds: ["a"], metrics: ["loss"], buckets: 300 } } as Query;
const KEY = queryKey(RUNS);
let store: LiveStore;
const told = vi.fn();

const names = (key = KEY): string[] => {
  const { value } = store.read(key);
  return value?.kind === "runs" ? value.runs.map((r) => r.name) : [];
};
const run = (id: string, name: string) => ({ id, name });
const says = (whole: boolean, offset: bigint, ...runs: { id: string; name: string }[]) =>
  FakeSocket.last.answers(answer(FakeSocket.last.subscriptions.at(-1)!, whole, offset, runsBody(runs)));

async function lose(): Promise<void> {
  FakeSocket.last.close();
  await vi.advanceTimersByTimeAsync(1_000);
  FakeSocket.last.greet();
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  FakeSocket.all = [];
  told.mockClear();
  store = new LiveStore({ url: "ws://here", sessionValue: () => "half", signedIn: async () => true, connect: (url) => new FakeSocket(url) as unknown as WebSocket });
  store.start();
  FakeSocket.last.greet(5_000_000_000n);
});
afterEach(() => {
  store.stop();
  vi.useRealTimers();
});

describe("watching", () => {
  test("equal queries share one subscription, which outlives its last watcher for a moment", async () => {
    const [a, b] = [store.watch(KEY, RUNS, told), store.watch(queryKey({ ...RUNS } as Query), RUNS, told)];
    a();
    b();
    await vi.advanceTimersByTimeAsync(LINGER_MS - 100);
    store.watch(KEY, RUNS, told)();
    expect(FakeSocket.last.subscriptions).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(LINGER_MS + 100);
    expect(FakeSocket.last.heard.at(-1)).toMatchObject({ case: "unsubscribe" });
    store.watch(KEY, RUNS, told);
    expect(FakeSocket.last.subscriptions).toHaveLength(2);
  });

  test("what changed is told at most ten times a second, and the last of it always", async () => {
    store.watch(KEY, RUNS, told);
    says(true, 1n, run("1", "start"));
    for (let i = 0; i < 100; i++) {
      says(false, BigInt(i + 2), run("1", `n${i}`));
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(200);
    expect(told.mock.calls.length).toBeGreaterThanOrEqual(10);
    expect(told.mock.calls.length).toBeLessThanOrEqual(12);
    expect(names()).toEqual(["n99"]);
  });

  test("without news nobody is told, no timer runs and nothing is sent", async () => {
    store.watch(KEY, RUNS, told);
    says(true, 1n, run("1", "a"));
    const sent = FakeSocket.last.heard.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([told.mock.calls.length, vi.getTimerCount(), FakeSocket.last.heard.length - sent]).toEqual([1, 0, 0]);
  });

  test("a snapshot is the same object until something changed", () => {
    store.watch(KEY, RUNS, told);
    says(true, 1n, run("1", "a"));
    expect(store.read(KEY)).toBe(store.read(KEY));
  });
});

describe("merging", () => {
  test("runs by id, in place", async () => {
    store.watch(KEY, RUNS, told);
    says(true, 1n, run("1", "one"), run("2", "two"));
    says(false, 2n, run("2", "TWO"));
    await vi.advanceTimersByTimeAsync(200);
    expect(names()).toEqual(["one", "TWO"]);
  });

  test("a row that comes in part keeps what it does not say", async () => {
    store.watch(KEY, RUNS, told);
    const id = FakeSocket.last.subscriptions.at(-1)!;
    const figure = (key: string, f64: number) => ({ key, value: { kind: { case: "f64" as const, value: f64 } } });
    const lr = { path: ["lr"], json: "0.1" };
    FakeSocket.last.answers(answer(id, true, 1n, runsBody([{ id: "1", name: "owl", points: 2n, config: [lr], summary: [figure("acc", 0.5), figure("loss", 1)] }, { id: "2", name: "fox" }])));
    const part = answer(id, false, 2n, runsBody([{ id: "2", name: "vixen" }, { id: "1", points: 3n, maxStep: 9n, summary: [figure("loss", 0.5), figure("new", 7)] }]));
    part.partialRuns = [1];
    FakeSocket.last.answers(part);
    await vi.advanceTimersByTimeAsync(100);
    const { value } = store.read(KEY);
    const runs = value?.kind === "runs" ? value.runs : [];
    expect(runs[0]).toMatchObject({ id: "1", name: "owl", points: 3n, maxStep: 9n, config: [lr] });
    expect(runs[0]!.summary.map((f) => [f.key, f.value?.kind.value])).toEqual([["acc", 0.5], ["loss", 0.5], ["new", 7]]);
    expect(names()).toEqual(["owl", "vixen"]);
  });

  test("a part of a row that never came whole makes the page ask for the whole", () => {
    store.watch(KEY, RUNS, told);
    says(true, 1n, run("1", "owl"));
    const before = FakeSocket.last.subscriptions.length;
    const part = answer(FakeSocket.last.subscriptions.at(-1)!, false, 2n, runsBody([{ id: "2", points: 3n }]));
    part.partialRuns = [0];
    FakeSocket.last.answers(part);
    expect(FakeSocket.last.subscriptions).toHaveLength(before + 1);
    expect(names()).toEqual(["owl"]);
  });

  test("a run's delta names what changed of its metrics and writers", async () => {
    const q = { case: "run", value: { runId: "a" } } as Query;
    store.watch(queryKey(q), q, told);
    const id = FakeSocket.last.subscriptions[0]!;
    FakeSocket.last.answers(answer(id, true, 1n, { case: "run", value: { run: { id: "a", name: "a" }, metrics: [{ name: "x", count: 1n }, { name: "y", count: 1n }], writers: [{ writerId: "w", epoch: 1, lastSeq: 3n }] } }));
    FakeSocket.last.answers(answer(id, false, 2n, { case: "run", value: { metrics: [{ name: "y", count: 2n }, { name: "z", count: 1n }], writers: [{ writerId: "w", epoch: 1, lastSeq: 4n }] } }));
    await vi.advanceTimersByTimeAsync(200);
    const { value } = store.read(queryKey(q));
    if (value?.kind !== "run") throw new Error("no run");
    expect(value.run.metrics.map((m) => [m.name, m.count])).toEqual([["x", 1n], ["y", 2n], ["z", 1n]]);
    expect(value.run.writers.map((w) => w.lastSeq)).toEqual([4n]);
    expect(value.run.run?.name).toBe("a");
  });

  test("a delta that does not fit makes the page ask for the whole, and keeps what is shown", async () => {
    const key = queryKey(HISTORY);
    store.watch(key, HISTORY, told);
    const id = FakeSocket.last.subscriptions[0]!;
    FakeSocket.last.answers(answer(id, true, 1n, historyBody([{ ref: 1, run: "a", at: [0], values: [1] }])));
    FakeSocket.last.answers(answer(id, false, 2n, historyBody([{ ref: 7, at: [0], values: [1] }])));
    expect(FakeSocket.last.subscriptions).toHaveLength(2);
    expect(store.read(key).value).toBeDefined();
    expect(store.read(key).error).toBeUndefined();
    FakeSocket.last.answers(answer(FakeSocket.last.subscriptions[1]!, true, 2n, historyBody([{ ref: 1, run: "a", at: [0, 1], values: [1, 2] }])));
    await vi.advanceTimersByTimeAsync(200);
    const { value } = store.read(key);
    expect(value?.kind === "history" && value.history.get(1)!.rows).toBe(2);
  });
});

describe("through a loss", () => {
  beforeEach(() => {
    store.watch(KEY, RUNS, told);
    says(true, 10n, run("1", "before"));
  });

  test("what is known stays shown until the whole comes again", async () => {
    FakeSocket.last.close();
    expect(names()).toEqual(["before"]);
    await vi.advanceTimersByTimeAsync(1_000);
    FakeSocket.last.greet();
    expect(names()).toEqual(["before"]);
    says(true, 11n, run("1", "after"));
    expect(names()).toEqual(["after"]);
  });

  test("the page never goes back in position: it waits until the server has caught up", async () => {
    await lose();
    const sent = FakeSocket.last.heard.length;
    says(true, 4n, run("1", "old"));
    await vi.advanceTimersByTimeAsync(500);
    expect(names()).toEqual(["before"]);
    says(false, 8n, run("1", "still old"));
    await vi.advanceTimersByTimeAsync(500);
    expect(names()).toEqual(["before"]);
    says(false, 10n, run("1", "caught up"));
    await vi.advanceTimersByTimeAsync(500);
    expect(names()).toEqual(["caught up"]);
    expect(FakeSocket.last.heard).toHaveLength(sent);
  });

  test("a log that was restored is believed after a while", async () => {
    await lose();
    says(true, 4n, run("1", "restored"));
    await vi.advanceTimersByTimeAsync(BEHIND_MS_MAX - 500);
    expect(names()).toEqual(["before"]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(names()).toEqual(["restored"]);
    says(false, 5n, run("1", "goes on"));
    await vi.advanceTimersByTimeAsync(200);
    expect(names()).toEqual(["goes on"]);
  });
});

describe("errors", () => {
  const fails = (error: object) => FakeSocket.last.says({ case: "failed", value: { subscription: FakeSocket.last.subscriptions.at(-1)!, code: 5, message: "no such run", error: { reason: "NOT_FOUND", field: "run_id", ...error } } });

  test("an error is shown beside what is known, and asked again only when somebody wants it", async () => {
    store.watch(KEY, RUNS, told);
    says(true, 1n, run("1", "a"));
    fails({});
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.read(KEY)).toMatchObject({ error: { reason: "NOT_FOUND", field: "run_id", message: "no such run" } });
    expect(names()).toEqual(["a"]);
    expect(FakeSocket.last.subscriptions).toHaveLength(1);
    store.retry(KEY);
    says(true, 2n, run("1", "b"));
    expect(store.read(KEY).error).toBeUndefined();
    expect(names()).toEqual(["b"]);
  });

  test("a server that says when is asked then", async () => {
    store.watch(KEY, RUNS, told);
    fails({ retryAfterMs: 700n });
    await vi.advanceTimersByTimeAsync(600);
    expect(FakeSocket.last.subscriptions).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeSocket.last.subscriptions).toHaveLength(2);
  });
});

describe("hidden and paused", () => {
  beforeEach(() => {
    store.watch(KEY, RUNS, told);
    says(true, 1n, run("1", "a"));
    told.mockClear();
  });

  test("hidden, nobody is told; seen again, everybody at once", async () => {
    store.setHidden(true);
    says(false, 2n, run("1", "b"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect([told.mock.calls.length, names()]).toEqual([0, ["a"]]);
    store.setHidden(false);
    expect([told.mock.calls.length, names()]).toEqual([1, ["b"]]);
  });

  test("paused, what is shown stays, and what was never shown comes", async () => {
    store.setPaused(true);
    says(false, 2n, run("1", "b"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(names()).toEqual(["a"]);
    store.watch("other", { case: "runs", value: { project: "q" } } as Query, told);
    says(true, 2n, run("9", "first"));
    expect(names("other")).toEqual(["first"]);
    store.setPaused(false);
    expect(names()).toEqual(["b"]);
  });
});

describe("status", () => {
  test("since when it is offline, though it tries again and again", async () => {
    vi.setSystemTime(2_000_000);
    FakeSocket.last.close();
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(10_000);
      FakeSocket.last.close();
    }
    expect(store.readStatus()).toMatchObject({ connection: "offline", offlineSinceMs: 2_000_000 });
    await vi.advanceTimersByTimeAsync(10_000);
    FakeSocket.last.greet();
    expect(store.readStatus()).toMatchObject({ connection: "open", offlineSinceMs: undefined });
  });

  test("how far behind an answer was, by the server's clock", () => {
    store.watch(KEY, RUNS, told);
    FakeSocket.last.answers(answer(1, true, 1n, runsBody([]), { completeThroughUs: 5_000_000_000n - 12_000_000n }));
    expect(store.readStatus()).toMatchObject({ behindMs: 12_000, heardAtMs: 1_000_000, completeThroughUs: 4_988_000_000 });
    expect(store.nowUs()).toBe(5_000_000_000);
  });

  test("the oldest of what is stopped, until it goes on", () => {
    store.watch(KEY, RUNS, told);
    store.watch("other", { case: "runs", value: { project: "q" } } as Query, told);
    FakeSocket.last.answers(answer(1, true, 1n, runsBody([]), { staleSinceUs: 7n }));
    FakeSocket.last.answers(answer(2, true, 1n, runsBody([])));
    expect(store.readStatus().staleSinceUs).toBe(7);
    FakeSocket.last.answers(answer(1, false, 2n, runsBody([])));
    expect(store.readStatus().staleSinceUs).toBeUndefined();
  });

  test("a session that is refused says why", () => {
    FakeSocket.last.says({ case: "failed", value: { subscription: 0, code: 3, message: "hello.protocol_version: is 1" } });
    expect(store.readStatus().refused).toBe("hello.protocol_version: is 1");
  });
});
