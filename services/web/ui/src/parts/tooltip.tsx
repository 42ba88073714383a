//! What the lines say at the crosshair: one for the page, beside the panel that the hand is on, sorted by value, never over the point.
import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { exactText, numberText } from "../format.js";
import { useHover } from "../hooks.js";
import type { PanelLine } from "../lines.js";
import { type Frame, mapsOf, toX } from "../plot/layout.js";
import { placeTooltip, readout, type ReadoutRow } from "../plot/readout.js";
import { hoverOn, type Scene } from "../plot/scene.js";
import { placeText } from "../xtext.js";
import { Swatch } from "./swatch.js";
import css from "./tooltip.module.css";

const ROWS_MAX = 14;
/** How far from the crosshair, in pixels, a point still belongs to it. */
const REACH_PX = 4;

interface Props {
  host: RefObject<HTMLDivElement | null>;
  shown: { scene: Scene; frame: Frame } | undefined;
  lines: readonly PanelLine[];
}

/** Whether the hand (pointer or focus) is on the panel, and the height at which a pointer is. */
function useHand(host: RefObject<HTMLDivElement | null>): { on: boolean; y: number | null } {
  const [hand, setHand] = useState<{ on: boolean; y: number | null }>({ on: false, y: null });
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const end = new AbortController();
    const on = (name: string, listen: (e: Event) => void) => element.addEventListener(name, listen, { signal: end.signal });
    on("pointermove", (e) => setHand({ on: true, y: (e as PointerEvent).clientY }));
    on("pointerleave", () => setHand({ on: element.matches(":focus-visible"), y: null }));
    on("focus", () => element.matches(":focus-visible") && setHand({ on: true, y: null }));
    on("blur", () => setHand({ on: false, y: null }));
    return () => end.abort();
  }, [host]);
  return hand;
}

function note({ width, count, min, max, nanCount }: ReadoutRow): string {
  const some = width !== 1 && count > 1 ? `last of ${count} points, ${numberText(min)} to ${numberText(max)}` : "";
  return [some, nanCount > 0 ? `${nanCount} NaN` : ""].filter((t) => t !== "").join(", ");
}

function Body({ host, shown, lines, y }: Props & { y: number | null }) {
  const hand = useHover();
  const hover = shown ? hoverOn(hand, shown.scene.view) : hand;
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ left: -9999, top: 0 });
  const x = hover.x;
  const maps = shown && mapsOf(shown.scene.view, shown.frame);
  const rows = x === null || !maps ? [] : readout(lines, x, REACH_PX / maps.bx);
  useLayoutEffect(() => {
    if (!box.current || !host.current || !maps || x === null) return;
    const panel = host.current.getBoundingClientRect();
    const { width, height } = box.current.getBoundingClientRect();
    const point = { x: panel.left + toX(maps, x), y: y ?? panel.top + panel.height / 2 };
    const next = placeTooltip(point, { width, height }, { width: innerWidth - 8, height: innerHeight - 8 });
    setPlace((p) => (p.left === next.left && p.top === next.top ? p : next));
  });
  if (!shown || x === null || rows.length === 0) return null;
  const first = rows[0]!;
  const pointed = rows.find((r) => r.id === hover.runId) ?? (rows.length === 1 ? first : undefined);
  const smoothed = rows.some((r) => r.raw !== r.value && !Number.isNaN(r.raw));
  const words = pointed ? note(pointed) : "";
  return createPortal(
    <div ref={box} className={css.tip} style={place} role={y === null ? "status" : undefined} data-tooltip>
      <small>{placeText(shown.scene.view.xKind, (pointed ?? first).x, (pointed ?? first).width, shown.scene.view.xName)}</small>
      {rows.slice(0, ROWS_MAX).map((row, i) => (
        <div key={i} className={css.row} data-faded={hover.runId !== null && row.id !== hover.runId}>
          <Swatch color={row.color} dash={row.dash} /><span className={css.name}>{row.name}</span>
          {smoothed && <span className={css.raw}>{numberText(row.raw)}</span>}
          <span className={css.value} title={exactText(row.value)}>{numberText(row.value)}</span>
        </div>
      ))}
      {rows.length > ROWS_MAX && <small>and {rows.length - ROWS_MAX} more</small>}
      {words !== "" && <small className={css.note}>{words}</small>}
    </div>,
    host.current?.closest("dialog") ?? document.body,
  );
}

export function Tooltip(props: Props) {
  const { on, y } = useHand(props.host);
  return on ? <Body {...props} y={y} /> : null;
}
