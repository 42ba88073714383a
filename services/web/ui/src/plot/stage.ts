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
import type { Scene } from "./scene.js";

type Canvas = HTMLCanvasElement | OffscreenCanvas;

export type Message =
  | { do: "attach"; panel: number; base: Canvas; overlay: Canvas }
  | { do: "detach"; panel: number }
  | { do: "scene"; panel: number; scene: Scene }
  | { do: "hover"; x: number | null; highlight: string | null };

interface Panel {
  base: Context;
  overlay: Context;
  scene: Scene | undefined;
  frame: Frame | undefined;
  baseDirty: boolean;
  overlayDirty: boolean;
}

function sized(context: Context, scene: Scene): void {
  const { canvas } = context;
  const width = Math.max(1, Math.round(scene.width * scene.scale));
  const height = Math.max(1, Math.round(scene.height * scene.scale));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

export class Stage {
  private readonly panels = new Map<number, Panel>();
  private x: number | null = null;
  private highlight: string | null = null;
  private scheduled = false;

  /** `nextFrame` is requestAnimationFrame: however many messages come, a panel is painted once a frame. */
  constructor(private readonly nextFrame: (paint: () => void) => void, private readonly painted: (panel: number) => void) {}

  receive(message: Message): void {
    switch (message.do) {
      case "attach": {
        const base = message.base.getContext("2d") as Context;
        const overlay = message.overlay.getContext("2d") as Context;
        this.panels.set(message.panel, { base, overlay, scene: undefined, frame: undefined, baseDirty: false, overlayDirty: false });
        return;
      }
      case "detach":
        this.panels.delete(message.panel);
        return;
      case "scene": {
        const panel = this.panels.get(message.panel);
        if (!panel) return;
        panel.scene = message.scene;
        panel.frame = layout(message.scene);
        panel.baseDirty = true;
        panel.overlayDirty = true;
        return this.schedule();
      }
      case "hover":
        for (const panel of this.panels.values()) {
          panel.overlayDirty = true;
          if (message.highlight !== this.highlight) panel.baseDirty = true;
        }
        this.x = message.x;
        this.highlight = message.highlight;
        return this.schedule();
    }
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.nextFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  private paint(): void {
    for (const [id, panel] of this.panels) {
      const { scene, frame } = panel;
      if (!scene || !frame) continue;
      if (panel.baseDirty) {
        sized(panel.base, scene);
        drawScene(panel.base, scene, frame, this.highlight);
        panel.baseDirty = false;
        this.painted(id);
      }
      if (panel.overlayDirty) {
        sized(panel.overlay, scene);
        drawOverlay(panel.overlay, scene, frame, this.x, this.highlight);
        panel.overlayDirty = false;
      }
    }
  }
}
