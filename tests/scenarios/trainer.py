"""A training script for the crash scenario: logs values that are all different, and writes down each call.

Every value names its run, call and metric, so that whatever goes wrong on the way can be traced. It stops when the
file named by `--until` appears. Run by `crash.py`, as many processes at once, with the real client.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy

import corral
from notes import Notebook

SPECIAL = (math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308)


def plain(run: int, call: int) -> dict[str, object]:
    """Five floats a call: what most scripts do."""
    return {f"train/m{metric}": run * 1e9 + call * 100 + metric + 0.125 for metric in range(5)}


def mixed(run: int, call: int) -> dict[str, object]:
    """Every type, every special value, and metrics that come at different rates."""
    values: dict[str, object] = {
        "f64": run * 1e9 + call + 1 / 3,
        "f32": numpy.float32(call + 0.1),
        "i64": 2**53 + 1 + call,
        "flag": call % 3 == 0,
        "net": {"norm": float(call), "deep": {"er": -float(call)}},
    }
    if call % 10 == 0:
        values["u64"] = 2**64 - 1 - call
    if call % 7 == 0:
        values["special"] = SPECIAL[call // 7 % len(SPECIAL)]
    if call % 37 == 0:
        values["val/rare"] = call * 1.5
    return values


KINDS = {"plain": plain, "mixed": mixed, "auto": plain}


def flat(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """The names that a nested dict has once it is logged."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = value
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--project", default="crash")
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--notes", type=Path, required=True)
    parser.add_argument("--until", type=Path, required=True)
    parser.add_argument("--calls-per-second", type=float, default=300.0)
    parser.add_argument("--calls-max", type=int, default=1_000_000)
    chosen = parser.parse_args()

    make, notebook = KINDS[chosen.kind], Notebook(chosen.notes)
    run = corral.init(project=chosen.project, id=chosen.id, name=chosen.id, config={"kind": chosen.kind})
    began = time.monotonic()
    for call in range(chosen.calls_max):
        values = make(chosen.number, call)
        step = None if chosen.kind == "auto" else call
        notebook.intend(call, step, flat(values))
        run.log(values, step=step)
        notebook.returned(call)
        if chosen.until.exists():
            break
        time.sleep(max(0.0, began + (call + 1) / chosen.calls_per_second - time.monotonic()))
    run.finish()


if __name__ == "__main__":
    main()
