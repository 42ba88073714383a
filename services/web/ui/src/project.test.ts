import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type Run, RunSchema } from "./gen/corral/v1/query_pb.js";
import { configKeys, likelyColumns, metricNames, missingMetrics } from "./project.js";

function run(figures: string[], config: Record<string, string>): Run {
  return create(RunSchema, {
    metrics: figures.length + 2,
    summary: [...figures.map((key) => ({ key, value: { kind: { case: "f64", value: 1 } as const } })), { key: "by hand", value: { kind: { case: "json", value: '"x"' } as const } }],
    config: Object.entries(config).map(([path, json]) => ({ path: [path], json })),
  });
}

describe("columns of the run list", () => {
  const runs = [run(["train/loss", "val/loss", "val/acc", "gpu"], { lr: "0.1", model: '"a"', seed: "1" }), run(["train/loss"], { lr: "0.2", model: '"a"', seed: "2" })];

  it("shows how good a run is and what it differs in", () => {
    expect(likelyColumns(runs)).toEqual([{ kind: "summary", key: "val/acc" }, { kind: "summary", key: "val/loss" }, { kind: "config", key: "lr" }]);
    expect(likelyColumns([runs[0]!])).toHaveLength(2);
  });

  it("tells what runs differ in, also where one of them lacks it", () => {
    const differing = configKeys([...runs, run([], { model: '"a"' })]).filter((c) => c.differs).map((c) => c.key);
    expect(differing).toEqual(["lr", "seed"]);
  });

  it("takes what metrics made, and counts those that a head has no room for", () => {
    expect(metricNames(runs)).toEqual(["train/loss", "val/loss", "val/acc", "gpu"]);
    expect(runs.map(missingMetrics)).toEqual([2, 2]);
  });
});
