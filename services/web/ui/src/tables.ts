//! A chart as a table: what is drawn, a row for each place on x and a column for each line. For those who read figures, or cannot see lines.
import { exactText, numberText } from "./format.js";
import type { PanelLine } from "./lines.js";
import type { Range } from "./plot/view.js";

/** Digits of a figure: more than a tooltip's, since a table is read for them; all of them are in the exact text. */
const DIGITS = 6;

export interface TableRow {
  /** A bucket's middle. */
  x: number;
  /** Units of x that it covers. */
  width: number;
  /** Of each line, which of its points this is; -1: none here. */
  at: readonly number[];
}

/** The rows of what is in view, from the least x up. Lines of one answer have buckets in common places, of one width or of another. */
export function tableRows(lines: readonly PanelLine[], view: Range): TableRow[] {
  const rows = new Map<string, { x: number; width: number; at: number[] }>();
  lines.forEach((line, k) => {
    const { width } = line.series;
    for (let i = 0; i < line.x.length; i++) {
      const x = line.x[i]!;
      if (x < view[0] || x > view[1]) continue;
      const key = `${x} ${width}`;
      let row = rows.get(key);
      if (!row) rows.set(key, (row = { x, width, at: new Array<number>(lines.length).fill(-1) }));
      row.at[k] = i;
    }
  });
  return [...rows.values()].sort((a, b) => a.x - b.x || a.width - b.width);
}

export interface TableCell {
  text: string;
  /** The figure in all its digits, and what the bucket stands for. */
  title: string;
}

/** A fraction keeps its zeros, so that the points of a column stand under one another. */
function figureText(value: number): string {
  const text = numberText(value, DIGITS);
  const [whole, fraction] = text.split(".");
  if (fraction === undefined || text.includes("e")) return text;
  const decimals = Math.max(0, DIGITS - 1 - Math.floor(Math.log10(Math.abs(value))));
  return `${whole}.${fraction.padEnd(Math.min(8, decimals), "0")}`;
}

const NONE: TableCell = { text: "–", title: "no point here" };

export function tableCell(line: PanelLine, i: number): TableCell {
  if (i < 0) return NONE;
  const { series } = line;
  // A bucket of values that are no numbers has no last one: what it has is said.
  const value = Number.isNaN(line.y[i]!) && series.nanCount[i]! === 0 ? series.firstNonFinite[i]! : line.y[i]!;
  const words = [exactText(value)];
  if (line.raw) words.push(`as logged ${exactText(line.raw[i]!)}`);
  if (series.count[i]! > 1) words.push(`last of ${series.count[i]} points, ${numberText(series.min[i]!)} to ${numberText(series.max[i]!)}`);
  if (series.nanCount[i]! > 0) words.push(`${series.nanCount[i]} NaN`);
  return { text: figureText(value), title: words.join("\n") };
}
