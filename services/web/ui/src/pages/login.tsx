//! Signing in: by a link that the command line prints, which works once.
import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { basePath, login, type LoginResult, sessionValue, store } from "../env.js";
import { useTitle } from "../hooks.js";
import { Mark } from "../parts/mark.js";
import { Lines } from "../parts/lines.js";
import css from "./login.module.css";

/** A token is used up by the first who sends it: an effect that runs twice must not send it twice. */
let sent: Promise<LoginResult> | undefined;

/** Where to go afterwards: a path of this page and nothing else. */
function next(): string {
  const path = new URLSearchParams(location.search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(path) ? path : "/";
}

const SAYING: Readonly<Record<LoginResult | "none", string>> = {
  none: "You are signed out in this browser. Print a link on the machine that runs Corral and open it here:",
  ok: "Signing in …",
  refused: "This link was used already, or is older than 15 minutes. Print another and open it here:",
  unreachable: "The server does not answer. The link is still good: open it again once the server runs.",
};

/** `link`: the address is a login link's; else this stands in place of a page that needs signing in. */
export function Login({ link = false }: { link?: boolean }) {
  useTitle("Sign in");
  const [, go] = useLocation();
  const [result, setResult] = useState<LoginResult | "none">(link && location.hash.length > 1 ? "ok" : "none");
  useEffect(() => {
    const enter = () => {
      store.stop();
      store.start();
      if (link) go(next(), { replace: true });
    };
    if (link && location.hash.length > 1) {
      sent ??= login(location.hash.slice(1));
      void sent.then((said) => {
        sent = undefined;
        setResult(said);
        if (said !== "unreachable") history.replaceState(null, "", location.pathname + location.search);
        if (said === "ok") enter();
      });
    } else if (link && sessionValue() !== null) enter();
    // Another tab signed in.
    const heard = () => sessionValue() !== null && enter();
    addEventListener("storage", heard);
    return () => removeEventListener("storage", heard);
  }, [link, go]);
  if (result === "ok") return <p className={css.wait} role="status">{SAYING.ok}</p>;
  return (
    <main className={css.page}>
      <div className={css.sheet}>
        <div className={css.brand}><Mark size={24} />Corral</div>
        <h1>Sign in</h1>
        <p role={result === "none" ? undefined : "alert"}>{SAYING[result]}</p>
        <Lines text="corral login" label="the command that prints a link" />
        <p className={css.small}>
          It finds the server by its data directory, <code>--data-dir</code> where that is not the usual one. A link works once, for 15 minutes;{" "}
          <code>corral serve</code> prints one each time it starts. This page is <code>{location.origin}{basePath}</code>.
        </p>
      </div>
    </main>
  );
}
