"""Runs `corral serve` for the demo and for `make dev`: starts it, waits until it answers, ends it in order.

Everything it writes goes to one directory: data, credentials, spools, its log. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

PORT = 4870
START_SECONDS_MAX = 60
DRAIN_SECONDS_MAX = 75
LINK = re.compile(r"https?://\S+/login#[A-Za-z0-9_-]+")


class ServerFailed(Exception):
    """The server did not start, or is not there."""


def contained(home: Path, env: dict[str, str]) -> dict[str, str]:
    """An environment whose data, spools and credentials lie below `home`; nothing of the user's is used."""
    kept = {name: value for name, value in env.items() if not name.startswith("CORRAL_")}
    places = {"XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "share", "XDG_STATE_HOME": "state"}
    return {**kept, **{name: str(home / place) for name, place in places.items()}}


def free_port(wanted: int = PORT) -> int:
    """The wanted port if nobody listens there, else 0: the system's choice (as 0 is)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def running(data: Path) -> dict | None:
    """What `server.json` says of a server that holds this data directory and answers."""
    try:
        said = json.loads((data / "server.json").read_text())
        os.kill(int(said["pid"]), 0)
        return said if answers(said["url"]) else None
    except (OSError, ValueError, KeyError):
        return None


def answers(url: str, path: str = "/livez") -> bool:
    try:
        with urllib.request.urlopen(url + path, timeout=2) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError):
        return False


class Server:
    """One `corral serve`; `url` and `link` are known once `start` returned."""

    def __init__(self, binary: Path, home: Path, env: dict[str, str], under: list[str] | None = None) -> None:
        """`under` is what it runs under: a tracer and its flags."""
        self.binary, self.home, self.data, self.under = binary, home, home / "data", under or []
        self.env = contained(home, env)
        self.url, self.link, self.pid = "", "", 0
        self._child: subprocess.Popen | None = None
        self._linked = threading.Event()

    def start(self, port: int) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "server.json").unlink(missing_ok=True)
        log = self.home / "log" / "server.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [*self.under, str(self.binary), "serve", "--data-dir", str(self.data), "--listen", f"127.0.0.1:{port}"]
        with log.open("a") as errors:
            # A session of its own: Ctrl-C reaches us, and we end it after the trainings.
            self._child = subprocess.Popen(
                command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                start_new_session=True,
            )
        threading.Thread(target=self._read_link, args=(self._child,), daemon=True).start()
        self._wait_until_it_answers(log)

    def _read_link(self, child: subprocess.Popen) -> None:
        for line in child.stdout:
            found = LINK.search(line)
            if found:
                self.link = found.group(0)
                self._linked.set()

    def _wait_until_it_answers(self, log: Path) -> None:
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until:
            if self._child.poll() is not None:
                tail = log.read_text(errors="replace").splitlines()[-15:]
                raise ServerFailed("\n".join([*tail, f"the server ended at once; its log is {log}"]))
            said = running(self.data)
            if said is not None:
                self.url, self.pid = said["url"].rstrip("/"), int(said["pid"])
                if self._linked.wait(max(0.0, until - time.monotonic())):
                    return
            time.sleep(0.02)
        raise ServerFailed(f"the server does not answer after {START_SECONDS_MAX} s; its log is {log}")

    def key(self) -> str:
        """The owner's key, from where the first start put it; the server itself keeps only its hash."""
        text = (self.home / "config/corral/credentials").read_text()
        kept = dict(re.findall(r'^\s*"?([^"=\s]+)"?\s*=\s*"([^"]+)"', text, re.M))
        found = kept.get(self.url) or kept.get(kept.get("default", ""))
        if not found:
            raise ServerFailed(f"no key for {self.url} in {self.home}/config/corral/credentials")
        return found

    def fresh_link(self) -> str:
        """Another login link: each works once."""
        headers = {"Authorization": f"Bearer {self.key()}", "Origin": self.url}
        asked = urllib.request.Request(self.url + "/api/login-token", b"", headers, method="POST")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return f"{self.url}/login#{json.load(answer)['token']}"

    def client_env(self) -> dict[str, str]:
        """What a client needs to find this server."""
        spool = str(self.home / "state/corral")
        return {"CORRAL_URL": self.url, "CORRAL_API_KEY": self.key(), "CORRAL_DIR": spool}

    def find(self) -> bool:
        """Whether one runs on this data already, started by somebody else."""
        said = running(self.data)
        if said:
            self.url, self.pid = said["url"].rstrip("/"), int(said["pid"])
        return said is not None

    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """In order, within a bound; what it was told is safe in any case."""
        if not self.alive():
            return
        os.kill(self.pid or self._child.pid, signal.SIGTERM)
        try:
            self._child.wait(DRAIN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any further."""
        if self.alive():
            os.kill(self.pid or self._child.pid, signal.SIGKILL)
            self._child.wait()
