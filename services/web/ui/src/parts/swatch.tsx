//! A line in small: its colour and its dashes.
import css from "./swatch.module.css";

/** Longer dashes first, as in the charts: solid, long, short, both. */
const kindOf = (dash: readonly number[]): string => (dash.length === 0 ? "solid" : dash.length > 2 ? "both" : dash[0]! > dash[1]! ? "long" : "short");

export function Swatch({ color, dash }: { color: string; dash: readonly number[] }) {
  return <i className={css.swatch} style={{ color }} data-dash={kindOf(dash)} aria-hidden="true" />;
}
