//! The page's end of the worker: nothing is sent for nothing, nothing but what is painted, and a lost worker is replaced.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Engine } from "./engine.js";
import type { Message } from "./stage.js";
import { line, scene } from "./testing.js";

class FakeWorker {
  static all: FakeWorker[] = [];
  sent: Message[] = [];
  ended = false;
  onmessage: ((e: { data: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  constructor() {
    FakeWorker.all.push(this);
  }
  postMessage(message: Message): void {
    this.sent.push(message);
  }
  terminate(): void {
    this.ended = true;
  }
}

class FakeCanvas {
  attributes: Record<string, string> = {};
  here = true;
  setAttribute(name: string, value: string): void {
    this.attributes[name] = value;
  }
  transferControlToOffscreen(): object {
    return { from: this };
  }
  remove(): void {
    this.here = false;
  }
}

class FakeHost {
  dataset: Record<string, string> = {};
  canvases: FakeCanvas[] = [];
  append(canvas: FakeCanvas): void {
    this.canvases.push(canvas);
  }
}

beforeEach(() => {
  FakeWorker.all = [];
  vi.stubGlobal("Worker", FakeWorker);
  vi.stubGlobal("OffscreenCanvas", class {});
  vi.stubGlobal("HTMLCanvasElement", FakeCanvas);
  vi.stubGlobal("document", { createElement: () => new FakeCanvas() });
});
afterEach(() => vi.unstubAllGlobals());

const sentOf = (worker: number) => FakeWorker.all[worker]!.sent.map((m) => m.do);

function panelOf(engine: Engine): { host: FakeHost; panel: number; detach: () => void } {
  const host = new FakeHost();
  return { host, ...engine.attach(host as unknown as HTMLElement) };
}

test("one worker paints all panels; a scene that is the same is not sent", () => {
  const engine = new Engine();
  const [a, b] = [panelOf(engine), panelOf(engine)];
  const s = scene([line("a", [1, 2])]);
  engine.draw(a.panel, s, "data");
  engine.draw(a.panel, { ...s, view: { ...s.view } }, "data");
  engine.draw(b.panel, s);
  expect(FakeWorker.all).toHaveLength(1);
  expect(sentOf(0)).toEqual(["attach", "attach", "scene", "scene"]);
});

test("a line is sent without what is not painted", () => {
  const engine = new Engine();
  const { panel } = panelOf(engine);
  engine.draw(panel, scene([line("a", [1, 2])]));
  const message = FakeWorker.all[0]!.sent.find((m) => m.do === "scene")!;
  expect(Object.keys(message.scene.lines[0]!)).not.toContain("series");
  expect([...message.scene.lines[0]!.y]).toEqual([1, 2]);
});

test("a detached panel is neither drawn nor counted", () => {
  const engine = new Engine();
  const { panel, detach, host } = panelOf(engine);
  detach();
  engine.draw(panel, scene([]));
  FakeWorker.all[0]!.onmessage!({ data: panel });
  expect(sentOf(0)).toEqual(["attach", "detach"]);
  expect([host.canvases.map((c) => c.here), host.dataset.painted]).toEqual([[false, false], undefined]);
});

test("paints are counted on the panel's element", () => {
  const { host, panel } = panelOf(new Engine());
  FakeWorker.all[0]!.onmessage!({ data: panel });
  FakeWorker.all[0]!.onmessage!({ data: panel });
  expect(host.dataset.painted).toBe("2");
});

test("a lost worker is replaced: new canvases, the last scene, the crosshair", () => {
  const engine = new Engine();
  const { panel, host } = panelOf(engine);
  engine.draw(panel, scene([line("a", [1])]));
  engine.setHover({ x: 3 });
  FakeWorker.all[0]!.onerror!();
  expect(FakeWorker.all[0]!.ended).toBe(true);
  expect(sentOf(1)).toEqual(["hover", "attach", "scene"]);
  expect(host.canvases.map((c) => c.here)).toEqual([false, false, true, true]);
  FakeWorker.all[0]!.onerror!();
  expect(FakeWorker.all).toHaveLength(2);
});

test("the hover is told once to each that watches, and only when it moved", () => {
  const engine = new Engine();
  panelOf(engine);
  const told = vi.fn();
  const end = engine.watchHover(told);
  engine.setHover({ x: 3, select: [1, 2] });
  engine.setHover({ x: 3, select: [1, 2] });
  expect(told).toHaveBeenCalledTimes(1);
  end();
  engine.setHover({ x: 4 });
  expect(told).toHaveBeenCalledTimes(1);
  expect(engine.readHover()).toEqual({ x: 4, runId: null, select: [1, 2] });
});
