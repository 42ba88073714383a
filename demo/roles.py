"""Corral for `make demo TOPOLOGY=roles`: a process for each role on Apache Kafka and Apache Cassandra, behind one address.

The engines are those of the suites (`tests/engines`: Java 17, Maven and openssl fetch and start them); what they keep is
gone when the demo ends. To the trainings and to a browser it looks like one server (`server.py`). Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import server as serving
from front import Front

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from engines.cluster import Cluster  # noqa: E402
from engines.fetch import EngineFailed  # noqa: E402
from engines.node import free_ports  # noqa: E402

ROLES = ("projector", "ingest", "web")
READY_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 120


class Processes(serving.Server):
    """Of one project of its own; `url`, `link` and `pid` are known once `start` returned."""

    def __init__(self, binary: Path, home: Path, env: dict[str, str]) -> None:
        super().__init__(binary, home, env)
        self._engines: Cluster | None = None
        self._front: Front | None = None
        self._places: list[str] = []
        self._ports: dict[str, int] = {}
        self._children: dict[str, subprocess.Popen] = {}
        self._key = ""

    def start(self, port: int) -> None:
        """Everything, or whichever process has ended."""
        (self.home / "log").mkdir(parents=True, exist_ok=True)
        if self._engines is None:
            self._begin(port)
        for role in ROLES:
            child = self._children.get(role)
            if child is None or child.poll() is not None:
                self._children[role] = self._serve(role)
        for role in ROLES:
            self._wait(role)
        self.pid = self._children["ingest"].pid
        self.link = self.fresh_link()

    def _begin(self, port: int) -> None:
        print("  Starting Kafka and Cassandra ...", flush=True)
        try:
            self._engines = Cluster(1, 1, self.home / "engines.json")
            self._engines.__enter__()
        except (EngineFailed, OSError, subprocess.SubprocessError) as error:
            self._engines = None
            raise serving.ServerFailed(f"the engines do not run: {error}") from error
        told = self._engines.facts()
        kafka, cassandra = told["kafka"], told["cassandra"]
        self.env["CORRAL_STORE_PASSWORD"] = cassandra["password"]
        self._places = [
            "--log", f"kafka://{kafka['bootstrap']}/demo?partitions=4&replicas=1",
            "--store", f"cql://{cassandra['contact_points'][0]}/demo?replication=1&user={cassandra['user']}"
                       f"&datacenter={cassandra['data_center']}",
        ]
        self._command("schema", "apply")
        self._key = self._command("owner", "create")
        front, *ports = free_ports(1 + len(ROLES))
        self._ports = dict(zip(ROLES, ports))
        front = port or front
        self.url = f"http://127.0.0.1:{front}"
        self._front = Front(front, self._ports["ingest"], self._ports["web"])
        self._front.start()

    def _command(self, *words: str) -> str:
        command = [str(self.binary), *words, *self._places]
        done = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=COMMAND_SECONDS_MAX, check=False)
        if done.returncode:
            raise serving.ServerFailed(f"corral {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def _serve(self, role: str) -> subprocess.Popen:
        command = [str(self.binary), "serve", "--roles", role, "--listen", f"127.0.0.1:{self._ports[role]}",
                   "--public-url", self.url, "--data-dir", str(self.data / role), *self._places]
        with (self.home / "log" / f"{role}.log").open("a") as log:
            return subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True)

    def _wait(self, role: str) -> None:
        until = time.monotonic() + READY_SECONDS_MAX
        log = self.home / "log" / f"{role}.log"
        while not serving.answers(f"http://127.0.0.1:{self._ports[role]}", "/readyz"):
            if self._children[role].poll() is not None:
                tail = log.read_text(errors="replace").splitlines()[-15:]
                raise serving.ServerFailed("\n".join([*tail, f"{role} ended at once; its log is {log}"]))
            if time.monotonic() > until:
                raise serving.ServerFailed(f"{role} is not ready after {READY_SECONDS_MAX} s; its log is {log}")
            time.sleep(0.05)

    def key(self) -> str:
        return self._key

    def find(self) -> bool:
        return False

    def alive(self) -> bool:
        return bool(self._children) and all(child.poll() is None for child in self._children.values())

    def stop(self) -> None:
        """Doors first; then what they stand on."""
        for role in ("web", "ingest", "projector"):
            child = self._children.get(role)
            if child is not None and child.poll() is None:
                child.terminate()
                try:
                    child.wait(serving.DRAIN_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self._children = {}
        if self._front is not None:
            self._front.stop()
            self._front = None
        if self._engines is not None:
            self._engines.__exit__()
            self._engines = None

    def kill(self) -> None:
        """SIGKILL of the process that takes points."""
        child = self._children.get("ingest")
        if child is not None and child.poll() is None:
            os.kill(child.pid, 9)
            child.wait()
