//! Words for values: exact where exactness is asked, the same everywhere.
import { describe, expect, test } from "vitest";
import { create } from "@bufbuild/protobuf";
import { agoText, configText, dropLeadingZeros, durationText, exactText, numberText, runDurationUs, stateOf, typedNumber, typedShort, typedText } from "./format.js";
import { RunSchema, RunState, type TypedValue, TypedValueSchema } from "./gen/corral/v1/query_pb.js";

const typed = (kind: TypedValue["kind"]) => create(TypedValueSchema, { kind });

describe("exactly", () => {
  test.each<[TypedValue["kind"], string]>([
    [{ case: "i64", value: 9007199254740993n }, "9007199254740993"],
    [{ case: "u64", value: 18446744073709551615n }, "18446744073709551615"],
    [{ case: "i64", value: -9223372036854775808n }, "-9223372036854775808"],
    [{ case: "f64", value: -0 }, "-0"],
    [{ case: "f64", value: NaN }, "NaN"],
    [{ case: "f64", value: -Infinity }, "-Infinity"],
    [{ case: "f64", value: 0.1 + 0.2 }, "0.30000000000000004"],
    [{ case: "bool", value: true }, "true"],
    [{ case: "bool", value: false }, "false"],
    [{ case: "json", value: '{"a":1}' }, '{"a":1}'],
    [{ case: undefined, value: undefined }, "–"],
  ])("%o", (kind, text) => expect(typedText(typed(kind))).toBe(text));

  test("every double reads back as itself", () => {
    for (const v of [0, -0, 1 / 3, 5e-324, Number.MAX_VALUE, -1e21, NaN, Infinity]) expect(Object.is(Number(exactText(v)), v), String(v)).toBe(true);
  });

  test("in a narrow place an integer beyond a double's still has every digit", () => {
    expect(typedShort(typed({ case: "u64", value: 18446744073709551615n }))).toBe("18446744073709551615");
    expect(typedShort(typed({ case: "i64", value: 12345n }))).toBe("12,345");
    expect(typedShort(typed({ case: "f64", value: -Infinity }))).toBe("−∞");
  });
});

test.each<[number, string]>([
  [0.97134, "0.9713"], [0.5, "0.5000"], [12.3456, "12.35"], [1234567, "1,234,567"], [0.00012346, "1.235e−4"], [3e12, "3e12"], [-0.25, "−0.2500"],
  [0, "0"], [-0, "−0"], [NaN, "NaN"], [Infinity, "∞"], [1e-300, "1e−300"],
])("%d in a narrow place is %s", (v, text) => expect(numberText(v)).toBe(text));

test("to sort by", () => {
  expect(typedNumber(typed({ case: "bool", value: true }))).toBe(1);
  expect(typedNumber(typed({ case: "json", value: "3" }))).toBeNaN();
  expect(typedNumber(undefined)).toBeNaN();
});

test.each<[string, string]>([['"adamw"', "adamw"], ['"a \\"b\\""', 'a "b"'], ['"<b>"', "<b>"], ["0.001", "0.001"], ["[1,2]", "[1,2]"], ["9007199254740993", "9007199254740993"], ['"broken', '"broken']])("config %s is %s", (json, text) =>
  expect(configText(json)).toBe(text));

test("leading zeros go only where all are below one", () => {
  expect(dropLeadingZeros(["0.97", "−0.02", "–", ""])).toEqual([".97", "−.02", "–", ""]);
  expect(dropLeadingZeros(["0.97", "1.02"])).toEqual(["0.97", "1.02"]);
});

test.each<[number, string]>([[0.24, "0.2 s"], [4, "4 s"], [59.9, "59 s"], [60, "1 min"], [3600, "1 h"], [4320, "1 h 12"], [86400 * 3 + 4 * 3600, "3 d 4 h"], [86400, "1 d"]])("%d s are %s", (s, text) => expect(durationText(s * 1e6)).toBe(text));

test("ago", () => {
  expect(agoText(0, 3e6)).toBe("now");
  expect(agoText(0, 120e6)).toBe("2 min ago");
  expect(agoText(Date.UTC(2026, 0, 2, 12) * 1000, Date.UTC(2026, 1, 2, 12) * 1000)).toBe("2 Jan 2026");
});

describe("a run's state", () => {
  const run = (state: RunState, at: bigint) => create(RunSchema, { state, startedUs: 0n, lastAppendUs: at });
  test.each<[RunState, number, string]>([
    [RunState.RUNNING, 59, "running"], [RunState.RUNNING, 60, "silent"], [RunState.RUNNING, 300, "crashed"], [RunState.SILENT, 10, "running"],
    [RunState.FINISHED, 900, "finished"], [RunState.FAILED, 900, "failed"],
  ])("%d after %d s of silence is %s", (state, s, name) => expect(stateOf(run(state, 0n), s * 1e6)).toBe(name));
  test("lasts until now while it runs, else until its end", () => {
    expect(runDurationUs(run(RunState.RUNNING, 10n), 30e6)).toBe(30e6);
    expect(runDurationUs(create(RunSchema, { state: RunState.FINISHED, startedUs: 5n, lastAppendUs: 9n, finishedUs: 8n }), 30e6)).toBe(3);
    expect(runDurationUs(run(RunState.RUNNING, 10n), 900e6)).toBe(10);
  });
});
