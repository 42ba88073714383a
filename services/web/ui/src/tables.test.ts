//! The table says what the chart draws: a row for each place, a cell for each line, nothing made up between.
import { expect, test } from "vitest";
import { line } from "./plot/testing.js";
import { tableCell, tableRows } from "./tables.js";

const EVERYTHING = [-Infinity, Infinity] as const;
const texts = (lines: ReturnType<typeof line>[], view: readonly [number, number] = EVERYTHING) => tableRows(lines, view).map((r) => [r.x, ...lines.map((l, k) => tableCell(l, r.at[k]!).text)]);

test("a row for each place that some line has, from the least up; no point is no figure", () => {
  const late = line("b", [7, 8], { x: Float64Array.from([1, 5]) });
  expect(texts([line("a", [0.5, 0.25, 0.125]), late])).toEqual([[0, "0.500000", "–"], [1, "0.250000", "7"], [2, "0.125000", "–"], [5, "–", "8"]]);
});

test("only what is in view", () => expect(texts([line("a", [1, 2, 3, 4])], [1, 2])).toEqual([[1, "2"], [2, "3"]]));

test("buckets of another width at the same middle are another row", () => {
  const rows = tableRows([line("a", [1], { width: 4, x: Float64Array.from([1.5]) }), line("b", [2], { width: 2, x: Float64Array.from([1.5]) })], EVERYTHING);
  expect(rows.map((r) => [r.width, r.at])).toEqual([[2, [-1, 0]], [4, [0, -1]]]);
});

test("a figure says all its digits and what it stands for when it is asked", () => {
  const cell = tableCell(line("a", [0.1234567890123], { width: 8, min: [0.1], max: [0.3] }), 0);
  expect(cell.text).toBe("0.123457");
  expect(cell.title).toBe("0.1234567890123\nlast of 8 points, 0.1000 to 0.3000");
  const smoothed = line("a", [2], { raw: Float64Array.of(3) });
  expect(tableCell(smoothed, 0).title).toBe("2\nas logged 3");
});

test("what is not finite is said, not left out", () => {
  const l = line("a", [NaN, Infinity, -Infinity]);
  expect([0, 1, 2].map((i) => tableCell(l, i).text)).toEqual(["NaN", "∞", "−∞"]);
});
