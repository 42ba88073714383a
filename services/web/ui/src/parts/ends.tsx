//! The lines' names at their ends, in the page's own text. What the lines say is in the chart's words and its table.
import { memo } from "react";
import { endLabels, GAP_PX } from "../plot/ends.js";
import type { Frame } from "../plot/layout.js";
import type { Scene } from "../plot/scene.js";
import css from "./axes.module.css";

export const Ends = memo(function Ends({ scene, frame }: { scene: Scene; frame: Frame }) {
  if (scene.gutter === 0) return null;
  return (
    <div className={css.ends} aria-hidden="true">
      {endLabels(scene, frame).map((label, i) => (
        <span key={i} data-end={label.id} style={{ top: label.top, left: frame.left + frame.width + GAP_PX, maxWidth: scene.gutter - GAP_PX + 8 }}>
          <i style={{ background: label.color }} />{label.text}
        </span>
      ))}
    </div>
  );
});
