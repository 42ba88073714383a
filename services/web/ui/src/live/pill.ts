//! The live pill's words: what is true about what is shown, and nothing that the page cannot know.
import { clockText, durationText } from "../format.js";
import type { Status } from "./store.js";

/** Green: live. Amber: behind. Red: somebody has to do something. Grey: what is shown is not of now. */
export type Tone = "live" | "warn" | "bad" | "quiet";

export interface Pill {
  text: string;
  tone: Tone;
  hint: string;
}

/** Behind by less is no news: a commit takes its time. */
const BEHIND_MS_MIN = 3_000;
/** What arrived so long ago says nothing about being behind any more: the server sends as long as it catches up. */
const BEHIND_MS_OLD = 10_000;

const showing = (us: number | undefined): string => (us === undefined || us === 0 ? "" : `, showing ${clockText(us)}`);

/** `nowMs` is this machine's clock, by which `Status` counts. */
export function pillOf(status: Status, nowMs: number): Pill {
  const { connection, behindMs, heardAtMs, completeThroughUs, staleSinceUs, offlineSinceMs } = status;
  if (connection === "signed-out") return { text: "signed out", tone: "bad", hint: "This browser is not signed in: corral login prints a link." };
  if (status.refused !== undefined) return { text: "refused", tone: "bad", hint: `The server refused this page: ${status.refused}` };
  if (connection === "connecting") return { text: "connecting", tone: "quiet", hint: "Waiting for the server's first answer." };
  if (connection === "offline") {
    const since = offlineSinceMs === undefined ? "" : ` since ${clockText(offlineSinceMs * 1000)}`;
    return { text: `offline${showing(completeThroughUs)}`, tone: "quiet", hint: `No connection${since}. What is shown stays; the page catches up by itself.` };
  }
  if (status.paused) return { text: `paused${showing(completeThroughUs)}`, tone: "quiet", hint: "Data is still received, and shown again when you go on." };
  if (staleSinceUs !== undefined) return { text: `stopped${showing(staleSinceUs)}`, tone: "warn", hint: "A projection stopped: what came later is durable, but not shown yet." };
  if (heardAtMs === undefined) return { text: "Live", tone: "live", hint: "Connected. Nothing has been asked yet." };
  const ageMs = Math.max(0, nowMs - heardAtMs);
  if (behindMs !== undefined && behindMs >= BEHIND_MS_MIN && ageMs < BEHIND_MS_OLD) {
    return { text: `${durationText((behindMs + ageMs) * 1000)} behind`, tone: "warn", hint: "The server is catching up with what it has received." };
  }
  return { text: `Live ${durationText(Math.round(ageMs / 100) * 100_000)}`, tone: "live", hint: "Connected; the age of the last change that this page was told of." };
}
