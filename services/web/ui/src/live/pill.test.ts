//! The pill says what is true of each state.
import { expect, test } from "vitest";
import { clockText } from "../format.js";
import { pillOf } from "./pill.js";
import type { Status } from "./store.js";

const AT = Date.UTC(2026, 10, 25, 14, 2, 11);
const live: Status = {
  connection: "open", organization: "home", actor: "ada", behindMs: 40, heardAtMs: AT - 200, completeThroughUs: (AT - 5_000) * 1000,
  staleSinceUs: undefined, offlineSinceMs: undefined, refused: undefined, paused: false,
};
const then = clockText((AT - 5_000) * 1000);

test.each<[Partial<Status>, string, string]>([
  [{}, "Live 0.2 s", "live"],
  [{ heardAtMs: AT - 95_000 }, "Live 1 min", "live"],
  [{ heardAtMs: undefined }, "Live", "live"],
  [{ heardAtMs: AT + 300 }, "Live 0 s", "live"],
  [{ behindMs: 12_000 }, "12 s behind", "warn"],
  [{ behindMs: 2_000 }, "Live 0.2 s", "live"],
  [{ behindMs: 12_000, heardAtMs: AT - 60_000 }, "Live 1 min", "live"],
  [{ staleSinceUs: (AT - 5_000) * 1000 }, `stopped, showing ${then}`, "warn"],
  [{ connection: "offline", offlineSinceMs: AT }, `offline, showing ${then}`, "quiet"],
  [{ connection: "offline", completeThroughUs: undefined }, "offline", "quiet"],
  [{ connection: "connecting" }, "connecting", "quiet"],
  [{ connection: "signed-out" }, "signed out", "bad"],
  [{ paused: true }, `paused, showing ${then}`, "quiet"],
  [{ refused: "no" }, "refused", "bad"],
])("%o: %s", (change, text, tone) => expect(pillOf({ ...live, ...change }, AT)).toMatchObject({ text, tone }));
