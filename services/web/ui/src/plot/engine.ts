//! The page's end of the chart worker: hands canvases over, sends scenes, and shares one crosshair among all panels.
//!
//! A worker that is lost is replaced: its canvases cannot be had back, so every panel gets new ones and its last scene again. After
//! `WORKERS_MAX` of them, and where there is no OffscreenCanvas, the page itself paints.
import { bareScene, type Hover, NO_HOVER, sameScene, type Scene } from "./scene.js";
import { type Cause, type Canvas, type Message, Stage } from "./stage.js";

export type { Hover } from "./scene.js";

const WORKERS_MAX = 3;

interface Panel {
  host: HTMLElement;
  canvases: HTMLCanvasElement[];
  scene: Scene | undefined;
}

type Send = (message: Message, transfer: Transferable[]) => void;

const offscreen = (): boolean => typeof OffscreenCanvas !== "undefined" && "transferControlToOffscreen" in HTMLCanvasElement.prototype;

export class Engine {
  private port: Send | undefined;
  private worker: Worker | undefined;
  private workers = 0;
  private nextPanel = 1;
  private hover: Hover = NO_HOVER;
  private readonly watchers = new Set<() => void>();
  private readonly panels = new Map<number, Panel>();

  private send(message: Message, transfer: Transferable[] = []): void {
    this.port ??= this.open();
    this.port(message, transfer);
  }

  private get direct(): boolean {
    return !offscreen() || this.workers > WORKERS_MAX;
  }

  private open(): Send {
    this.workers++;
    if (this.direct) {
      const stage = new Stage({ now: () => performance.now(), frame: (paint) => requestAnimationFrame(paint), later: (call, ms) => setTimeout(call, ms) }, (panel) => this.painted(panel));
      return (message) => stage.receive(message);
    }
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "corral charts" });
    worker.onmessage = (event: MessageEvent<number>) => this.painted(event.data);
    worker.onerror = () => this.lost(worker);
    worker.onmessageerror = () => this.lost(worker);
    this.worker = worker;
    return (message, transfer) => worker.postMessage(message, transfer);
  }

  private lost(worker: Worker): void {
    if (worker !== this.worker) return;
    worker.terminate();
    this.worker = undefined;
    this.port = undefined;
    this.send({ do: "hover", hover: this.hover });
    for (const [id, panel] of this.panels) {
      for (const canvas of panel.canvases) canvas.remove();
      this.place(id, panel);
      if (panel.scene) this.send({ do: "scene", panel: id, scene: bareScene(panel.scene), cause: "hand" });
    }
  }

  private place(id: number, panel: Panel): void {
    panel.canvases = [document.createElement("canvas"), document.createElement("canvas")];
    for (const canvas of panel.canvases) {
      canvas.setAttribute("aria-hidden", "true");
      panel.host.append(canvas);
    }
    // Opening decides whether canvases can be handed over at all.
    this.port ??= this.open();
    const handed: Canvas[] = this.direct ? panel.canvases : panel.canvases.map((c) => c.transferControlToOffscreen());
    this.send({ do: "attach", panel: id, base: handed[0]!, overlay: handed[1]! }, this.direct ? [] : (handed as OffscreenCanvas[]));
  }

  /** How often a panel was painted stands on its element: what a test of "event to pixel" waits for. */
  private painted(id: number): void {
    const host = this.panels.get(id)?.host;
    if (host) host.dataset.painted = String(Number(host.dataset.painted ?? 0) + 1);
  }

  /** Puts two canvases into `host` and returns the panel's number and the way to end it. */
  attach(host: HTMLElement): { panel: number; detach: () => void } {
    const id = this.nextPanel++;
    const panel: Panel = { host, canvases: [], scene: undefined };
    this.panels.set(id, panel);
    this.place(id, panel);
    const detach = () => {
      this.send({ do: "detach", panel: id });
      this.panels.delete(id);
      for (const canvas of panel.canvases) canvas.remove();
    };
    return { panel: id, detach };
  }

  draw(id: number, scene: Scene, cause: Cause = "hand"): void {
    const panel = this.panels.get(id);
    if (!panel || (panel.scene && sameScene(panel.scene, scene))) return;
    panel.scene = scene;
    this.send({ do: "scene", panel: id, scene: bareScene(scene), cause });
  }

  readHover(): Hover {
    return this.hover;
  }

  watchHover(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  }

  setHover(change: Partial<Hover>): void {
    const hover = { ...this.hover, ...change };
    const selects = hover.select === this.hover.select || (hover.select?.[0] === this.hover.select?.[0] && hover.select?.[1] === this.hover.select?.[1]);
    if (hover.x === this.hover.x && hover.runId === this.hover.runId && hover.xName === this.hover.xName && selects) return;
    this.hover = hover;
    this.send({ do: "hover", hover });
    for (const changed of this.watchers) changed();
  }
}

/** One worker for the whole page. */
export const engine = new Engine();
