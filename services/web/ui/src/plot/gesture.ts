//! One panel's pointer, wheel and keys: they move the crosshair that all panels share, and the zoom.
//!
//! Drag: zoom to a range (Escape lets go of it). Double click or 0: everything. Ctrl or ⌘ + wheel (a pinch): nearer and further; Shift + wheel: along.
//! Keys on the focused panel: left and right move the crosshair (Shift: ten points), up and down choose the run, Home and End,
//! + and − zoom, Enter opens the run, Escape lets go. A plain wheel scrolls the page, as everywhere.
import type { Hover } from "./engine.js";
import { type Frame, fromX, type Maps, mapsOf } from "./layout.js";
import { nearest } from "./pick.js";
import { lineAt, snap } from "./readout.js";
import type { Scene } from "./scene.js";
import { panBy, type Range, settled, zoomAround } from "./view.js";

export interface Hands {
  /** What is drawn now; undefined: nothing yet, and the hand does nothing. */
  shown(): { scene: Scene; frame: Frame } | undefined;
  /** The range of x of all data, zoomed or not. */
  full(): Range | undefined;
  hover(change: Partial<Hover>): void;
  /** The shared state as it is. */
  hovered(): Hover;
  /** null: everything. */
  zoom(range: Range | null): void;
  open?(runId: string): void;
}

const DRAG_PX_MIN = 4;
const POINT_REACH_PX = 18;
const STRIDE = 10;
const KEY_FACTOR = 0.5;
const WHEEL_RATE = 0.002;

/** Listens on `element` until the returned function is called. */
export function gestures(element: HTMLElement, hands: Hands): () => void {
  const hand = new Hand(element, hands);
  const end = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(name: K, listen: (event: HTMLElementEventMap[K]) => void, passive = true) =>
    element.addEventListener(name, listen, { signal: end.signal, passive });
  on("pointerdown", (e) => hand.down(e));
  on("pointermove", (e) => hand.move(e));
  on("pointerup", (e) => hand.up(e));
  on("pointercancel", () => hand.letGo());
  on("pointerleave", () => hand.leave());
  on("blur", () => hand.leave());
  on("dblclick", () => hands.zoom(null));
  on("wheel", (e) => hand.wheel(e), false);
  on("keydown", (e) => hand.key(e), false);
  return () => end.abort();
}

interface Place {
  px: number;
  py: number;
  maps: Maps;
  scene: Scene;
  frame: Frame;
}

class Hand {
  /** Where a drag began, in pixels of the panel. */
  private from: number | undefined;

  constructor(private readonly element: HTMLElement, private readonly hands: Hands) {}

  private place(event: MouseEvent): Place | undefined {
    const shown = this.hands.shown();
    if (!shown) return undefined;
    const box = this.element.getBoundingClientRect();
    const { scene, frame } = shown;
    return { px: event.clientX - box.left, py: event.clientY - box.top, maps: mapsOf(scene.view, frame), scene, frame };
  }

  down(event: PointerEvent): void {
    const at = this.place(event);
    // A finger scrolls the page and reads values; it has pinch for the rest.
    if (!at || event.button !== 0 || event.pointerType === "touch") return;
    this.from = at.px;
    this.element.setPointerCapture(event.pointerId);
  }

  move(event: PointerEvent): void {
    const at = this.place(event);
    if (!at) return;
    if (this.from !== undefined) return this.hands.hover({ x: null, runId: null, select: this.dragged(at) });
    const { px, py, maps, scene, frame } = at;
    const inside = px >= frame.left - 6 && px <= frame.left + frame.width + 6 && py >= 0 && py <= frame.top + frame.height + 6;
    if (!inside) return this.hands.hover({ x: null, runId: null });
    this.hands.hover({ x: snap(scene.lines, fromX(maps, px)), runId: lineAt(scene.lines, maps, px, py, POINT_REACH_PX) });
  }

  private dragged({ px, maps, frame }: Place): Range | null {
    const clamp = (v: number) => Math.min(Math.max(v, frame.left), frame.left + frame.width);
    const [a, b] = [clamp(this.from ?? px), clamp(px)];
    return Math.abs(a - b) < DRAG_PX_MIN ? null : [fromX(maps, Math.min(a, b)), fromX(maps, Math.max(a, b))];
  }

