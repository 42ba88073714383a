//! The live pill: tells the truth about what is shown.
import { useNow, useStatus } from "../hooks.js";
import { pillOf } from "../live/pill.js";
import { Dot } from "./dot.js";
import css from "./common.module.css";

export function LivePill() {
  const status = useStatus();
  useNow(500);
  const { text, tone, hint } = pillOf(status, Date.now());
  return (
    <span className={css.pill} data-tone={tone} data-live-pill={tone} title={hint} role="status" aria-live="off">
      <Dot tone={tone} />{text}
    </span>
  );
}
