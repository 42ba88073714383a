//! Where this page lives and who looks at it: the base address, the browser's half of the sign-in, the one live store.
import { LiveStore } from "./live/store.js";

/** The server's public path, as the document says it. */
export const base = new URL(".", document.baseURI);
/** What stands before a route: the path without its last slash. */
export const basePath = base.pathname.replace(/\/$/, "");

const SESSION_KEY = "corral_session";
/** Carries the browser's half of the sign-in on requests that are not the session. */
export const SESSION_HEADER = "x-corral-session";

export const sessionValue = (): string | null => localStorage.getItem(SESSION_KEY);

export function keepSession(value: string): void {
  localStorage.setItem(SESSION_KEY, value);
}

export function forgetSession(): void {
  localStorage.removeItem(SESSION_KEY);
}

export type LoginResult = "ok" | "refused" | "unreachable";

/** Gives a login link's token for a session. A link works once. */
export async function login(token: string): Promise<LoginResult> {
  try {
    const answer = await fetch(new URL("api/login", base), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token }) });
    if (!answer.ok) return answer.status >= 500 ? "unreachable" : "refused";
    const { session_value: value } = (await answer.json()) as { session_value?: unknown };
    if (typeof value !== "string") return "refused";
    keepSession(value);
    return "ok";
  } catch {
    return "unreachable";
  }
}

/** Whether the server still takes this browser's session; a server that does not answer says nothing about it. */
async function signedIn(): Promise<boolean> {
  const value = sessionValue();
  if (value === null) return false;
  try {
    const answer = await fetch(new URL("api/corral.v1.QueryService/ListProjects", base), {
      method: "POST",
      headers: { "content-type": "application/json", [SESSION_HEADER]: value },
      body: '{"pageSize":1}',
    });
    return answer.status !== 401;
  } catch {
    return true;
  }
}

function sessionAddress(): string {
  const url = new URL("session", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export const store = new LiveStore({ url: sessionAddress(), sessionValue, signedIn, connect: (url) => new WebSocket(url) });
