//! The top bar: where one is, what is true of it, and the live pill.
import type { ReactNode } from "react";
import { railStore, useRail } from "../app/rail.js";
import { LivePill } from "./pill.js";
import css from "./common.module.css";

export function Top({ crumbs, title, children, end }: { crumbs?: ReactNode; title: string; children?: ReactNode; end?: ReactNode }) {
  const open = useRail();
  return (
    <header className={css.top}>
      <button type="button" className={css.menu} onClick={railStore.toggle} aria-expanded={open}>Menu</button>
      <div className={css.crumb}>{crumbs}<h1 title={title}>{title}</h1></div>
      {children}
      <span className={css.grow} />
      {end}
      <LivePill />
    </header>
  );
}
