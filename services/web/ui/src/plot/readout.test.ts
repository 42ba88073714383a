//! The tooltip's words and place, and the chart in a sentence.
import { describe, expect, test } from "vitest";
import { layout, mapsOf, toX, toY } from "./layout.js";
import { describe as sentence, lineAt, placeTooltip, readout, snap } from "./readout.js";
import { line, scene } from "./testing.js";

describe("readout", () => {
  const lines = [line("low", [1, 1, 1]), line("high", [9, 9, 9]), line("nan", [NaN, NaN, NaN]), line("inf", [Infinity, 0, 0]), line("short", [5])];

  test("greatest first, infinities in their place, NaN last; ended lines say nothing", () => {
    expect(readout(lines, 0, 0.4).map((r) => r.id)).toEqual(["inf", "high", "short", "low", "nan"]);
    expect(readout(lines, 2, 0.4).map((r) => [r.id, r.value])).toEqual([["high", 9], ["low", 1], ["inf", 0], ["nan", NaN]]);
  });

  test("a bucket says what it stands for; the value as drawn and as logged", () => {
    const l = line("a", [3, 4], { width: 8, min: [1, 2], max: [30, 40] });
    const [row] = readout([{ ...l, y: Float64Array.from([3.5, 4.5]), raw: l.y }], 4, 1);
    expect(row).toMatchObject({ x: 3.5, value: 3.5, raw: 3, count: 8, min: 1, max: 30, width: 8 });
  });

  test("-0.0 stays itself", () => expect(Object.is(readout([line("a", [-0])], 0, 1)[0]!.raw, -0)).toBe(true));

  test("the crosshair snaps to a point that is there", () => {
    expect(snap([line("a", [1, 1]), line("b", [1, 1], { width: 8 })], 3)).toBe(3.5);
    expect(snap([line("a", [])], 3)).toBeNull();
  });
});

describe("lineAt", () => {
  const s = scene([line("a", [0.2, 0.2, 0.2, 0.2]), line("b", [0.8, 0.8, NaN, 0.8])], { xMax: 3 });
  const m = mapsOf(s.view, layout(s));
  test("the nearest line, between its points too", () => {
    expect(lineAt(s.lines, m, toX(m, 0.5), toY(m, 0.8) + 3, 10)).toBe("b");
    expect(lineAt(s.lines, m, toX(m, 2.5), toY(m, 0.2) - 3, 10)).toBe("a");
  });
  test("none that is too far, or that has a gap there", () => {
    expect(lineAt(s.lines, m, toX(m, 0.5), toY(m, 0.5), 10)).toBeNull();
    expect(lineAt(s.lines, m, toX(m, 2), toY(m, 0.8), 10)).toBeNull();
  });
});

describe("placeTooltip", () => {
  const size = { width: 200, height: 120 };
  const within = { width: 1000, height: 700 };
  test("never over the point, always inside", () => {
    for (const w of [within, { width: 390, height: 700 }, { width: 320, height: 400 }]) {
      for (let x = 0; x <= w.width; x += 13) {
        for (let y = 0; y <= w.height; y += 17) {
          const { left, top } = placeTooltip({ x, y }, size, w);
          expect(left >= 0 && top >= 0 && left + size.width <= w.width && top + size.height <= w.height, `inside at ${x},${y} of ${w.width}`).toBe(true);
          expect(x >= left && x <= left + size.width && y >= top && y <= top + size.height, `over ${x},${y} of ${w.width}`).toBe(false);
        }
      }
    }
  });
});

describe("a sentence", () => {
  const text = String;
  test("with the least and the greatest and where they are", () => {
    expect(sentence("val/loss", [line("owl", [3, 0.5, 1]), line("fox", [2, 2, 9])], text, (x) => `step ${x}`)).toBe("val/loss, 2 runs, lowest 0.5 owl at step 1, highest 9 fox at step 2");
  });
  test("without a finite value", () => expect(sentence("loss", [line("owl", [NaN])], text, text)).toBe("loss, 1 run, no finite value"));
});
