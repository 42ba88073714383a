"""Many native clients in one process, each with a spool of its own: opens a run with each, logs, waits until all is durable.

Prints one line of JSON. An exception of any call ends it with its trace: training code must hear of no outage. Run by
`crowd.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))

from corral import _native  # noqa: E402
from notes import Notebook  # noqa: E402
from trainer import plain  # noqa: E402

WAIT_MS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--wait-seconds-max", type=float, required=True)
    chosen = parser.parse_args()

    clients, runs = [], []
    for number in range(chosen.first, chosen.first + chosen.count):
        name = f"{chosen.prefix}-{number}"
        client = _native.Client(dir=chosen.home / "spools" / name)
        run = client.open_run({"project": "herd", "id": name, "launch_id": name, "name": name}, [], [])
        notebook = Notebook(chosen.home / f"{name}.notes")
        for call in range(chosen.rows):
            values = plain(number, call)
            notebook.intend(call, call, values)
            run.log(values, call)
            notebook.returned(call)
        run.finish(0, "")
        clients.append(client)
        runs.append(run)
    print(json.dumps({"logged": chosen.count}), flush=True)
    until = time.monotonic() + chosen.wait_seconds_max
    waiting = list(runs)
    while waiting and time.monotonic() < until:
        waiting = [run for run in waiting if not run.wait(WAIT_MS if run is waiting[0] else 0)]
    dropped = sum(client.spool_items()[2] for client in clients)
    print(json.dumps({"waiting": len(waiting), "dropped": dropped, "ended": time.monotonic()}), flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    main()
