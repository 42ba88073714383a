"""`make engines`: starts them, prints where they are, ends them in order on Ctrl-C or SIGTERM.

With `--control` it obeys whoever started it: each line of its input is the name of a node to start again, each answer is
one line of JSON (the run file's content), and the end of the input ends everything.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from .cluster import RUN, Cluster
from .fetch import EngineFailed

LOOK_SECONDS = 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="make engines", description=__doc__)
    parser.add_argument("--brokers", type=int, choices=[0, 1, 3], default=1, help="Kafka brokers")
    parser.add_argument("--stores", type=int, choices=[0, 1, 3], default=1, help="Cassandra nodes")
    parser.add_argument("--run", type=Path, default=RUN, help="the file that says where they are")
    parser.add_argument("--control", action="store_true", help="obey the input instead of a terminal")
    asked = parser.parse_args()
    # Both, whatever a shell that started this in the background has set.
    for ends in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ends, signal.default_int_handler)
    started = time.monotonic()
    try:
        with Cluster(asked.brokers, asked.stores, asked.run.resolve()) as cluster:
            if asked.control:
                obey(cluster)
            else:
                watch(cluster, time.monotonic() - started)
    except EngineFailed as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("engines: ended", flush=True)
    return 0


def obey(cluster: Cluster) -> None:
    print(json.dumps(cluster.facts()), flush=True)
    for line in sys.stdin:
        cluster.start(line.strip())
        print(json.dumps(cluster.facts()), flush=True)


def watch(cluster: Cluster, seconds: float) -> None:
    told = cluster.facts()
    print(f"engines: ready after {seconds:.0f} s, addresses in {cluster.run}")
    if "kafka" in told:
        kafka = told["kafka"]
        print(f"  Kafka      {kafka['bootstrap']}  (TLS and SASL, {kafka['user']}:{kafka['password']}: {kafka['secure']})")
    if "cassandra" in told:
        cassandra = told["cassandra"]
        login = f"  ({cassandra['user']}:{cassandra['password']}, with or without TLS)" if "user" in cassandra else ""
        print(f"  Cassandra  {','.join(cassandra['contact_points'])}{login}")
    print(f"  authority  {told['ca']}\nCtrl-C ends them.", flush=True)
    while True:
        for node in cluster.nodes.values():
            try:
                code = node.child.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise EngineFailed(f"{node.name} ended with {code}: {node.log} was its log")


if __name__ == "__main__":
    sys.exit(main())
