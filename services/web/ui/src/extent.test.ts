import { describe, expect, it, vi } from "vitest";
import { Extent, headRange } from "./extent.js";

describe("the range that panels share", () => {
  it("is the guess, then the union, told of at most so often", () => {
    vi.useFakeTimers();
    const extent = new Extent([0, 5]);
    const told = vi.fn();
    extent.watch(told);
    expect(extent.read()).toEqual([0, 5]);
    extent.report("a", [2, 8]);
    expect([extent.read(), told.mock.calls.length]).toEqual([[2, 8], 1]);
    extent.report("b", [1, 4]);
    extent.report("a", [2, 9]);
    expect(extent.read()).toEqual([2, 8]);
    vi.advanceTimersByTime(100);
    expect([extent.read(), told.mock.calls.length]).toEqual([[1, 9], 2]);
    extent.report("b", null);
    vi.advanceTimersByTime(100);
    expect(extent.read()).toEqual([2, 9]);
    extent.report("a", [2, 9]);
    vi.advanceTimersByTime(1000);
    expect(told.mock.calls.length).toBe(3);
    vi.useRealTimers();
  });

  it("guesses by the heads of runs, and not at all where there is nothing", () => {
    const runs = [{ maxStep: 40n, startedUs: 1_000n, lastAppendUs: 9_000n }, { maxStep: 10n, startedUs: 5_000n, lastAppendUs: 20_000n }];
    expect([headRange(runs, "step"), headRange(runs, "time"), headRange(runs, "relative")]).toEqual([[0, 40], [1_000, 20_000], [0, 15_000]]);
    expect(headRange([], "step")).toBeNull();
    expect(headRange([{ maxStep: 0n, startedUs: 1n, lastAppendUs: 1n }], "relative")).toBeNull();
  });
});
