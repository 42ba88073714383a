import { describe, expect, it } from "vitest";
import { arranged, matches, prefixOf, sectionsOf } from "./metric.js";

describe("metrics on a page", () => {
  it("puts validation first, training next, the machine last, numbers in their order", () => {
    const names = ["gpu/util", "train/loss", "layer/w10", "layer/w2", "val/loss", "loss", "/odd", "system/cpu"];
    expect(arranged(names, [])).toEqual(["val/loss", "train/loss", "/odd", "loss", "layer/w2", "layer/w10", "gpu/util", "system/cpu"]);
  });

  it("moves nothing when one comes or goes", () => {
    const before = arranged(["train/loss", "gpu/util"], []);
    const after = arranged(["gpu/util", "val/loss", "train/loss", "train/acc"], before);
    expect(after.slice(0, 2)).toEqual(before);
    expect(after.slice(2)).toEqual(["val/loss", "train/acc"]);
    expect(arranged(["gpu/util"], after)).toEqual(["gpu/util"]);
  });

  it("makes one section of a prefix wherever its metrics stand", () => {
    const sections = sectionsOf(["a/1", "b/1", "a/2", "bare"].map((name) => ({ name })));
    expect(sections.map((s) => [s.name, s.metrics.map((m) => m.name)])).toEqual([["a", ["a/1", "a/2"]], ["b", ["b/1"]], ["metrics", ["bare"]]]);
    expect([prefixOf("a/b/c"), prefixOf("/x"), prefixOf("x")]).toEqual(["a", "metrics", "metrics"]);
  });

  it("finds names by words in any order and case", () => {
    expect(["loss val", "VAL", "  ", "va/lo"].map((s) => matches("val/Loss", s))).toEqual([true, true, true, false]);
  });
});
