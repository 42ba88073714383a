//! A page that has nothing to show: says so, and what to do about it.
import type { ReactNode } from "react";
import css from "./empty.module.css";

export interface Action {
  text: string;
  run: () => void;
}

export function Empty({ title, children, action, role }: { title: string; children?: ReactNode; action?: Action; role?: "alert" | "status" }) {
  return (
    <section className={css.empty} role={role}>
      <h1>{title}</h1>
      {children}
      {action && <button type="button" className={css.button} onClick={action.run}>{action.text}</button>}
    </section>
  );
}

/** What stands where an answer is still awaited, once that takes long enough to be noticed. */
export function Waiting({ text = "Loading" }: { text?: string }) {
  return <p className={css.waiting} role="status">{text}</p>;
}
