//! One ordered session with the server over a WebSocket: hello, subscriptions, and coming back after a loss by itself.
//!
//! A network may die without a word. The server says at least every `mark_ms` that it lives, and whoever hears nothing for
//! three times as long is offline: a timer that is set once, not by each frame, looks when it was heard last.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Answer, SessionRequestSchema, SessionResponseSchema, type SessionReady, type Subscribe, type SubscriptionFailed } from "../gen/corral/v1/session_pb.js";

export const PROTOCOL_VERSION = 1;
const RECONNECT_FIRST_MS = 250;
const RECONNECT_MS_MAX = 10_000;
/** So many marks in a row that did not come: the connection is gone. */
export const MARKS_MISSED_MAX = 3;
/** How long a connection may take until the server greets. */
export const GREETING_MS_MAX = 15_000;

export type Query = Subscribe["query"];
export type Connection = "connecting" | "open" | "offline" | "signed-out";

export interface SessionHandlers {
  ready(ready: SessionReady): void;
  answer(answer: Answer): void;
  failed(failed: SubscriptionFailed): void;
  connection(connection: Connection): void;
}

export interface SessionEnvironment {
  /** Address of the WebSocket. */
  url: string;
  /** The browser's half of its sign-in; null: not signed in. */
  sessionValue(): string | null;
  /** Asks, after a connection that was refused, whether that was for the sign-in's sake. */
  signedIn(): Promise<boolean>;
  connect(url: string): WebSocket;
}

/** Milliseconds to wait before attempt n (from 0): half fixed, half random, so that a restart is not met by all pages at once. */
export function reconnectDelay(attempt: number, random: number): number {
  const ceiling = Math.min(RECONNECT_MS_MAX, RECONNECT_FIRST_MS * 2 ** Math.min(attempt, 16));
  return ceiling / 2 + (random * ceiling) / 2;
}

export class Session {
  private socket: WebSocket | undefined;
  private ready = false;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = true;
  private after = 0;
  private everReady = false;
  private watch: ReturnType<typeof setTimeout> | undefined;
  private heardAtMs = 0;
  private readonly living = new Map<number, Query>();

  constructor(private readonly environment: SessionEnvironment, private readonly handlers: SessionHandlers, private readonly now: () => number = Date.now) {}

  start(): void {
    this.stopped = false;
    this.everReady = false;
    this.attempt = 0;
    this.open();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    this.ready = false;
    this.socket?.close();
    this.socket = undefined;
  }

  /** Tries again at once: the network or the person came back. */
  wake(): void {
    if (this.stopped || this.socket) return;
    clearTimeout(this.timer);
    this.attempt = 0;
    this.open();
  }

  subscribe(id: number, query: Query): void {
    this.living.set(id, query);
    if (this.ready) this.send({ case: "subscribe", value: { subscription: id, query } });
  }

  unsubscribe(id: number): void {
    if (this.living.delete(id) && this.ready) this.send({ case: "unsubscribe", value: { subscription: id } });
  }

  private send(frame: { case: "subscribe"; value: { subscription: number; query: Query } } | { case: "unsubscribe"; value: { subscription: number } } | { case: "hello"; value: { protocolVersion: number; sessionValue: string } }): void {
    // The generated initialiser takes plain objects for nested messages.
    this.socket?.send(toBinary(SessionRequestSchema, create(SessionRequestSchema, { frame: frame as never })) as Uint8Array<ArrayBuffer>);
  }

  private open(): void {
    const value = this.environment.sessionValue();
    if (value === null) return this.handlers.connection("signed-out");
    this.ready = false;
    this.handlers.connection(this.everReady || this.attempt > 0 ? "offline" : "connecting");
    const socket = this.environment.connect(this.environment.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => this.send({ case: "hello", value: { protocolVersion: PROTOCOL_VERSION, sessionValue: value } });
    socket.onmessage = (message) => {
      if (this.socket === socket) this.receive(message.data as ArrayBuffer);
    };
    socket.onclose = () => {
      if (this.socket === socket) void this.lost(!this.ready);
    };
    this.heardAtMs = this.now();
    this.listen(GREETING_MS_MAX);
  }

  /** Gives the connection up once nothing has come for so long. */
  private listen(silenceMsMax: number): void {
    clearTimeout(this.watch);
    const left = this.heardAtMs + silenceMsMax - this.now();
    if (left > 0) {
      this.watch = setTimeout(() => this.listen(silenceMsMax), left);
      return;
    }
    const { socket } = this;
    // It is not waited for: a closing handshake over a dead network takes as long as the network pleases.
    void this.lost(false);
    socket?.close();
  }

  private receive(data: ArrayBuffer): void {
    this.heardAtMs = this.now();
    let frame;
    try {
      frame = fromBinary(SessionResponseSchema, new Uint8Array(data)).frame;
    } catch {
      // Whatever speaks there is not our server any more; the frames behind cannot be trusted either.
      return this.socket?.close();
    }
    switch (frame.case) {
      case "ready":
        this.ready = true;
        this.everReady = true;
        this.attempt = 0;
        clearTimeout(this.watch);
        if (frame.value.markMs > 0n) this.listen(MARKS_MISSED_MAX * Number(frame.value.markMs));
        this.handlers.ready(frame.value);
        this.handlers.connection("open");
        for (const [id, query] of this.living) this.send({ case: "subscribe", value: { subscription: id, query } });
        break;
      case "answer":
        this.handlers.answer(frame.value);
        break;
      case "failed":
        this.handlers.failed(frame.value);
        break;
      case "end":
        this.after = Number(frame.value.reconnectAfterMs);
        this.socket?.close();
        break;
      case "mark":
      default:
        break;
    }
  }

  /** `refused`: the server may have closed for the sign-in's sake. */
  private async lost(refused: boolean): Promise<void> {
    clearTimeout(this.watch);
    this.socket = undefined;
    this.ready = false;
    if (this.stopped) return;
    this.handlers.connection("offline");
    const delay = Math.max(this.after, reconnectDelay(this.attempt++, Math.random()));
    this.after = 0;
    this.timer = setTimeout(() => this.open(), delay);
    if (refused && !(await this.environment.signedIn()) && !this.stopped) {
      clearTimeout(this.timer);
      this.stop();
      this.handlers.connection("signed-out");
    }
  }
}
