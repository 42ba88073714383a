"""What runs at one time: some brokers, some Cassandra nodes, their certificates, and the file that says where they are."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from . import cassandra, kafka, secure
from .fetch import HOME, EngineFailed
from .node import Node

RUN = HOME / "run.json"


class Cluster:
    """Use as a context manager: it starts on entry, and on exit everything has ended and its data is gone."""

    def __init__(self, brokers: int = 1, stores: int = 1, run: Path = RUN, users: dict[str, int] | None = None) -> None:
        """`brokers` and `stores` (Cassandra nodes): how many, 0 for none. `run` is written once they answer. `users`: nodes
        that run as a user of their own."""
        self.brokers, self.stores, self.run, self.users = brokers, stores, run, users or {}
        self.home = Path()
        self.nodes: dict[str, Node] = {}
        self._certificates: secure.Certificates | None = None

    def __enter__(self) -> Cluster:
        (HOME / "runs").mkdir(parents=True, exist_ok=True)
        self.home = Path(tempfile.mkdtemp(dir=HOME / "runs"))
        try:
            self._start()
            self.say()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_ours():
            self.run.unlink()
        for node in self.nodes.values():
            node.ask_to_stop()
        for node in self.nodes.values():
            node.stopped()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self, name: str) -> None:
        """Starts a node again that has ended, on its data, and says its new pid in the run file."""
        node = self.nodes.get(name)
        if node is None:
            raise EngineFailed(f"there is no {name}, only {', '.join(self.nodes)}")
        node.stopped()
        node.start()
        node.wait()
        self.say()

    def facts(self) -> dict:
        """Where everything is: what the run file holds."""
        brokers = [node for name, node in self.nodes.items() if name.startswith("kafka")]
        stores = [node for name, node in self.nodes.items() if name.startswith("cassandra")]
        told: dict = {"pid": os.getpid(), "ca": str(self._certificates.ca), "other_ca": str(self._certificates.other_ca)}
        if brokers:
            told["kafka"] = {"bootstrap": ",".join(node.address for node in brokers),
                             "secure": ",".join(node.secure for node in brokers),
                             "user": kafka.USER, "password": kafka.PASSWORD, "nodes": [node.facts() for node in brokers]}
        if stores:
            user = {"user": cassandra.USER, "password": cassandra.PASSWORD} if len(stores) == 1 else {}
            told["cassandra"] = {"contact_points": [node.address for node in stores], **user,
                                 "data_center": cassandra.DATA_CENTER, "nodes": [node.facts() for node in stores]}
        return told

    def say(self) -> None:
        fresh = self.run.with_name(f"{self.run.name}.{os.getpid()}")
        fresh.write_text(json.dumps(self.facts(), indent=1) + "\n")
        fresh.replace(self.run)

    def _start(self) -> None:
        self._certificates = secure.make(self.home / "certificates")
        brokers = kafka.nodes(self.home, self.brokers, self._certificates) if self.brokers else []
        stores = cassandra.nodes(self.home, self.stores, self._certificates) if self.stores else []
        self.nodes = {node.name: node for node in [*brokers, *stores]}
        for name, user in self.users.items():
            self.nodes[name].user = user
            # The way to its directory, and to the certificates.
            for place in (self.home, self._certificates.store.parent):
                place.chmod(0o711)
            self._certificates.store.chmod(0o644)
        # Brokers form their quorum together; Cassandra's nodes join one after another, meanwhile.
        for node in [*brokers, *stores[:1]]:
            node.start()
        for n, node in enumerate(stores):
            if n:
                node.start()
            node.wait()
        for node in brokers:
            node.wait()

    def _is_ours(self) -> bool:
        try:
            return json.loads(self.run.read_text())["pid"] == os.getpid()
        except (OSError, ValueError, KeyError):
            return False
