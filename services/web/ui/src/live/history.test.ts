//! Buckets: columns exactly as sent, and what changed put over what was there.
import { describe, expect, test } from "vitest";
import { create } from "@bufbuild/protobuf";
import { GetHistoryResponseSchema, type GetHistoryResponse } from "../gen/corral/v1/query_pb.js";
import { applyHistory, type History } from "./history.js";
import { columns, historyBody, type SeriesInit } from "./testing.js";

const wire = (series: readonly SeriesInit[]): GetHistoryResponse => create(GetHistoryResponseSchema, historyBody(series).value as never);
const whole = (series: readonly SeriesInit[]): History => applyHistory(undefined, wire(series), true);
const rows = (h: History, ref: number) => [...h.get(ref)!.index].map((i, k) => [i, h.get(ref)!.last[k]]);

describe("what is sent", () => {
  test("comes back bit by bit: NaN, infinities, -0.0, denormals", () => {
    const values = [NaN, Infinity, -Infinity, -0, 5e-324, Number.MAX_VALUE, 0.1];
    const s = whole([{ ref: 1, run: "a", at: [-3, -2, -1, 0, 1, 2, 3], values }]).get(1)!;
    for (const [i, v] of values.entries()) for (const name of ["min", "max", "mean", "last"] as const) expect(Object.is(s[name][i], v)).toBe(true);
    expect([...s.nanCount]).toEqual([1, 0, 0, 0, 0, 0, 0]);
    expect([...s.index]).toEqual([-3, -2, -1, 0, 1, 2, 3]);
    expect([...s.firstNonFinite].map(String)).toEqual(["NaN", "Infinity", "-Infinity", "0", "0", "0", "0"]);
  });

  test("columns of unaligned bytes are read all the same", () => {
    const c = columns([7], [1.5]);
    const shifted = new Uint8Array(9).fill(1);
    shifted.set(c.last as Uint8Array, 1);
    const response = create(GetHistoryResponseSchema, { series: [{ ref: 1, runId: "a", rows: 1, columns: { case: "buckets", value: { ...c, last: shifted.subarray(1) } } }] });
    expect(applyHistory(undefined, response, true).get(1)!.last[0]).toBe(1.5);
  });

  test("a column of another length is refused by name", () => {
    const response = create(GetHistoryResponseSchema, { series: [{ ref: 1, runId: "a", rows: 2, columns: { case: "buckets", value: { ...columns([0, 1], [1, 2]), max: new Uint8Array(8) } } }] });
    expect(() => applyHistory(undefined, response, true)).toThrow(/max has 1 entries of 2/);
  });
});

describe("a delta", () => {
  const before = whole([{ ref: 1, run: "a", at: [0, 2, 4], values: [10, 12, 14] }, { ref: 2, run: "b", at: [0], values: [1] }]);

  test("replaces the bucket of its index, adds new ones in their place, and leaves the rest", () => {
    const after = applyHistory(before, wire([{ ref: 1, at: [1, 4, 5], values: [11, 99, 15] }]), false);
    expect(rows(after, 1)).toEqual([[0, 10], [1, 11], [2, 12], [4, 99], [5, 15]]);
    expect(after.get(1)).toMatchObject({ runId: "a", metric: "loss", take: 1, rows: 5 });
    expect(rows(before, 1)).toEqual([[0, 10], [2, 12], [4, 14]]);
  });

  test("leaves untouched series the same objects: nothing is redrawn for them", () => {
    const after = applyHistory(before, wire([{ ref: 1, at: [6], values: [1] }]), false);
    expect(after.get(2)).toBe(before.get(2));
    expect(after.get(1)).not.toBe(before.get(1));
  });

  test("may bring a series that is new, and names it", () => {
    const after = applyHistory(before, wire([{ ref: 3, run: "c", at: [0], values: [5] }]), false);
    expect(after.get(3)).toMatchObject({ runId: "c", rows: 1 });
  });

  test.each<[string, SeriesInit]>([
    ["that names nobody", { ref: 9, at: [0], values: [1] }],
    ["of another width", { ref: 1, at: [0], values: [1], width: 2 }],
    ["that takes a reference over", { ref: 1, run: "z", at: [0], values: [1] }],
  ])("%s is refused", (_, series) => expect(() => applyHistory(before, wire([series]), false)).toThrow(/^history: /));

  test("whatever the split, the end is the same", () => {
    const values = Array.from({ length: 40 }, (_, i) => Math.sin(i));
    const at = values.map((_, i) => i);
    let h = whole([{ ref: 1, run: "a", at: [], values: [] }]);
    for (const i of [...at].reverse()) h = applyHistory(h, wire([{ ref: 1, at: [i], values: [0] }]), false);
    for (let i = 0; i < 40; i += 7) h = applyHistory(h, wire([{ ref: 1, at: at.slice(i, i + 7), values: values.slice(i, i + 7) }]), false);
    expect(rows(h, 1)).toEqual(at.map((i) => [i, values[i]]));
  });
});

test("a whole forgets what was before", () => {
  const before = whole([{ ref: 1, run: "a", at: [0], values: [1] }, { ref: 2, run: "b", at: [0], values: [1] }]);
  const after = applyHistory(before, wire([{ ref: 1, run: "b", at: [0], values: [7], width: 2 }]), true);
  expect([...after.keys()]).toEqual([1]);
  expect(after.get(1)).toMatchObject({ runId: "b", width: 2 });
});
