"""One engine process: started, waited for, killed, started again on the same data."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .fetch import EngineFailed

START_SECONDS_MAX = 240
STOP_SECONDS_MAX = 30
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


@dataclass
class Node:
    name: str
    address: str
    home: Path
    command: list
    ready: str
    """The words of its log that say that it serves."""
    secure: str = ""
    """Where it takes TLS and SASL, if that is another address."""
    child: subprocess.Popen | None = field(default=None, repr=False)
    log_from: int = 0
    user: int | None = None
    """Whom it runs as, if not as we do; needs root."""

    @property
    def log(self) -> Path:
        return self.home / "log"

    def start(self) -> None:
        """Starts it; `wait` says when it serves. On its own data, if it ran before."""
        self.log_from = self.log.stat().st_size if self.log.exists() else 0
        command = [str(part) for part in self.command]
        if self.user is not None:
            for place in [self.home, *self.home.rglob("*")]:
                os.chown(place, self.user, self.user)
            # Changing the user would forget who it dies with.
            user = str(self.user)
            command = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--pdeathsig", "KILL", "--", *command]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C at a terminal reaches this program alone, which then ends its nodes in order.
            self.child = subprocess.Popen(command, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True, preexec_fn=_die_with_parent)

    def wait(self) -> None:
        """Returns when it answers."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not (self._said_ready() and self._connects()):
            if self.child.poll() is not None:
                raise EngineFailed(f"{self.name} ended with {self.child.returncode} while it started:\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise EngineFailed(f"{self.name} is not ready after {START_SECONDS_MAX} s:\n{self._last_words()}")
            time.sleep(0.1)

    def ask_to_stop(self) -> None:
        if self.child and self.child.poll() is None:
            # A node that a test has stopped hears nothing until it goes on.
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()

    def stopped(self) -> None:
        """Waits until it has ended, and kills it where it takes too long."""
        if self.child is None:
            return
        try:
            self.child.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def facts(self) -> dict:
        return {"name": self.name, "address": self.address, "pid": self.child.pid, "log": str(self.log)}

    def _said_ready(self) -> bool:
        with self.log.open("rb") as log:
            log.seek(self.log_from)
            return self.ready.encode() in log.read()

    def _connects(self) -> bool:
        host, port = self.address.rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return False
        return True

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


def free_ports(count: int, hosts: tuple[str, ...] = ("127.0.0.1",)) -> list[int]:
    """Ports that nobody holds on any of the hosts, below those that the system hands to outgoing connections."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        if port not in found and all(_free(host, port) for host in hosts):
            found.append(port)
    return found


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
