"""Reading n points of one series must cost the same whether its live run holds one million points or ten.

Two runs are open on one server at the same time, one ten times the other, with metrics logged at every step and at
every 10th, 100th and 1,000th. Their reads alternate, so that whatever else the machine does falls on both; both go on
in between, so that no single state of a tail decides. The figure is a ratio of server CPU: it may gate a test.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from measure import Table
from workloads import Bench

METRICS = 16
# Sixteen metrics at four rates make 4.444 points a step.
POINTS_PER_STEP = 4.444
STOPS = 6
STOP_STEPS = 3_700
ROUNDS = 5
READS = 20
RATIO_MAX = 1.2


@dataclass(frozen=True)
class Ask:
    """A read of about n points that both runs have."""

    name: str
    metric: str
    steps: int
    buckets: int
    at_end: bool


ASKS = [
    Ask("10,000 points at the live end, raw", "metric-0000", 10_000, 0, True),
    Ask("10,000 points at the start, raw", "metric-0000", 10_000, 0, False),
    Ask("100,000 points at the live end, 1,000 buckets", "metric-0000", 100_000, 1000, True),
    Ask("200 points logged every 1,000th step", "metric-0003", 200_000, 0, True),
]


class Live:
    """A run that is written by a generator which waits for a word at each stop."""

    def __init__(self, bench: Bench, name: str, points: int) -> None:
        self.bench, self.run = bench, f"{name}-0"
        self.stops = [int(points / POINTS_PER_STEP) + stop * STOP_STEPS for stop in range(STOPS + 1)]
        shape = ["--metrics", str(METRICS), "--rates", "mixed", "--steps-per-batch", "1000"]
        steps = ",".join(map(str, self.stops))
        self.process = bench.generator(["write", "--prefix", name, *shape, "--steps", steps], stdin=subprocess.PIPE)
        self.points = self.steps = 0

    def wait(self) -> None:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the generator of {self.run} ended with {self.process.wait()}")
        said = json.loads(line)
        self.points, self.steps = self.points + said["points"], said["steps"]
        self.bench.stored([self.run], self.points)

    def go_on(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def read(self, ask: Ask) -> float:
        """Server CPU of one such read."""
        start = self.steps - ask.steps if ask.at_end else 0
        stretch = ["--x-min", str(start), "--x-max", str(start + ask.steps - 1)]
        before = self.bench.cpu()
        arguments = ["read", "--run", self.run, "--metric", ask.metric, "--buckets", str(ask.buckets), *stretch]
        said = self.bench.ask([*arguments, "--times", str(READS)])
        if said["rows"] == 0:
            raise RuntimeError(f"{ask.name} of {self.run} answered nothing")
        return (self.bench.cpu() - before) / READS


def growth(home: Path, table: Table, small: int = 1_000_000, factor: int = 10) -> dict[str, float]:
    """The ratio of each kind of read."""
    costs: dict[str, tuple[list[float], list[float]]] = {ask.name: ([], []) for ask in ASKS}
    with Bench(home, table) as bench:
        pair = (Live(bench, "small", small), Live(bench, "large", small * factor))
        try:
            for stop in range(STOPS):
                for live in pair:
                    if stop > 0:
                        live.go_on()
                    live.wait()
                _read_both(pair, costs)
        finally:
            for live in pair:
                live.process.kill()
                live.process.wait()
    ratios = {}
    for name, (little, much) in costs.items():
        ratios[name] = statistics.median(much) / statistics.median(little)
        table.add("growth", f"{name}: CPU in a run of {factor}x over 1x", ratios[name], "ratio", f"<= {RATIO_MAX}")
        table.add("growth", f"{name}: server CPU a read, 1x", statistics.median(little) * 1e3, "ms")
    return ratios


def _read_both(pair: tuple[Live, Live], costs: dict[str, tuple[list[float], list[float]]]) -> None:
    for ask in ASKS:
        for _ in range(ROUNDS):
            for live, kept in zip(pair, costs[ask.name]):
                kept.append(live.read(ask))
