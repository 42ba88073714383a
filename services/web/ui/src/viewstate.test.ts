import { describe, expect, it } from "vitest";
import { carried, DEFAULT_VIEW, DRAW_ALL, drawAlone, isDrawn, isLog, readView, toggleDrawn, toggleLog, type ViewState, writeView } from "./viewstate.js";

const ODD: ViewState = {
  x: "relative", smoothing: { kind: "gaussian", amount: 0.04 }, zoom: [-3, 9_007_199_254_740_991], zoomed: "", log: ["*", "a&b=c/ü\u202e"], drawn: { all: false, ids: ["r.1", "r-2"] },
  order: "-summary:val/loss", open: "train/loss", search: "lo ss", perRow: 2, take: 3,
};

describe("the view in an address", () => {
  it("reads back what was written, and writes nothing for what is usual", () => {
    expect(readView(writeView(ODD))).toEqual(ODD);
    expect(writeView(DEFAULT_VIEW)).toBe("");
    expect(readView("")).toEqual(DEFAULT_VIEW);
  });

  it.each([
    ["zoom=5~5", { zoom: null }], ["zoom=9~1", { zoom: null }], ["zoom=1~x", { zoom: null }], ["zoom=1~2~3", { zoom: null }], ["zoom=1.5~2", { zoom: null }],
    ["smoothing=7", { smoothing: { kind: "twema", amount: 0.99 } }], ["smoothing=NaN", { smoothing: { kind: "twema", amount: 0 } }], ["smoother=no", { smoothing: { kind: "twema", amount: 0 } }],
    ["x=y", { x: "auto" }], ["x=metric:", { x: "auto" }], ["x=metric:a%2Fb&zoom=0.5~1.25", { x: "metric:a/b", zoom: [0.5, 1.25] }], ["zoom=0.5~2&zoomed=epoch", { zoom: [0.5, 2], zoomed: "epoch" }], ["x=step&zoom=0.5~2&zoomed=epoch", { x: "step" }], ["row=77", { perRow: 3 }], ["take=-1", { take: null }], ["take=1e99", { take: null }],
  ] as const)("makes the best of %s", (search, expected) => {
    expect(readView(search)).toEqual({ ...DEFAULT_VIEW, ...expected });
  });

  it("keeps no more ids than an address has room for", () => {
    const ids = Array.from({ length: 250 }, (_, i) => `r${i}`);
    expect(readView(writeView({ ...DEFAULT_VIEW, drawn: { all: true, ids } })).drawn.ids).toEqual(ids.slice(0, 100));
  });

  it("takes along how one looks, not what at", () => {
    expect(readView(carried(ODD))).toEqual({ ...DEFAULT_VIEW, x: ODD.x, smoothing: ODD.smoothing, log: ODD.log, perRow: ODD.perRow });
  });
});

describe("which runs are drawn", () => {
  it("draws none, one, all but one", () => {
    const none = readView("only=").drawn;
    expect([isDrawn(none, "a"), isDrawn(toggleDrawn(none, "a"), "a"), isDrawn(toggleDrawn(none, "a"), "b")]).toEqual([false, true, false]);
    const but = toggleDrawn(DRAW_ALL, "a");
    expect([isDrawn(but, "a"), isDrawn(but, "b"), isDrawn(toggleDrawn(but, "a"), "a")]).toEqual([false, true, true]);
    expect(drawAlone(but, "b")).toEqual({ all: false, ids: ["b"] });
    expect(drawAlone(drawAlone(but, "b"), "b")).toEqual(DRAW_ALL);
  });
});

describe("which panels are logarithmic", () => {
  it("turns one, all, and one back among all", () => {
    const at = (log: readonly string[], metric: string) => isLog({ ...DEFAULT_VIEW, log }, metric);
    const one = toggleLog(DEFAULT_VIEW, "a");
    expect([at(one, "a"), at(one, "b")]).toEqual([true, false]);
    const all = toggleLog({ ...DEFAULT_VIEW, log: one }, "*");
    expect([at(all, "a"), at(all, "b")]).toEqual([true, true]);
    const but = toggleLog({ ...DEFAULT_VIEW, log: all }, "a");
    expect([at(but, "a"), at(but, "b")]).toEqual([false, true]);
    expect(toggleLog({ ...DEFAULT_VIEW, log: but }, "*")).toEqual([]);
  });
});
