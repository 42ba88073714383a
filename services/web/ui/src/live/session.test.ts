//! The session: hello first, subscriptions again after every loss, patience between attempts, and no request while idle.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Connection, GREETING_MS_MAX, MARKS_MISSED_MAX, reconnectDelay, Session } from "./session.js";
import { answer, FakeSocket, runsBody } from "./testing.js";

let connections: Connection[];
let answers: number;
let value: string | null;
let signedIn: boolean;
let session: Session;
const query = { case: "runs", value: { project: "p" } } as never;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  FakeSocket.all = [];
  [connections, answers, value, signedIn] = [[], 0, "half", true];
  session = new Session(
    { url: "ws://here/session", sessionValue: () => value, signedIn: async () => signedIn, connect: (url) => new FakeSocket(url) as unknown as WebSocket },
    { ready: () => undefined, answer: () => answers++, failed: () => undefined, connection: (c) => connections.push(c) },
  );
});
afterEach(() => {
  session.stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("opening", () => {
  test("says hello with the browser's half, and asks only when greeted", () => {
    session.subscribe(1, query);
    session.start();
    FakeSocket.last.onopen?.();
    expect(FakeSocket.last.heard).toMatchObject([{ case: "hello", value: { protocolVersion: 1, sessionValue: "half" } }]);
    FakeSocket.last.greet();
    expect(FakeSocket.last.subscriptions).toEqual([1]);
    expect(connections).toEqual(["connecting", "open"]);
  });

  test("without a sign-in it does not connect", () => {
    value = null;
    session.start();
    expect([connections, FakeSocket.all]).toEqual([["signed-out"], []]);
  });

  test("a connection that is refused for the sign-in's sake ends there", async () => {
    signedIn = false;
    session.start();
    FakeSocket.last.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connections.at(-1)).toBe("signed-out");
    expect(FakeSocket.all).toHaveLength(1);
  });
});

describe("after a loss", () => {
  test("all living subscriptions are asked again, ended ones are not", async () => {
    session.start();
    FakeSocket.last.greet();
    for (const id of [1, 2, 3]) session.subscribe(id, query);
    session.unsubscribe(2);
    FakeSocket.last.close();
    expect(connections.at(-1)).toBe("offline");
    await vi.advanceTimersByTimeAsync(1_000);
    FakeSocket.last.greet();
    expect(FakeSocket.all).toHaveLength(2);
    expect(FakeSocket.last.subscriptions).toEqual([1, 3]);
    expect(connections).toEqual(["connecting", "open", "offline", "offline", "open"]);
  });

  test("waits longer each time, at most ten seconds, never at the same moment as all others", async () => {
    expect([0, 1, 2, 5, 40].map((n) => reconnectDelay(n, 1))).toEqual([250, 500, 1_000, 8_000, 10_000]);
    expect(reconnectDelay(3, 0)).toBe(1_000);
    session.start();
    for (let i = 0; i < 200; i++) {
      FakeSocket.last.close();
      await vi.advanceTimersByTimeAsync(1_000);
    }
    // 200 s at 7.5 s each, and the first quick ones.
    expect(FakeSocket.all.length).toBeGreaterThan(20);
    expect(FakeSocket.all.length).toBeLessThan(36);
  });

  test("a server that goes says when to come back", async () => {
    session.start();
    FakeSocket.last.greet();
    FakeSocket.last.says({ case: "end", value: { reason: "the server goes", reconnectAfterMs: 5_000n } });
    await vi.advanceTimersByTimeAsync(4_900);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("whoever comes back need not wait", async () => {
    session.start();
    for (let i = 0; i < 8; i++) {
      FakeSocket.last.close();
      await vi.advanceTimersByTimeAsync(10_000);
    }
    FakeSocket.last.close();
    const before = FakeSocket.all.length;
    session.wake();
    expect(FakeSocket.all).toHaveLength(before + 1);
    session.wake();
    expect(FakeSocket.all).toHaveLength(before + 1);
  });

  test("a frame of the lost connection is nothing any more", async () => {
    session.start();
    const old = FakeSocket.last;
    old.greet();
    old.close();
    await vi.advanceTimersByTimeAsync(1_000);
    old.answers(answer(1, true, 1n, runsBody([])));
    expect(answers).toBe(0);
    FakeSocket.last.greet();
    FakeSocket.last.answers(answer(1, true, 1n, runsBody([])));
    expect(answers).toBe(1);
  });
});

test("bytes that are no frame end the connection, not the page", async () => {
  session.start();
  FakeSocket.last.greet();
  FakeSocket.last.raw(Uint8Array.from([0xff, 0xff, 0xff]));
  expect(FakeSocket.last.closed).toBe(true);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(FakeSocket.all).toHaveLength(2);
});

describe("silence", () => {
  const MARK_MS = 5_000;

  test("marks keep an idle session open: nothing is sent, and one timer runs", async () => {
    session.start();
    FakeSocket.last.greet(0n, BigInt(MARK_MS));
    session.subscribe(1, query);
    const sent = FakeSocket.last.heard.length;
    for (let at = 0; at < 3_600_000; at += MARK_MS) {
      await vi.advanceTimersByTimeAsync(MARK_MS);
      FakeSocket.last.marks();
      expect(vi.getTimerCount()).toBe(1);
    }
    expect(FakeSocket.all).toHaveLength(1);
    expect(FakeSocket.last.heard).toHaveLength(sent);
    expect(connections.at(-1)).toBe("open");
  });

  test("a session that hears nothing for three marks is offline, and opens anew without waiting for the dead one to close", async () => {
    session.start();
    const dead = FakeSocket.last;
    dead.close = () => void (dead.closed = true);
    dead.greet(0n, BigInt(MARK_MS));
    session.subscribe(1, query);
    // An answer is a sign of life as good as a mark.
    await vi.advanceTimersByTimeAsync(MARK_MS - 1_000);
    dead.answers(answer(1, true, 1n, runsBody([])));
    await vi.advanceTimersByTimeAsync(MARKS_MISSED_MAX * MARK_MS - 1);
    expect(connections.at(-1)).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect([connections.at(-1), dead.closed]).toEqual(["offline", true]);
    await vi.advanceTimersByTimeAsync(250);
    expect(FakeSocket.all).toHaveLength(2);
    FakeSocket.last.greet(0n, BigInt(MARK_MS));
    expect([connections.at(-1), FakeSocket.last.subscriptions]).toEqual(["open", [1]]);
    // What the dead one still says, and that it has closed at last, is nothing any more.
    dead.answers(answer(1, true, 2n, runsBody([])));
    dead.onclose?.();
    expect([connections.at(-1), answers]).toEqual(["open", 1]);
  });

  test("a connection that is never greeted is tried again, and is no sign-in refused", async () => {
    signedIn = false;
    session.start();
    FakeSocket.last.onopen?.();
    await vi.advanceTimersByTimeAsync(GREETING_MS_MAX - 1);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(FakeSocket.all).toHaveLength(2);
    expect(connections.at(-1)).toBe("offline");
  });

  test("a server that promises no marks is not waited for", async () => {
    session.start();
    FakeSocket.last.greet();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(FakeSocket.all).toHaveLength(1);
  });
});

test("stopped, it stays stopped", async () => {
  session.start();
  FakeSocket.last.greet();
  session.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  session.wake();
  expect(FakeSocket.all).toHaveLength(1);
});
