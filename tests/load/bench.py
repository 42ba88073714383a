"""`make bench`: every workload against a fresh server, one table, and the same as JSON.

    python tests/load/bench.py [--repeat 3] [--only w1,q1] [--json FILE] [--write]
    python tests/load/bench.py --gate        only counts and ratios, for `make test`

Figures are medians of at least three, with the lowest and the highest. `--write` puts the table into
docs/BENCHMARKS.md with the command, the commit and the machine. It measures the release binary, the load generator
(`cargo build --release -p corral-server -p corral-load`) and the client in the Python that runs it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import growth
import workloads
from measure import Table, commit, machine

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/BENCHMARKS.md"
MARK = "<!-- The table below is written by tests/load/bench.py --write. -->"
REPEAT_MIN = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=REPEAT_MIN)
    parser.add_argument("--only", default="", help="names of workloads, by comma: " + ", ".join([*workloads.ALL, "growth"]))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="write docs/BENCHMARKS.md")
    parser.add_argument("--gate", action="store_true", help="only counts and ratios; fails when one is past its bound")
    chosen = parser.parse_args()
    if chosen.gate:
        return _gate()
    names = [name for name in chosen.only.split(",") if name] or [*workloads.ALL, "growth"]
    table, failed = Table(), []
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as temporary:
        for round_number in range(chosen.repeat):
            for name in names:
                failed += _one(name, Path(temporary) / f"{name}-{round_number}", table)
    print("\n" + table.markdown())
    if chosen.json:
        chosen.json.write_text(json.dumps(_as_json(table), indent=1) + "\n")
    if chosen.write and not failed:
        _write(table, chosen.repeat)
    for name in failed:
        print(f"FAILED: {name}", file=sys.stderr)
    return 1 if failed else 0


def _one(name: str, home: Path, table: Table) -> list[str]:
    print(f"{name} ...", file=sys.stderr, flush=True)
    try:
        (growth.growth if name == "growth" else workloads.ALL[name])(home, table)
        return []
    except (RuntimeError, TimeoutError, OSError, subprocess.SubprocessError):
        traceback.print_exc()
        return [name]


def _gate() -> int:
    table = Table()
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as temporary:
        ratios = growth.growth(Path(temporary) / "growth", table)
    print(table.markdown())
    wrong = [f"{name}: {ratio:.2f} > {growth.RATIO_MAX}" for name, ratio in ratios.items() if ratio > growth.RATIO_MAX]
    print("\n".join(f"FAILED: {one}" for one in wrong) or "every ratio is within its bound")
    return 1 if wrong else 0


def _as_json(table: Table) -> dict:
    rows = [row.as_json() for row in table.rows.values()]
    return {"commit": commit(ROOT), "machine": machine(), "rows": rows}


def _write(table: Table, repeat: int) -> None:
    """Replaces everything below the mark."""
    above = DOCUMENT.read_text().split(MARK)[0]
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    said = [
        f"- Command: `make bench` (`python tests/load/bench.py --repeat {repeat} --write`), median of {repeat}",
        f"- Commit: {commit(ROOT)}, {today}",
        f"- Machine: {machine()}; client, generator and server share it, over loopback",
    ]
    DOCUMENT.write_text("\n".join([above.rstrip(), "", MARK, "", *said, "", table.markdown(), ""]))


if __name__ == "__main__":
    sys.exit(main())
