//! What is painted for a scene: every value that can be seen is, at every zoom; what no axis has is marked.
import { describe, expect, test } from "vitest";
import { layout, mapsOf, toX, toY } from "./layout.js";
import { drawOverlay, drawScene } from "./raster.js";
import { NO_HOVER, type Scene } from "./scene.js";
import { line, Recorder, scene } from "./testing.js";

function painted(s: Scene, highlight: string | null = null): Recorder {
  const g = new Recorder();
  drawScene(g.getContext(), s, layout(s), highlight);
  return g;
}

const ramp = Array.from({ length: 100 }, (_, i) => i / 100);

describe("lines", () => {
  test("through every point, in its colour", () => {
    const s = scene([line("a", ramp)]);
    const [stroke] = painted(s).of("#a").filter((k) => k.op === "stroke" && k.path.length === 100);
    const m = mapsOf(s.view, layout(s));
    expect(stroke?.path[0]).toEqual([toX(m, 0), toY(m, 0)]);
    expect(stroke?.path[99]).toEqual([toX(m, 99), toY(m, 0.99)]);
    expect(stroke?.width).toBe(1.4);
  });

  test("the raw one at 22 % behind the smoothed", () => {
    const strokes = painted(scene([line("a", ramp, { raw: Float64Array.from(ramp) })])).of("#a").filter((k) => k.path.length === 100);
    expect(strokes.map((k) => k.alpha)).toEqual([0.22, 1]);
  });

  test("the pointed-at run stands out, the others fade to 28 %, and nothing fades where it has no line", () => {
    const two = scene([line("a", ramp), line("b", ramp)]);
    const long = (g: Recorder, id: string) => g.of(`#${id}`).find((k) => k.path.length === 100);
    const g = painted(two, "a");
    expect([long(g, "a")?.alpha, long(g, "a")?.width]).toEqual([1, 2.2]);
    expect([long(g, "b")?.alpha, long(g, "b")?.width]).toEqual([0.28, 1.4]);
    expect(g.strokes.findIndex((k) => k === long(g, "a"))).toBeGreaterThan(g.strokes.findIndex((k) => k === long(g, "b")));
    expect(long(painted(two, "elsewhere"), "b")?.alpha).toBe(1);
  });

  test("a gap is not bridged, and a point between two gaps is seen", () => {
    const s = scene([line("a", [0.1, 0.2, NaN, 0.4, NaN, 0.6, 0.7])]);
    const [path, dot] = painted(s).of("#a");
    const at = (i: number) => toX(mapsOf(s.view, layout(s)), i);
    expect(path!.path.map(([x]) => x)).toEqual([at(0), at(1), at(5), at(6)]);
    expect([dot!.op, dot!.path[0]![0]]).toEqual(["fill", at(3)]);
  });

  test("a live line ends in a dot with a halo; a finished one does not", () => {
    const dots = (live: boolean) => painted(scene([line("a", ramp, { live })])).of("#a").filter((k) => k.op === "fill").map((k) => k.alpha);
    expect(dots(true)).toEqual([0.25, 1]);
    expect(dots(false)).toEqual([]);
  });
});

describe("what no axis has", () => {
  test("infinities are triangles at the edge that they left through, NaN a cross at the foot", () => {
    const s = scene([line("a", [0.5, Infinity, -Infinity, NaN, 0.5])]);
    const f = layout(s);
    // Behind the line and the two dots at its ends.
    const marks = painted(s).of("#a").slice(3);
    expect(marks.map((k) => k.op)).toEqual(["fill", "fill", "stroke"]);
    expect(marks[0]!.path[0]![1]).toBe(f.top + 1);
    expect(marks[1]!.path[0]![1]).toBe(f.top + f.height - 1);
    expect(marks[2]!.path[1]![1]).toBe(f.top + f.height - 1);
  });

  test("on a logarithmic axis zero and less are gaps, and a band that goes through zero reaches the foot", () => {
    const s = scene([line("a", [1, 0, 10, 100], { width: 4, min: [0.5, -1, -2, 50], max: [2, 1, 20, 200] })], { yMin: 0.1, yMax: 1000, log: true, xMax: 16 });
    const f = layout(s);
    const filled = painted(s).of("#a").filter((k) => k.op === "fill" && k.alpha === 0.16);
    expect(filled).toHaveLength(1);
    expect(filled[0]!.path[1]![1]).toBeGreaterThan(f.top + f.height);
    for (const k of painted(s).of("#a")) for (const [px, py] of k.path) expect(Number.isFinite(px) && Number.isFinite(py)).toBe(true);
  });
});

