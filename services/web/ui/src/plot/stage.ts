//! The panels that are being drawn, by id: what the worker runs, and the page itself where a canvas cannot be handed over.
//!
//! The interface between the engine and the panels of the page; it only grows:
//!
//!   engine.attach(host) -> { panel, detach }      puts two stacked canvases into `host` (position them absolutely)
//!   engine.draw(panel, scene, cause)              cause "data": painted at most ten times a second; "hand" (default): on the next frame;
//!                                                 a scene equal to the last one is not painted again. Columns are copied, never kept
//!   engine.setHover({ x, runId, select }), readHover(), watchHover(changed)
//!                                                 one crosshair, one pointed-at run and one range being dragged, for all panels
//!   layout(scene) -> Frame                        the plot's rectangle and both axes' ticks (value, text, at px): the labels are DOM
//!   viewOf(lines, { xKind, log, zoom, height })   bounds of both axes (view.ts); undefined: there is nothing to show
//!   gestures(element, hands) -> end               pointer, wheel and keys of one panel (gesture.ts): hover, zoom, pan, reset
//!   readout(lines, x, reach) -> rows              the tooltip's lines, sorted by value (readout.ts); placeTooltip never covers the point
//!
//! `Scene.lines` come from linesOf (lines.ts), `Scene.theme` from the CSS tokens, `Scene.scale` is devicePixelRatio.
import { layout, type Frame } from "./layout.js";
import { type Context, drawOverlay, drawScene } from "./raster.js";
import { type Hover, hoverOn, NO_HOVER, type Scene } from "./scene.js";

/** Redraws of a panel from data are at least so far apart; those from the hand are not held up. */
export const DATA_REDRAW_MS_MIN = 100;

export type Canvas = HTMLCanvasElement | OffscreenCanvas;
/** Why a scene changed: data came, or a hand did something. */
export type Cause = "data" | "hand";

export type Message =
  | { do: "attach"; panel: number; base: Canvas; overlay: Canvas }
  | { do: "detach"; panel: number }
  | { do: "scene"; panel: number; scene: Scene; cause: Cause }
  | { do: "hover"; hover: Hover };

export interface StageClock {
  /** Milliseconds. */
  now(): number;
  /** requestAnimationFrame: however many messages come, a panel is painted once a frame. */
  frame(paint: () => void): void;
  later(call: () => void, ms: number): void;
}

interface Shown {
  scene: Scene;
  frame: Frame;
}

interface Panel {
  base: Context;
  overlay: Context;
  /** What is on the base, and what comes after it: the crosshair always speaks of what is seen. */
  drawn: Shown | undefined;
  next: Shown | undefined;
  /** When `next` is to be painted. */
  dueMs: number;
  baseDirty: boolean;
  overlayDirty: boolean;
  paintedAtMs: number;
}

function sized(context: Context, scene: Scene): void {
  const { canvas } = context;
  const width = Math.max(1, Math.round(scene.width * scene.scale));
  const height = Math.max(1, Math.round(scene.height * scene.scale));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

const shows = ({ drawn }: Panel, hover: Hover) => {
  const x = drawn ? hoverOn(hover, drawn.scene.view).x : null;
  return x !== null && drawn !== undefined && x >= drawn.scene.view.xMin && x <= drawn.scene.view.xMax;
};
const has = ({ drawn }: Panel, id: string | null) => id !== null && drawn !== undefined && drawn.scene.lines.some((l) => l.id === id);

export class Stage {
  private readonly panels = new Map<number, Panel>();
  private hover: Hover = NO_HOVER;
  private framed = false;
  private timerAtMs = Infinity;

  constructor(private readonly clock: StageClock, private readonly painted: (panel: number) => void) {}

  receive(message: Message): void {
    switch (message.do) {
      case "attach":
        return this.attach(message.panel, message.base, message.overlay);
      case "detach":
        this.panels.delete(message.panel);
        return;
      case "scene":
        return this.show(message.panel, message.scene, message.cause);
      case "hover":
        return this.point(message.hover);
    }
  }

  private attach(id: number, base: Canvas, overlay: Canvas): void {
    const panel: Panel = {
      base: base.getContext("2d") as Context, overlay: overlay.getContext("2d") as Context,
      drawn: undefined, next: undefined, dueMs: Infinity, baseDirty: false, overlayDirty: false, paintedAtMs: -Infinity,
    };
    this.panels.set(id, panel);
    // A context that was lost (the driver restarted) comes back empty.
    const restored = () => {
      if (this.panels.get(id) !== panel) return;
      panel.baseDirty = true;
      panel.overlayDirty = true;
      this.schedule();
    };
    for (const canvas of [base, overlay] as EventTarget[]) canvas.addEventListener("contextrestored", restored);
  }

  private show(id: number, scene: Scene, cause: Cause): void {
    const panel = this.panels.get(id);
    if (!panel) return;
    panel.next = { scene, frame: layout(scene) };
    panel.dueMs = Math.min(panel.dueMs, cause === "hand" ? 0 : panel.paintedAtMs + DATA_REDRAW_MS_MIN);
    this.schedule();
  }

  private point(hover: Hover): void {
    const before = this.hover;
    this.hover = hover;
    for (const panel of this.panels.values()) {
      if (hover.select !== before.select || shows(panel, hover) || shows(panel, before)) panel.overlayDirty = true;
      // Fading the others is part of the chart itself, where the run has a line in it.
      if (hover.runId !== before.runId && (has(panel, hover.runId) || has(panel, before.runId))) panel.baseDirty = true;
    }
    this.schedule();
  }

  /** Milliseconds until the panel has to be painted; Infinity: it is up to date. */
  private waitOf(panel: Panel, now: number): number {
    if (panel.drawn && (panel.baseDirty || panel.overlayDirty)) return 0;
    return panel.next ? panel.dueMs - now : Infinity;
  }

  private schedule(): void {
    if (this.framed) return;
    const now = this.clock.now();
    let wait = Infinity;
    for (const panel of this.panels.values()) wait = Math.min(wait, this.waitOf(panel, now));
    if (wait <= 0) {
      this.framed = true;
      this.clock.frame(() => {
        this.framed = false;
        for (const [id, panel] of this.panels) this.paint(id, panel);
        this.schedule();
      });
    } else if (now + wait < this.timerAtMs) {
      this.timerAtMs = now + wait;
      this.clock.later(() => {
        this.timerAtMs = Infinity;
        this.schedule();
      }, wait);
    }
  }

  private paint(id: number, panel: Panel): void {
    const now = this.clock.now();
    if (panel.next && panel.dueMs <= now) {
      panel.drawn = panel.next;
      panel.next = undefined;
      panel.dueMs = Infinity;
      panel.paintedAtMs = now;
      panel.baseDirty = true;
      panel.overlayDirty = true;
    }
    if (!panel.drawn) return;
    const { scene, frame } = panel.drawn;
    if (panel.baseDirty) {
      sized(panel.base, scene);
      drawScene(panel.base, scene, frame, this.hover.runId);
      panel.baseDirty = false;
      this.painted(id);
    }
    if (panel.overlayDirty) {
      sized(panel.overlay, scene);
      drawOverlay(panel.overlay, scene, frame, hoverOn(this.hover, scene.view));
      panel.overlayDirty = false;
    }
  }
}
