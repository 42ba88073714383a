"""Logs a workload with the Python client and says what that cost the caller: run by `workloads.py` as a process.

Values are float32 with 2 % noise on a decaying curve, made beforehand: what is measured is `log()` and the client.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy

import corral

ROWS_MAX = 1_000


def rows(metrics: int, seed: int) -> list[dict[str, float]]:
    """Up to ROWS_MAX different calls, used again and again: the caller's own arithmetic must not count."""
    random = numpy.random.default_rng(seed)
    steps = numpy.arange(ROWS_MAX)[:, None]
    curve = (1 + numpy.arange(metrics) * 0.1) / (1 + steps * 1e-3)
    values = (curve * (1 + random.uniform(-0.02, 0.02, curve.shape))).astype(numpy.float32)
    names = [f"metric-{metric:04}" for metric in range(metrics)]
    return [dict(zip(names, map(float, row))) for row in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--project", default="load")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--metrics", type=int, default=100)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()

    made = [rows(chosen.metrics, chosen.seed + run) for run in range(chosen.runs)]
    began, cpu_before = time.perf_counter(), time.process_time()
    runs = [corral.init(project=chosen.project, id=f"{chosen.prefix}-{run}") for run in range(chosen.runs)]
    caller_before = time.thread_time()
    for step in range(chosen.steps):
        for run, calls in zip(runs, made):
            run.log(calls[step % ROWS_MAX], step=step)
    caller = time.thread_time() - caller_before
    logged = time.perf_counter() - began
    for run in runs:
        run.finish()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu_before
    calls = chosen.steps * chosen.runs
    said = {"points": calls * chosen.metrics, "calls": calls, "caller_us": caller / calls * 1e6}
    print(json.dumps({**said, "logged_seconds": logged, "seconds": took, "client_cpu_seconds": cpu}), flush=True)


if __name__ == "__main__":
    main()
