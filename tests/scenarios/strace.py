"""64 appenders against the traced server: no acknowledgement before its fdatasync, and few fdatasyncs for many of them.

    python tests/scenarios/strace.py [--appenders 64] [--calls 40]

Each appender has a connection and a run of its own and sends its next item when the one before was acknowledged.
Two passes: one traces every write, sync and send and checks the order (`acks.py`); the other traces syncs only, so that
the tracer slows nothing else, and counts them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import acks
import harness

SYNCS_PER_ACK_MAX = 1 / 8
LOAD_SECONDS_MAX = 300
METRICS = 5
TEXT_BYTES = 1_000_000


def order(home: Path, appenders: int, calls: int) -> acks.Report:
    """The first pass."""
    trace = _traced(home, acks.TRACED, appenders, calls)[0]
    runs = [f"traced-{number}" for number in range(appenders)]
    # Opened, the metrics, then one item a batch, and the run's end.
    last_seqs = [1, 1 + METRICS, *(1 + METRICS + call for call in range(1, calls + 2))]
    return acks.check(trace, acks.Shape(runs, last_seqs))


def ratio(home: Path, appenders: int, calls: int) -> tuple[int, int]:
    """The second pass: fdatasyncs of the event log, and acknowledged batches."""
    trace, said = _traced(home, sorted(acks.SYNCS), appenders, calls)
    log = str(home / "data")
    syncs = [call for call in acks.calls(trace) if call.result == 0 and call.file.startswith(log)]
    return len([call for call in syncs if "/read-store/" not in call.file]), said["batches"] + appenders


def _traced(home: Path, names: list[str], appenders: int, calls: int) -> tuple[str, dict]:
    home.mkdir(parents=True, exist_ok=True)
    trace = home / "trace.txt"
    under = ["strace", "-f", "--seccomp-bpf", "-yy", "-xx", "-s", str(TEXT_BYTES), "-o", str(trace)]
    under += ["-e", "trace=" + ",".join(names), "-e", "signal=none"]
    server = harness.server(home, under)
    try:
        server.start(0)
        command = [str(harness.load_generator()), "write", "--prefix", "traced", "--runs", str(appenders)]
        command += ["--connections", str(appenders), "--metrics", str(METRICS), "--steps", str(calls)]
        command += ["--steps-per-batch", "1", "--window", "1"]
        env = {**os.environ, "CORRAL_URL": server.url, "CORRAL_API_KEY": server.key()}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the load generator: {done.stderr.strip()}")
    finally:
        server.stop()
    return trace.read_text(errors="replace"), json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--appenders", type=int, default=64)
    parser.add_argument("--calls", type=int, default=40)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="corral-strace-") as temporary:
        report = order(Path(temporary) / "order", chosen.appenders, chosen.calls)
        syncs, batches = ratio(Path(temporary) / "ratio", chosen.appenders, chosen.calls)
    print(f"{report.acknowledgements} acknowledgements of {report.records} records, {len(report.early)} too early")
    for one in report.early[:10]:
        print(f"  {one}")
    print(f"{syncs} fdatasyncs for {batches} acknowledged batches: 1 for {batches / max(syncs, 1):.1f}")
    return 1 if report.early or not report.acknowledgements or syncs > batches * SYNCS_PER_ACK_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
