//! Colours: stable for a run, and told apart.
import { expect, test } from "vitest";
import { colorNumber, COLORS, colorsOf, DASHES, dashOf } from "./color.js";

const runs = (n: number) => Array.from({ length: n }, (_, i) => ({ id: `run-${i}`, createdUs: BigInt(i) }));

test("twelve runs have twelve colours, and twenty-four have each twice", () => {
  expect(new Set(colorsOf(runs(COLORS)).values()).size).toBe(COLORS);
  const counts = new Map<number, number>();
  for (const c of [...colorsOf(runs(2 * COLORS)).values()].map(colorNumber)) counts.set(c, (counts.get(c) ?? 0) + 1);
  expect([...counts.values()]).toEqual(new Array(COLORS).fill(2));
  expect(Math.min(...counts.keys())).toBe(1);
  expect(Math.max(...counts.keys())).toBe(COLORS);
});

test("a run that arrives changes nobody's colour, in whatever order they are listed", () => {
  const before = colorsOf(runs(9));
  const after = colorsOf([...runs(10)].reverse());
  for (const [id, color] of before) expect(after.get(id)).toBe(color);
});

test("runs that share a colour have other dashes; the oldest of each is solid", () => {
  const pens = [...colorsOf(runs(DASHES.length * COLORS)).values()].map((n) => `${colorNumber(n)} ${dashOf(n).join()}`);
  expect(new Set(pens).size).toBe(DASHES.length * COLORS);
  expect(pens.slice(0, COLORS).every((pen) => pen.endsWith(" "))).toBe(true);
});
