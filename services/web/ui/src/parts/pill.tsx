//! The live pill: tells the truth about what is shown.
import { store } from "../env.js";
import { useNow, useStatus } from "../hooks.js";
import { pillOf } from "../live/pill.js";
import { Dot } from "./dot.js";
import css from "./common.module.css";

export function LivePill() {
  // What a person must see at once, and ages four times a second: not each answer, of which there are hundreds.
  useStatus("connection");
  useNow(250);
  const { text, tone, hint } = pillOf(store.readStatus(), Date.now());
  return (
    <span className={css.pill} data-tone={tone} data-live-pill={tone} title={hint} role="status" aria-live="off">
      <Dot tone={tone} />{text}
    </span>
  );
}
