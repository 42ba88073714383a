"""Corral as an organization runs it: a real Kafka, a real Cassandra, each role in processes of its own, a front before
the doors and one before those who answer.

```
trainers ─► front ─► ingest × 2 ─► Kafka ─► projector × 2 ─► Cassandra ◄─ query, web ◄─ front ◄─ the judge
                                     └────► archiver
```
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import harness
from engines.cluster import Cluster
from engines.node import free_ports
from balancer import Balancer
from process import Process, ProcessFailed, finished

PARTITIONS = 4
ROLES = ("ingest", "projector", "archiver", "query", "web")
TOPOLOGY = {"ingest-1": "ingest", "ingest-2": "ingest", "projector-1": "projector", "projector-2": "projector",
            "archiver-1": "archiver", "query-1": "query", "web-1": "web"}
LOOK_SECONDS = 0.2
LOGIN_SECONDS_MAX = 60
LAG = "corral_projector_lag_events"


class World:
    """Use as a context manager: it runs on entry, and on exit everything has ended."""

    def __init__(self, home: Path, brokers: int = 1, users: dict[str, int] | None = None) -> None:
        """`users`: brokers that run as a user of their own, whose packets a filter can tell."""
        self.home = home
        self.engines = Cluster(brokers, 1, home / "engines.json", users or {})
        self.processes: dict[str, Process] = {}
        self.key = ""
        self.doors: Balancer
        self.answers: Balancer
        self.query: harness.Query
        self._env = harness.contained(home, dict(os.environ))
        self._binary = str(harness.built(harness.binary(), "corral-server"))

    def __enter__(self) -> World:
        self.home.mkdir(parents=True)
        self.engines.__enter__()
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()
        for one in (getattr(self, name, None) for name in ("doors", "answers")):
            if one is not None:
                one.stop()
        self.engines.__exit__()

    def of(self, role: str) -> list[Process]:
        return [process for process in self.processes.values() if process.has(role)]

    def command(self, *words: str) -> str:
        """A command of corral on the same log and store; what it said."""
        return finished([self._binary, *words, *self._places], self._env)

    def client_env(self, url: str = "") -> dict[str, str]:
        return {**self._env, "CORRAL_URL": url or self.doors.url, "CORRAL_API_KEY": self.key, "PYTHONUNBUFFERED": "1"}

    def node(self, name: str):
        return self.engines.nodes[name]

    def words(self) -> str:
        """What processes have said last: for whoever reads of a failure."""
        return "\n".join(f"--- {one.name}\n{one.last_words()}" for one in self.processes.values())

    def _begin(self) -> None:
        self._places = self._find_places()
        self._apply()
        key_file = self.home / "owner.key"
        self.command("owner", "create", "--key-file", str(key_file))
        self.key = key_file.read_text().strip()
        ports = free_ports(len(TOPOLOGY))
        for (name, roles), port in zip(TOPOLOGY.items(), ports):
            self.processes[name] = self._process(name, roles, f"127.0.0.1:{port}")
            self.processes[name].run()
        self.doors = Balancer([one.address for one in self.of("ingest")])
        self.answers = Balancer([one.address for one in self.processes.values() if one.has("query") or one.has("web")])
        self.doors.start()
        self.answers.start()
        self.query = harness.Query(self.answers.url, self.key)

    def _apply(self) -> None:
        """A node answers some moments before it has made its superuser."""
        until = time.monotonic() + LOGIN_SECONDS_MAX
        while True:
            try:
                self.command("schema", "apply")
                return
            except ProcessFailed:
                if time.monotonic() > until:
                    raise
                time.sleep(1)

    def _find_places(self) -> list[str]:
        told = self.engines.facts()
        kafka, cassandra = told["kafka"], told["cassandra"]
        password = self.home / "store.password"
        password.write_text(cassandra["password"] + "\n")
        copies = len(kafka["nodes"])
        log = f"kafka://{kafka['bootstrap']}/faults?partitions={PARTITIONS}&replicas={copies}"
        store = (f"cql://{','.join(cassandra['contact_points'])}/faults?replication=1"
                 f"&datacenter={cassandra['data_center']}&user={cassandra['user']}")
        return ["--log", log, "--store", store, "--store-password-file", str(password)]

    def _process(self, name: str, roles: str, address: str) -> Process:
        data = self.home / name
        data.mkdir()
        command = [self._binary, "serve", "--roles", roles, "--listen", address, "--data-dir", str(data), *self._places]
        if roles == "archiver":
            command += ["--blobs", str(self.home / "blobs")]
        return Process(name, roles, address, command, self._env, self.home / f"{name}.log", self.key)

    def logs_to(self, where: Path) -> None:
        """Keeps what everybody said."""
        where.mkdir(parents=True, exist_ok=True)
        for log in [*self.home.glob("*.log"), *(node.log for node in self.engines.nodes.values())]:
            shutil.copy(log, where / (log.name if log.suffix else f"{log.parent.name}.log"))


class Lag:
    """Looks at the projectors' figures again and again, from a thread of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        # (when it was asked, partition -> events that wait), in this order.
        self._looks: list[tuple[float, dict[str, float]]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Lag:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def gone_after(self, moment: float) -> float | None:
        """How long after the moment the last partition was first seen without any lag; `None`: not yet."""
        first: dict[str, float] = {}
        for when, lags in list(self._looks):
            for partition, events in lags.items():
                if when >= moment and events == 0:
                    first.setdefault(partition, when - moment)
        return max(first.values()) if len(first) == PARTITIONS else None

    def longest(self, since: float) -> float:
        """The longest time, from the moment on, that a partition was not seen without lag."""
        longest, last = 0.0, dict.fromkeys(map(str, range(PARTITIONS)), since)
        for when, lags in [*self._looks, (time.monotonic(), {})]:
            for partition, before in last.items():
                longest = max(longest, when - before)
                if when >= since and lags.get(partition) == 0:
                    last[partition] = when
        return longest

    def _run(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            when, lags = time.monotonic(), {}
            for process in self._world.of("projector"):
                for (name, partition), value in (process.figures() or {}).items():
                    if name == LAG:
                        lags[partition] = max(value, lags.get(partition, 0))
            self._looks.append((when, lags))
