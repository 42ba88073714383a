//! The labels of a chart's axes: text of the page, so that they are crisp at every zoom and can be found.
import { memo } from "react";
import type { Frame } from "../plot/layout.js";
import css from "./axes.module.css";

/** A label at the edge is moved inwards rather than cut. */
const CHAR_PX = 6.1;

export const Axes = memo(function Axes({ frame }: { frame: Frame }) {
  const right = frame.left + frame.width + 8;
  return (
    <div className={css.axes} aria-hidden="true">
      {frame.yTicks.map((t, i) => <span key={`y${i}`} className={css.y} data-axis="y" style={{ top: t.at, width: frame.left - 6 }}>{t.text}</span>)}
      {frame.xTicks.map((t, i) => {
        const half = (t.text.length * CHAR_PX) / 2;
        return <span key={`x${i}`} className={css.x} data-axis="x" style={{ left: Math.min(t.at, right - half), top: frame.top + frame.height + 6 }}>{t.text}</span>;
      })}
    </div>
  );
});
