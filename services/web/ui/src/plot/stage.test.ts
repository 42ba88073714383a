//! When panels are painted: once a frame, ten times a second from data, at once from the hand, and never for nothing.
import { beforeEach, describe, expect, test } from "vitest";
import { NO_HOVER, sameScene, type Scene } from "./scene.js";
import { type Cause, Stage } from "./stage.js";
import { line, Recorder, scene } from "./testing.js";

let now: number;
let frames: (() => void)[];
let timers: { at: number; call: () => void }[];
let paints: number[];
let stage: Stage;
let canvases: Map<number, [Recorder, Recorder]>;

/** Lets time go by in frames of 16 ms. */
function pass(ms: number): void {
  for (const end = now + ms; now < end; ) {
    now += 16;
    for (const t of timers.splice(0)) t.at <= now ? t.call() : timers.push(t);
    for (const paint of frames.splice(0)) paint();
  }
}

function attach(panel: number): [Recorder, Recorder] {
  const pair: [Recorder, Recorder] = [new Recorder(), new Recorder()];
  stage.receive({ do: "attach", panel, base: pair[0] as unknown as OffscreenCanvas, overlay: pair[1] as unknown as OffscreenCanvas });
  canvases.set(panel, pair);
  return pair;
}

const show = (panel: number, s: Scene, cause: Cause = "data") => stage.receive({ do: "scene", panel, scene: s, cause });
const some = (k: number) => scene([line("a", [k / 100, 0.5, 0.7])]);

beforeEach(() => {
  [now, frames, timers, paints, canvases] = [1_000, [], [], [], new Map()];
  stage = new Stage({ now: () => now, frame: (p) => void frames.push(p), later: (call, ms) => void timers.push({ at: now + ms, call }) }, (p) => void paints.push(p));
  attach(1);
});

describe("redraws", () => {
  test("the first scene is painted on the next frame, at the display's density", () => {
    show(1, some(1));
    expect(paints).toEqual([]);
    pass(16);
    expect(paints).toEqual([1]);
    expect([canvases.get(1)![0].width, canvases.get(1)![0].height]).toEqual([880, 480]);
  });

  test("data: at most ten a second, and the newest is what is seen at last", () => {
    for (let k = 0; k < 100; k++) {
      show(1, some(k));
      pass(16);
    }
    expect(paints.length).toBeGreaterThanOrEqual(12);
    expect(paints.length).toBeLessThanOrEqual(17);
    pass(200);
    const before = canvases.get(1)![0].of("#a")[0]!.path[0]![1];
    show(1, some(99), "hand");
    pass(16);
    expect(canvases.get(1)![0].of("#a")[0]!.path[0]![1]).toBe(before);
  });

  test("the hand: every frame", () => {
    for (let k = 0; k < 30; k++) {
      show(1, some(k), "hand");
      show(1, some(k), "hand");
      pass(16);
    }
    expect(paints).toHaveLength(30);
  });

  test("one busy panel does not hold up another", () => {
    attach(2);
    show(1, some(1));
    pass(16);
    show(1, some(2));
    show(2, some(2));
    pass(16);
    expect(paints).toEqual([1, 2]);
    pass(120);
    expect(paints).toEqual([1, 2, 1]);
  });

  test("nothing is painted, and no timer runs, when nothing happens", () => {
    show(1, some(1));
    pass(200);
    const count = paints.length;
    pass(5_000);
    expect(paints).toHaveLength(count);
    expect([frames.length, timers.length]).toEqual([0, 0]);
  });

  test("a detached panel is not painted", () => {
    show(1, some(1));
    stage.receive({ do: "detach", panel: 1 });
    pass(200);
    expect(paints).toEqual([]);
  });
});

describe("hover", () => {
  const hover = (h: Partial<typeof NO_HOVER>) => stage.receive({ do: "hover", hover: { ...NO_HOVER, ...h } });

  test("the crosshair paints overlays alone, and only where it is in view", () => {
    const [, far] = attach(2);
    show(1, some(1));
    show(2, scene([line("a", [0.5])], { xMin: 500, xMax: 600 }));
    pass(200);
    const painted = paints.length;
    far.strokes = [];
    hover({ x: 1 });
    pass(16);
    expect(canvases.get(1)![1].of("cross")).toHaveLength(1);
    expect(far.strokes).toEqual([]);
    expect(paints).toHaveLength(painted);
    hover({ x: null });
    pass(16);
    expect(canvases.get(1)![1].of("cross")).toHaveLength(0);
  });

  test("moves on every frame though data waits for its turn, and speaks of what is seen", () => {
    show(1, some(1));
    pass(16);
    show(1, some(50));
    hover({ x: 0 });
    pass(16);
    expect(paints).toEqual([1]);
    const [base, overlay] = canvases.get(1)!;
    expect(overlay.of("#a")[0]!.path[0]![1]).toBe(base.of("#a")[0]!.path[0]![1]);
    pass(120);
    expect(paints).toEqual([1, 1]);
    expect(overlay.of("#a")[0]!.path[0]![1]).toBe(base.of("#a")[0]!.path[0]![1]);
  });

  test("a run that is pointed at repaints the panels that have it", () => {
    attach(2);
    show(1, some(1));
    show(2, scene([line("b", [0.5])]));
    pass(200);
    paints.length = 0;
    hover({ runId: "a" });
    pass(16);
    expect(paints).toEqual([1]);
  });
});

test("a context that was lost is painted again when it comes back", () => {
  show(1, some(1));
  pass(200);
  paints.length = 0;
  canvases.get(1)![0].dispatchEvent(new Event("contextrestored"));
  pass(16);
  expect(paints).toEqual([1]);
});

describe("sameScene", () => {
  const one = some(1);
  test("columns by identity, all else by value", () => {
    expect(sameScene(one, { ...one, view: { ...one.view }, theme: { ...one.theme }, lines: one.lines.map((l) => ({ ...l })) })).toBe(true);
  });
  test.each<[string, Partial<Scene>]>([
    ["width", { width: 1 }], ["density", { scale: 1 }], ["view", { view: { ...one.view, yMax: 3 } }], ["theme", { theme: { ...one.theme, grid: "other" } }],
    ["lines", { lines: [] }], ["a column", { lines: one.lines.map((l) => ({ ...l, y: l.y.slice() })) }], ["a colour", { lines: one.lines.map((l) => ({ ...l, color: "red" })) }],
  ])("tells another %s", (_, change) => expect(sameScene(one, { ...one, ...change })).toBe(false));
});
