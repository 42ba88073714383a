//! The pulse of truth: green only for what is truly live.
import css from "./dot.module.css";

export function Dot({ live = false, tone }: { live?: boolean; tone?: "live" | "warn" | "bad" | "quiet" | undefined }) {
  return <i className={css.dot} data-tone={tone ?? (live ? "live" : "quiet")} aria-hidden="true" />;
}
