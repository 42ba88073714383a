"""`make torture`: every fault on real engines, one table.

    python tests/faults/torture.py [--only store-stopped,herd] [--rounds 3] [--store-seconds 60] [--write] [--keep DIRECTORY]

Real processes, one role each, on a real Kafka and a real Cassandra, and the real Python client. As root everything runs in a
network namespace of its own, where one broker is cut off; without root that fault is not played, and the table says so.
`--write` puts the rows into the table of docs/RELIABILITY.md, in place of those of the same name; a row that is wrong is taken out.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / name) for name in (".", "scenarios", "load"))]

import crowd  # noqa: E402
import faults  # noqa: E402
import report  # noqa: E402
from engines.fetch import EngineFailed, jars  # noqa: E402
from faults import ISOLATED_USER, Lengths, Row  # noqa: E402
from process import ProcessFailed  # noqa: E402
from world import ROLES, World  # noqa: E402

CLONE_NEWNET = 0x40000000
LENGTHS = {
    "rounds": "how often a process of each role is killed",
    "down_seconds": "how long it stays dead",
    "broker_seconds": "how long a broker is away",
    "store_seconds": "how long Cassandra is away",
    "overload_seconds": "how long there are more generators than it takes",
    "herd_clients": "clients that come back at once, as far as the disk bears their spools",
    "herd_rows": "rows that each of them has waiting",
}


@dataclass(frozen=True)
class Fault:
    name: str
    play: Callable[[World, Lengths], Row]
    brokers: int = 1


def every() -> list[Fault]:
    roles = [Fault(f"kill-{role}", lambda world, lengths, role=role: faults.kill_role(world, role, lengths)) for role in ROLES]
    return [
        *roles,
        Fault("rolling", lambda world, _: faults.rolling_restart(world)),
        Fault("store-stopped", faults.store_stopped),
        Fault("store-killed", faults.store_killed),
        Fault("rebuild", lambda world, _: faults.rebuilt(world)),
        Fault("overload", lambda world, lengths: crowd.overload(world, lengths.overload_seconds)),
        Fault("herd", lambda world, lengths: crowd.herd(world, lengths.herd_clients, lengths.herd_rows)),
        Fault("broker-killed", faults.broker_killed, brokers=3),
        Fault("broker-stopped", faults.broker_stopped, brokers=3),
        Fault("broker-cut-off", faults.broker_cut_off, brokers=3),
    ]


def main() -> int:
    chosen = arguments()
    names = [name for name in chosen.only.split(",") if name]
    unknown = set(names) - {fault.name for fault in every()}
    if unknown:
        print(f"there is no fault {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    lengths = Lengths(**{one.name: getattr(chosen, one.name) for one in fields(Lengths)})
    # Fetched while there is a network.
    for engine in ("kafka", "cassandra"):
        jars(engine)
    alone = os.geteuid() == 0 and leave_network()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="corral-faults-") as temporary:
        home = chosen.keep or Path(temporary)
        for brokers in (1, 3):
            wanted = [one for one in every() if one.brokers == brokers and (not names or one.name in names)]
            if not alone:
                wanted = [one for one in wanted if one.name != "broker-cut-off"]
            if wanted:
                rows += play(World(home / f"brokers-{brokers}", brokers, users(brokers, alone)), wanted, lengths)
    print("\n" + report.table(rows))
    wrong = [f"{row.name}: {one}" for row in rows for one in row.wrong]
    print("\n".join(f"WRONG: {one}" for one in wrong) or "nothing was lost or doubled, and every lag went")
    if chosen.write:
        report.write([row for row in rows if not row.wrong], [row.name for row in rows if row.wrong])
    return 1 if wrong or not rows else 0


def play(world: World, wanted: list[Fault], lengths: Lengths) -> list[Row]:
    rows: list[Row] = []
    try:
        with world:
            for fault in wanted:
                print(f"{fault.name} ...", file=sys.stderr, flush=True)
                began = time.monotonic()
                rows.append(fault.play(world, lengths))
                print(f"  {report.line(rows[-1])} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    except (EngineFailed, ProcessFailed, subprocess.SubprocessError, OSError) as error:
        row = Row(f"after {len(rows)} faults")
        row.wrong.append(f"{type(error).__name__}: {error}")
        rows.append(row)
    return rows


def users(brokers: int, alone: bool) -> dict[str, int]:
    return {"kafka-3": ISOLATED_USER} if brokers == 3 and alone else {}


def leave_network() -> bool:
    """Into a network namespace of this program's own, with a loopback and nothing else."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        print(f"no network namespace: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return True


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="faults, by comma: " + ", ".join(one.name for one in every()))
    for one in fields(Lengths):
        flag, kind = "--" + one.name.replace("_", "-"), type(one.default)
        parser.add_argument(flag, type=kind, default=one.default, help=f"{LENGTHS[one.name]} [{one.default}]")
    parser.add_argument("--write", action="store_true", help="write docs/RELIABILITY.md")
    parser.add_argument("--keep", type=Path, help="use this directory and leave it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
