//! The live pill: tells the truth about what is shown.
import { useNow, useStatus } from "../hooks.js";
import { pillOf, type Tone } from "../live/pill.js";
import { Dot } from "./dot.js";
import css from "./common.module.css";

const TONES: Readonly<Record<Tone, "live" | "warn" | "quiet">> = { live: "live", behind: "warn", offline: "quiet", paused: "quiet" };

export function LivePill() {
  const status = useStatus();
  useNow(500);
  const { text, tone, hint } = pillOf(status, Date.now());
  return (
    <span className={css.pill} data-tone={TONES[tone]} data-live-pill={tone} title={hint} role="status" aria-live="off">
      <Dot tone={TONES[tone]} />{text}
    </span>
  );
}
