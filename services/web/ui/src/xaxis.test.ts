import { describe, expect, it } from "vitest";
import { create } from "@bufbuild/protobuf";
import { GetHistoryRequestSchema, GetHistoryResponseSchema, XAxis } from "./gen/corral/v1/query_pb.js";
import { linesOf } from "./lines.js";
import { applyHistory, type History } from "./live/history.js";
import { columns } from "./live/testing.js";
import { hoverOn, NO_HOVER } from "./plot/scene.js";
import { settled } from "./plot/view.js";
import { xTicks } from "./plot/ticks.js";
import { historyQuery } from "./queries.js";
import { answeredAxis, chosenAxis, readChoice, STEP, withoutX } from "./xaxis.js";
import { placeText } from "./xtext.js";

const f64 = (values: readonly number[]) => new Uint8Array(Float64Array.from(values).buffer);

interface Sent {
  ref: number;
  metric: string;
  at: readonly number[];
  x: readonly number[];
  without?: number;
  named?: boolean;
}

/** Series of run r whose x is `metric`'s value (empty: the step), in buckets a quarter wide. */
function history(sent: readonly Sent[], before?: History): History {
  const series = sent.map(({ ref, metric, at, x, without = 0, named = true }) => {
    const value = { ...columns(at, x.map((v) => v * 10)), ...(metric === "" ? {} : { width: 0n, xWidth: 0.25, x: f64(x) }) };
    const name = named ? { runId: "r", metric: "acc", take: 1, xMetric: metric } : {};
    return { ref, rows: at.length, withoutX: BigInt(without), ...name, columns: { case: "buckets" as const, value } };
  });
  return applyHistory(before, create(GetHistoryResponseSchema, { series } as never), before === undefined);
}

describe("what x is", () => {
  it("is read from the address, and makes a question", () => {
    expect([chosenAxis(readChoice(null)), chosenAxis(readChoice("time")), chosenAxis(readChoice("metric:a/b"))]).toEqual([
      undefined, { kind: "time", metric: "" }, { kind: "value", metric: "a/b" },
    ]);
    const ask = { runIds: ["r"], metric: "acc", buckets: 64 };
    const value = (over: object) => historyQuery({ ...ask, axis: undefined, bounds: null, ...over }).value;
    expect(value({})).toMatchObject({ xAxis: XAxis.DEFINED, xMetric: "" });
    expect(value({ axis: { kind: "value", metric: "epoch" }, bounds: [0.5, 1.25] })).toMatchObject({ xAxis: XAxis.METRIC, xMetric: "epoch", xValueMin: 0.5, xValueMax: 1.25 });
    const whole = value({ axis: STEP, bounds: [3, 9] });
    expect(whole).toEqual(create(GetHistoryRequestSchema, { runIds: ["r"], metrics: ["acc"], buckets: 64, xMin: 3n, xMax: 9n }));
  });

  it("is told by the answer, and is none where runs differ", () => {
    expect(answeredAxis(history([{ ref: 1, metric: "", at: [0], x: [0] }]))).toEqual(STEP);
    const one: Sent = { ref: 1, metric: "epoch", at: [2], x: [0.5], without: 3 };
    expect(answeredAxis(history([one, { ...one, ref: 2 }]))).toEqual({ kind: "value", metric: "epoch" });
    expect(answeredAxis(history([one, { ...one, ref: 2, metric: "" }]))).toBe("mixed");
    expect(withoutX(history([one, { ...one, ref: 2 }]))).toBe(6);
  });

  it("places points where they were logged, and a point more changes one of them", () => {
    const before = history([{ ref: 1, metric: "epoch", at: [2, 4], x: [0.5, 1.125] }]);
    const after = history([{ ref: 1, metric: "epoch", at: [4, 5], x: [1.2, 1.25], without: 1, named: false }], before);
    const [line] = linesOf(after, [{ id: "r", name: "r", color: "#fff", live: false }], { metric: "acc", smoothing: { kind: "twema", amount: 0 }, range: 1 });
    expect([[...line!.x], [...line!.y], line!.lo]).toEqual([[0.5, 1.2, 1.25], [5, 12, 12.5], undefined]);
    expect(withoutX(after)).toBe(1);
    const counted = history([{ ref: 1, metric: "epoch", at: [], x: [], without: 2, named: false }], after);
    expect([withoutX(counted), counted.get(1)!.rows]).toEqual([2, 3]);
  });

  it("has ticks, zooms and words between whole numbers", () => {
    expect(xTicks("value", 0, 1, 4).map((t) => t.text)).toEqual(["0", "0.25", "0.5", "0.75", "1"]);
    expect(settled([0.25, 0.5], [0, 1], "value")).toEqual([0.25, 0.5]);
    expect(settled([-1, 2], [0, 1], "value")).toBeNull();
    expect([placeText("value", 0.125, 0.25, "epoch"), placeText("step", 3, 1)]).toEqual(["epoch 0.125", "step 3"]);
  });

  it("keeps a hand on one axis off the panels of another", () => {
    const hand = { ...NO_HOVER, x: 1.5, runId: "r", xName: "epoch" };
    expect(hoverOn(hand, { xName: "epoch" })).toBe(hand);
    expect(hoverOn(hand, {})).toMatchObject({ x: null, runId: "r", select: null });
  });
});
