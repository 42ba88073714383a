//! Keys and values of a run, exact, that can be searched: what it was started with, what it has come to.
import { memo, type ReactNode, useState } from "react";
import { countText } from "../format.js";
import css from "./facts.module.css";

/** So many are shown at first: what comes below them must not be out of reach. */
const FACTS_FIRST = 24;

export interface Fact {
  key: string;
  value: string;
  /** Said on hover. */
  title?: string | undefined;
  /** Beside the value: when, of how many. */
  note?: string | undefined;
}

export function Block({ title, note, children, extra }: { title: string; note?: string; children: ReactNode; extra?: ReactNode }) {
  return (
    <section className={css.block} aria-label={title}>
      <header><h2>{title}</h2>{note !== undefined && <span>{note}</span>}{extra}</header>
      {children}
    </section>
  );
}

export const Facts = memo(function Facts({ facts, none }: { facts: readonly Fact[]; none: string }) {
  const [all, setAll] = useState(false);
  if (facts.length === 0) return <p className={css.none}>{none}</p>;
  const shown = all ? facts : facts.slice(0, FACTS_FIRST);
  return (
    <>
      <dl className={css.facts}>
        {shown.map(({ key, value, title, note }) => (
          <div key={key} data-fact={key}>
            <dt title={key}>{key}</dt>
            <dd title={title ?? value}>{value}{note !== undefined && <small>{note}</small>}</dd>
          </div>
        ))}
      </dl>
      {shown.length < facts.length && <button type="button" className={css.more} onClick={() => setAll(true)}>Show all {countText(facts.length)}</button>}
    </>
  );
});
