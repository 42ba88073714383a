//! One hand on one panel: what a drag, a wheel and each key do.
import { beforeEach, describe, expect, test, vi } from "vitest";
import { gestures } from "./gesture.js";
import { layout, mapsOf, toX } from "./layout.js";
import { type Hover, NO_HOVER, type Scene } from "./scene.js";
import { line, scene } from "./testing.js";
import type { Range } from "./view.js";

const ramp = Array.from({ length: 100 }, (_, i) => i / 100);
let element: EventTarget & { getBoundingClientRect(): { left: number; top: number }; setPointerCapture: () => void };
let s: Scene;
let hover: Hover;
let zooms: (Range | null)[];
const opened = vi.fn<(id: string) => void>();
let end: () => void;

beforeEach(() => {
  element = Object.assign(new EventTarget(), { getBoundingClientRect: () => ({ left: 100, top: 50 }), setPointerCapture: () => undefined });
  s = scene([line("a", ramp), line("b", ramp.map((v) => 1 - v).slice(0, 60))]);
  hover = NO_HOVER;
  zooms = [];
  opened.mockClear();
  end = gestures(element as unknown as HTMLElement, {
    shown: () => ({ scene: s, frame: layout(s) }), full: () => [0, 99], hovered: () => hover, open: opened,
    hover: (change) => void (hover = { ...hover, ...change }), zoom: (range) => void zooms.push(range),
  });
});

/** True: the page does what it would have done anyway. */
function send(type: string, props: object = {}): boolean {
  return element.dispatchEvent(Object.assign(new Event(type, { cancelable: true, bubbles: true }), { button: 0, pointerId: 1, pointerType: "mouse", deltaMode: 0, ...props }));
}
const px = (x: number) => 100 + toX(mapsOf(s.view, layout(s)), x);
const key = (name: string, more: object = {}) => send("keydown", { key: name, ...more });

describe("pointer", () => {
  test("moves the crosshair to the nearest point and points at the line under it", () => {
    send("pointermove", { clientX: px(30.3), clientY: 50 + 8 });
    expect(hover).toMatchObject({ x: 30, runId: null });
    const f = layout(s);
    send("pointermove", { clientX: px(30), clientY: 50 + f.top + f.height * 0.7 });
    expect(hover.runId).toBe("a");
    send("pointerleave");
    expect(hover).toEqual(NO_HOVER);
  });

  test("a drag shows its range, then zooms to it", () => {
    send("pointerdown", { clientX: px(20), clientY: 120 });
    send("pointermove", { clientX: px(40), clientY: 120 });
    expect(hover.select![0]).toBeCloseTo(20, 6);
    expect(hover.select![1]).toBeCloseTo(40, 6);
    expect(hover.x).toBeNull();
    send("pointerup", { clientX: px(10), clientY: 120 });
    expect(hover.select).toBeNull();
    expect(zooms).toEqual([[10, 20]]);
  });

  test("a click is not a drag, a finger does not zoom, Escape lets go", () => {
    send("pointerdown", { clientX: px(20), clientY: 120 });
    send("pointerup", { clientX: px(20) + 2, clientY: 120 });
    send("pointerdown", { clientX: px(20), clientY: 120, pointerType: "touch" });
    send("pointerup", { clientX: px(60), clientY: 120, pointerType: "touch" });
    send("pointerdown", { clientX: px(20), clientY: 120 });
    send("pointermove", { clientX: px(60), clientY: 120 });
    key("Escape");
    expect(hover.select).toBeNull();
    send("pointerup", { clientX: px(60), clientY: 120 });
    expect(zooms).toEqual([]);
  });

  test("a double click shows everything", () => {
    send("dblclick");
    expect(zooms).toEqual([null]);
  });
});

describe("wheel", () => {
  test("alone it scrolls the page", () => {
    expect(send("wheel", { clientX: px(50), clientY: 120, deltaY: 100 })).toBe(true);
    expect(zooms).toEqual([]);
  });
  test("with Ctrl it zooms around the pointer", () => {
    expect(send("wheel", { clientX: px(50), clientY: 120, deltaY: -200, ctrlKey: true })).toBe(false);
    const [from, to] = zooms[0]!;
    expect(to - from).toBeLessThan(80);
    expect((50 - from) / (to - from)).toBeCloseTo(50 / 99, 1);
  });
  test("with Shift it goes along, as far as there is data", () => {
    s = scene(s.lines, { xMin: 20, xMax: 40 });
    send("wheel", { clientX: px(30), clientY: 120, deltaY: 100, shiftKey: true });
    expect(zooms).toEqual([[22, 42]]);
  });
});

describe("keys", () => {
  test("left and right go from point to point, Shift by ten, Home and End to the ends", () => {
    key("ArrowRight");
    expect(hover).toMatchObject({ x: 0, runId: "a" });
    key("ArrowRight", { shiftKey: true });
    expect(hover.x).toBe(10);
    key("ArrowLeft");
    expect(hover.x).toBe(9);
    key("End");
    expect(hover.x).toBe(99);
    key("ArrowRight");
    expect(hover.x).toBe(99);
    key("Home");
    expect(hover.x).toBe(0);
  });

  test("only along what is in view", () => {
    s = scene(s.lines, { xMin: 20, xMax: 40 });
    key("End");
    expect(hover.x).toBe(40);
  });

  test("up and down choose the run by its value at the crosshair, Enter opens it", () => {
    hover = { ...NO_HOVER, x: 10 };
    key("ArrowDown");
    expect(hover.runId).toBe("b");
    key("ArrowDown");
    expect(hover.runId).toBe("a");
    key("ArrowUp");
    key("Enter");
    expect(opened.mock.calls).toEqual([["b"]]);
  });

  test("plus and minus zoom around the crosshair, 0 shows everything", () => {
    hover = { ...NO_HOVER, x: 50 };
    key("+");
    key("0");
    expect(zooms).toEqual([[25, 75], null]);
  });

  test("what means something here is not the page's too", () => {
    const stopped = vi.fn();
    key("ArrowRight", { stopPropagation: stopped });
    expect(stopped).toHaveBeenCalledTimes(1);
    key("x", { stopPropagation: stopped });
    expect(stopped).toHaveBeenCalledTimes(1);
  });

  test("what means nothing here is left to the page, and so is everything with a modifier", () => {
    expect(key("x")).toBe(true);
    expect(key("ArrowRight", { ctrlKey: true })).toBe(true);
    expect(key("Enter")).toBe(true);
    expect(key("Escape")).toBe(true);
    expect(key("ArrowRight")).toBe(false);
  });
});

test("after its end it hears nothing", () => {
  end();
  send("dblclick");
  key("0");
  expect(zooms).toEqual([]);
});
