//! What stands around every page: the rail with the organization and its projects, the live pill's home, the key help.
import { type ReactNode, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { forgetSession, SESSION_HEADER, base, sessionValue, store } from "../env.js";
import { agoText } from "../format.js";
import { useKeys, useLive, useNow, useStatus } from "../hooks.js";
import { chooseTheme, THEME_CHOICES, usePalette } from "../theme.js";
import { Dot } from "../parts/dot.js";
import { Mark } from "../parts/mark.js";
import { projectPath } from "../paths.js";
import { projectsQuery } from "../queries.js";
import { Help } from "./help.js";
import { railStore, useRail } from "./rail.js";
import css from "./shell.module.css";

/** A project that heard of a run so lately is live. */
const LIVE_WITHIN_US = 60e6;
/** Projects that the rail names; the page of all has the rest. */
const RAIL_PROJECTS_MAX = 14;

async function signOut() {
  const value = sessionValue();
  forgetSession();
  store.stop();
  try {
    // The cookie's half; without the value that was just forgotten it opens nothing, so a failure here is no harm.
    await fetch(new URL("api/logout", base), { method: "POST", headers: value === null ? {} : { [SESSION_HEADER]: value } });
  } finally {
    store.start();
  }
}

function Projects() {
  const { value } = useLive("projects", projectsQuery);
  const now = useNow(10_000);
  const [path] = useLocation();
  const recent = [...(value?.projects ?? [])].sort((a, b) => Number(b.lastActiveUs - a.lastActiveUs)).slice(0, RAIL_PROJECTS_MAX);
  // By name: a list that is sorted by activity would move under the hand.
  recent.sort((a, b) => a.name.localeCompare(b.name));
  if (recent.length === 0) return null;
  return (
    <>
      <h2>Recent</h2>
      <ul>
        {recent.map((project) => {
          const to = projectPath(project);
          const live = now - Number(project.lastActiveUs) < LIVE_WITHIN_US;
          const here = path === to || path.startsWith(`${to}/`);
          return (
            <li key={project.id}>
              <Link href={to} className={here ? css.on : undefined} aria-current={here ? "page" : undefined} title={`${project.name}, ${live ? "live" : `last active ${agoText(Number(project.lastActiveUs), now)}`}`}>
                <Dot live={live} /><span className={css.name}>{project.name}</span><span className={css.count}>{String(project.runs)}</span>
              </Link>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function ThemeChoice() {
  const { choice } = usePalette();
  return (
    <div className={css.theme} role="radiogroup" aria-label="Theme">
      {THEME_CHOICES.map((one) => (
        <button key={one} type="button" role="radio" aria-checked={choice === one} onClick={() => chooseTheme(one)}>{one}</button>
      ))}
    </div>
  );
}

function Rail({ onHelp }: { onHelp: () => void }) {
  const organization = useStatus("organization");
  const actor = useStatus("actor");
  const [path] = useLocation();
  return (
    <nav className={css.rail} aria-label="Projects">
      <div className={css.org}><Mark /><span className={css.name}>{organization || "Corral"}</span></div>
      <Link href="/" className={path === "/" ? css.on : undefined} aria-current={path === "/" ? "page" : undefined}>All projects</Link>
      <Projects />
      <div className={css.foot}>
        <ThemeChoice />
        <button type="button" className={css.verb} onClick={onHelp}>Keys<kbd>?</kbd></button>
        <button type="button" className={css.verb} onClick={() => void signOut()}><span className={css.name}>Sign out {actor}</span></button>
      </div>
    </nav>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const [help, setHelp] = useState(false);
  const open = useRail();
  const [path, go] = useLocation();
  useEffect(() => railStore.close(), [path]);
  useKeys({ "?": () => setHelp(true), "\\": railStore.toggle, h: () => go("/") });
  return (
    <div className={css.app} data-rail={open}>
      <Rail onHelp={() => setHelp(true)} />
      <div className={css.veil} onClick={railStore.close} />
      <main className={css.main}>{children}</main>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}