describe("a planted spike in 10,000 points", () => {
  const AT = 6_321;
  const points = Array.from({ length: 10_000 }, (_, i) => (i === AT ? 40 : 1 + 0.05 * Math.sin(i * 1.7)));

  /** As the server makes them: powers of two, aligned to zero. */
  function seen(from: number, to: number, buckets: number): Scene {
    let width = 1;
    while (Math.floor(to / width) - Math.floor(from / width) + 1 > buckets) width *= 2;
    const first = Math.floor(from / width);
    const rows: number[][] = [];
    for (let i = from; i <= to; i++) (rows[Math.floor(i / width) - first] ??= []).push(points[i]!);
    const l = line("a", rows.map((r) => r[r.length - 1]!), { width, min: rows.map((r) => Math.min(...r)), max: rows.map((r) => Math.max(...r)) });
    return scene([{ ...l, x: l.x.map((v) => v + first * width) }], { xMin: from, xMax: to, yMin: 0, yMax: 50 });
  }

  test.each([[0, 9_999], [5_000, 9_999], [6_000, 7_000], [6_300, 6_400], [6_318, 6_325]])("is drawn to its top from %d to %d", (from, to) => {
    const s = seen(from, to, 320);
    const m = mapsOf(s.view, layout(s));
    const top = Math.min(...painted(s).of("#a").filter((k) => k.op === "stroke" && k.alpha === 1).flatMap((k) => k.path.map(([, y]) => y)));
    expect(top).toBeCloseTo(toY(m, 40), 6);
  });

  test("and a smoothed line does not hide it", () => {
    const s = seen(0, 9_999, 320);
    const [l] = s.lines;
    const strokes = painted({ ...s, lines: [{ ...l!, raw: l!.y, y: new Float64Array(l!.y.length).fill(1) }] }).of("#a");
    const top = Math.min(...strokes.filter((k) => k.alpha >= 0.5).flatMap((k) => k.path.map(([, y]) => y)));
    expect(top).toBeCloseTo(toY(mapsOf(s.view, layout(s)), 40), 6);
  });

  test("and is no less seen where a bucket is one point, which the smoothing flattened", () => {
    const y = Array.from({ length: 30 }, (_, i) => (i === 15 ? 40 : 1));
    const l = line("a", y);
    const s = scene([{ ...l, raw: l.y, y: new Float64Array(30).fill(2) }], { xMax: 29, yMax: 50 });
    const strokes = painted(s).of("#a").filter((k) => k.op === "stroke" && k.alpha === 0.5);
    expect(strokes.map((k) => k.path)).toHaveLength(1);
    expect(strokes[0]!.path[1]![1]).toBeCloseTo(toY(mapsOf(s.view, layout(s)), 40), 6);
  });

  test("while a smoothed noise is not hatched", () => {
    const y = Array.from({ length: 300 }, (_, i) => 25 + 20 * Math.sin(i * 7.7) * Math.cos(i * 3.1));
    const l = line("a", y);
    const strokes = painted(scene([{ ...l, raw: l.y, y: new Float64Array(300).fill(25) }], { xMax: 299, yMax: 50 })).of("#a").filter((k) => k.op === "stroke" && k.alpha === 0.5);
    expect(strokes.flatMap((k) => k.path).length / 2).toBeLessThan(6);
  });

  test("while an ordinary noise gets no strokes of its own", () => {
    const s = seen(0, 6_000, 320);
    const long = painted(s).of("#a").filter((k) => k.op === "stroke");
    expect(long).toHaveLength(1);
  });
});

describe("overlay", () => {
  const over = (s: Scene, hover: Partial<typeof NO_HOVER>) => {
    const g = new Recorder();
    drawOverlay(g.getContext(), s, layout(s), { ...NO_HOVER, ...hover });
    return g;
  };

  test("one dashed crosshair and a ringed dot on each line that has a point there", () => {
    const s = scene([line("a", ramp), line("b", ramp.slice(0, 20))]);
    const g = over(s, { x: 50 });
    expect(g.of("cross").map((k) => k.dash)).toEqual([[3, 3]]);
    expect(g.of("#a")).toHaveLength(1);
    expect(g.of("#b")).toHaveLength(0);
  });

  test("nothing where the crosshair is out of view", () => expect(over(scene([line("a", ramp)]), { x: 200 }).strokes).toHaveLength(1));

  test("the range being dragged, cut to the plot", () => {
    const s = scene([line("a", ramp)]);
    const f = layout(s);
    const [area] = over(s, { select: [50, 1e9] }).strokes.filter((k) => k.op === "rect");
    expect(area!.path[0]![0]).toBeCloseTo(toX(mapsOf(s.view, f), 50), 6);
    expect(area!.path[1]![0]).toBeCloseTo(f.left + f.width, 6);
  });
});
