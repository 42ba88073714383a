//! The page's end of the chart worker: hands canvases over, sends scenes, and shares one crosshair among all panels.
import type { Scene } from "./scene.js";
import { type Message, Stage } from "./stage.js";

export interface Hover {
  /** The crosshair's place in units of x; null: none. */
  x: number | null;
  /** The run that is pointed at. */
  runId: string | null;
}

const NOTHING: Hover = { x: null, runId: null };

class Engine {
  private port: ((message: Message, transfer: Transferable[]) => void) | undefined;
  private nextPanel = 1;
  private hover: Hover = NOTHING;
  private readonly watchers = new Set<() => void>();
  private readonly elements = new Map<number, HTMLElement>();

  private send(message: Message, transfer: Transferable[] = []): void {
    this.port ??= this.open();
    this.port(message, transfer);
  }

  private open(): (message: Message, transfer: Transferable[]) => void {
    if (typeof OffscreenCanvas === "undefined" || !("transferControlToOffscreen" in HTMLCanvasElement.prototype)) {
      const stage = new Stage((paint) => requestAnimationFrame(paint), (panel) => this.painted(panel));
      return (message) => stage.receive(message);
    }
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "corral charts" });
    worker.onmessage = (event: MessageEvent<number>) => this.painted(event.data);
    return (message, transfer) => worker.postMessage(message, transfer);
  }

  /** How often a panel was painted stands on its element: what a test of "event to pixel" waits for. */
  private painted(panel: number): void {
    const element = this.elements.get(panel);
    if (element) element.dataset.painted = String(Number(element.dataset.painted ?? 0) + 1);
  }

  /** Puts two canvases into `host` and returns the panel's number and the way to end it. */
  attach(host: HTMLElement): { panel: number; detach: () => void } {
    const panel = this.nextPanel++;
    const canvases = [document.createElement("canvas"), document.createElement("canvas")] as const;
    for (const canvas of canvases) host.append(canvas);
    this.elements.set(panel, host);
    const direct = typeof OffscreenCanvas === "undefined";
    const [base, overlay] = direct ? canvases : canvases.map((c) => c.transferControlToOffscreen());
    this.send({ do: "attach", panel, base: base!, overlay: overlay! }, direct ? [] : ([base, overlay] as Transferable[]));
    const detach = () => {
      this.send({ do: "detach", panel });
      this.elements.delete(panel);
      for (const canvas of canvases) canvas.remove();
    };
    return { panel, detach };
  }

  draw(panel: number, scene: Scene): void {
    this.send({ do: "scene", panel, scene });
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
    if (hover.x === this.hover.x && hover.runId === this.hover.runId) return;
    this.hover = hover;
    this.send({ do: "hover", x: hover.x, highlight: hover.runId });
    for (const changed of this.watchers) changed();
  }
}

/** One worker for the whole page. */
export const engine = new Engine();
