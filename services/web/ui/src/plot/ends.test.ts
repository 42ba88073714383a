//! Names at the ends of lines: beside their line, never over one another, and none where there is no room.
import { expect, test } from "vitest";
import { endLabels, gutterOf } from "./ends.js";
import { layout } from "./layout.js";
import type { Line } from "./scene.js";
import { line, scene } from "./testing.js";

const labels = (lines: Line[], view = {}) => {
  const s = { ...scene(lines, { xMax: 2, ...view }), width: 600, gutter: gutterOf(lines, 600) };
  const frame = layout(s);
  return { frame, at: endLabels(s, frame) };
};

test("each beside the end of its line, from the top down", () => {
  const { frame, at } = labels([line("low", [1, 0.5, 0]), line("high", [0, 0.5, 1])]);
  expect(at.map((l) => [l.text, Math.round(l.top)])).toEqual([["high", frame.top], ["low", frame.top + frame.height]]);
});

test("the plot makes room for the longest name, and for no more than a share", () => {
  const lines = [line("a", [1]), line("long-name", [1])];
  expect(gutterOf(lines, 600)).toBeGreaterThan(9 * 6);
  expect(gutterOf([line("a", [1]), line("x".repeat(500), [1])], 600)).toBe(144);
  expect(layout({ ...scene(lines), gutter: 80 }).width).toBe(layout(scene(lines)).width - 80);
});

test("no names on a narrow plot, of one line, or in a crowd", () => {
  const two = [line("a", [1]), line("b", [1])];
  expect(gutterOf(two, 300)).toBe(0);
  expect(gutterOf(two.slice(1), 900)).toBe(0);
  expect(gutterOf(Array.from({ length: 13 }, (_, i) => line(`${i}`, [1])), 900)).toBe(0);
  expect(endLabels(scene(two), layout(scene(two)))).toEqual([]);
});

test("equal ends stand under one another, inside the plot", () => {
  for (const y of [0, 0.5, 1]) {
    const { frame, at } = labels(Array.from({ length: 8 }, (_, i) => line(`${i}`, [0, 0, y])));
    const tops = at.map((l) => l.top);
    expect(tops).toHaveLength(8);
    for (let i = 1; i < 8; i++) expect(tops[i]! - tops[i - 1]!).toBeGreaterThanOrEqual(13.99);
    expect(tops[7]!).toBeLessThanOrEqual(frame.top + frame.height + 0.01);
  }
});

test("a line whose last values no axis has is named where it was seen last; one that is out of view is not", () => {
  const { at } = labels([line("gone", [0.5, 0.5, NaN]), line("b", [0, 0, 0])]);
  expect(at.map((l) => l.text)).toEqual(["gone", "b"]);
  const zoomed = labels([line("early", [0.5, 0.5]), line("b", Array.from({ length: 20 }, () => 0))], { xMin: 10, xMax: 19 });
  expect(zoomed.at.map((l) => l.text)).toEqual(["b"]);
});