  up(event: PointerEvent): void {
    const at = this.place(event);
    const range = this.from !== undefined && at ? this.dragged(at) : null;
    this.letGo();
    if (range && at) this.zoom(range, at.scene);
  }

  letGo(): void {
    this.from = undefined;
    this.hands.hover({ select: null });
  }

  leave(): void {
    if (this.from === undefined) this.hands.hover({ x: null, runId: null, select: null });
  }

  private zoom(range: Range, scene: Scene): void {
    const full = this.hands.full();
    if (full) this.hands.zoom(settled(range, full, scene.view.xKind));
  }

  wheel(event: WheelEvent): void {
    const at = this.place(event);
    const full = this.hands.full();
    if (!at || !full) return;
    const { view } = at.scene;
    const range: Range = [view.xMin, view.xMax];
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const scale = event.deltaMode === 1 ? 16 : 1;
      this.zoom(zoomAround(range, fromX(at.maps, at.px), Math.exp(event.deltaY * scale * WHEEL_RATE)), at.scene);
    } else if (event.shiftKey) {
      event.preventDefault();
      this.zoom(panBy(range, full, ((event.deltaX || event.deltaY) > 0 ? 1 : -1) * 0.1), at.scene);
    }
  }

  key(event: KeyboardEvent): void {
    const shown = this.hands.shown();
    if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!this.pressed(event.key, event.shiftKey, shown.scene)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** True: the key meant something here. */
  private pressed(key: string, far: boolean, scene: Scene): boolean {
    const { x, runId } = this.hands.hovered();
    switch (key) {
      case "ArrowLeft":
      case "ArrowRight":
        this.step(scene, (key === "ArrowLeft" ? -1 : 1) * (far ? STRIDE : 1));
        return true;
      case "Home":
      case "End":
        this.step(scene, key === "Home" ? -Infinity : Infinity);
        return true;
      case "ArrowUp":
      case "ArrowDown":
        this.choose(scene, key === "ArrowUp" ? -1 : 1);
        return true;
      case "+":
      case "=":
      case "-": {
        const { xMin, xMax } = scene.view;
        this.zoom(zoomAround([xMin, xMax], x ?? (xMin + xMax) / 2, key === "-" ? 1 / KEY_FACTOR : KEY_FACTOR), scene);
        return true;
      }
      case "0":
        this.hands.zoom(null);
        return true;
      case "Enter":
        if (runId === null || !this.hands.open) return false;
        this.hands.open(runId);
        return true;
      case "Escape":
        if (x === null && this.from === undefined) return false;
        this.letGo();
        this.hands.hover({ x: null, runId: null });
        return true;
      default:
        return false;
    }
  }

  /** Along the points of the chosen line, or of the longest, as far as they are in view. */
  private step(scene: Scene, by: number): void {
    const { x, runId } = this.hands.hovered();
    const line = scene.lines.find((l) => l.id === runId) ?? [...scene.lines].sort((a, b) => b.x.length - a.x.length)[0];
    const seen = line?.x.filter((v) => v >= scene.view.xMin && v <= scene.view.xMax);
    if (!line || !seen || seen.length === 0) return;
    const at = x === null ? (by > 0 ? -1 : seen.length) : nearest(seen, x);
    const to = Math.min(Math.max(at + by, 0), seen.length - 1);
    this.hands.hover({ x: seen[to]!, runId: runId ?? line.id });
  }

  /** The next run, from the greatest value at the crosshair down. */
  private choose(scene: Scene, by: number): void {
    const { x, runId } = this.hands.hovered();
    const at = x ?? scene.view.xMax;
    const valueOf = (l: Scene["lines"][number]) => l.y[nearest(l.x, at)] ?? -Infinity;
    const ids = [...new Set([...scene.lines].sort((a, b) => valueOf(b) - valueOf(a)).map((l) => l.id))];
    if (ids.length === 0) return;
    const now = runId === null ? (by > 0 ? -1 : ids.length) : ids.indexOf(runId);
    const id = ids[Math.min(Math.max(now + by, 0), ids.length - 1)]!;
    this.hands.hover({ runId: id, x: x ?? snap(scene.lines.filter((l) => l.id === id), at) });
  }
}
