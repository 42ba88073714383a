"""One `corral serve` of some roles: started, waited for, killed, started again at its address, asked for its figures."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from engines.node import LIBC, PR_SET_PDEATHSIG

STARTS_MAX = 5
AGAIN_SECONDS = 1
READY_SECONDS_MAX = 120
DRAIN_SECONDS_MAX = 75
ANSWER_SECONDS_MAX = 2
FIGURE = re.compile(r'^(\w+)(?:\{(?:partition|reason)="([^"]*)"\})? (\S+)$', re.M)


class ProcessFailed(Exception):
    """It did not start, or did not end as it should."""


@dataclass
class Process:
    name: str
    roles: str
    address: str
    command: list[str]
    env: dict[str, str]
    log: Path
    key: str = ""
    """Whose figures may be read with it."""
    child: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        return self.child.pid

    def has(self, role: str) -> bool:
        return role in self.roles.split(",")

    def run(self) -> None:
        """As a supervisor does: what cannot start just now, as its store is busy, is started again."""
        for _ in range(STARTS_MAX):
            self.start()
            try:
                return self.wait()
            except ProcessFailed as error:
                failed = error
                time.sleep(AGAIN_SECONDS)
        raise failed

    def start(self) -> None:
        with self.log.open("a") as log:
            self.child = subprocess.Popen(self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True, preexec_fn=_die_with_parent)

    def wait(self) -> None:
        """Returns when it says that it is ready."""
        until = time.monotonic() + READY_SECONDS_MAX
        while not self._is_ready():
            if self.child.poll() is not None:
                raise ProcessFailed(f"{self.name} ended with {self.child.returncode}:\n{self.last_words()}")
            if time.monotonic() > until:
                raise ProcessFailed(f"{self.name} is not ready after {READY_SECONDS_MAX} s:\n{self.last_words()}")
            time.sleep(0.05)

    def alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any further."""
        if self.alive():
            self.child.kill()
            self.child.wait()

    def stop(self) -> None:
        """SIGTERM, and an end in good order within its bound."""
        if not self.alive():
            return
        self.child.send_signal(signal.SIGTERM)
        try:
            code = self.child.wait(DRAIN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessFailed(f"{self.name} did not end within {DRAIN_SECONDS_MAX} s:\n{self.last_words()}") from None
        if code:
            raise ProcessFailed(f"{self.name} ended with {code} when it was asked to:\n{self.last_words()}")

    def figures(self) -> dict[tuple[str, str], float] | None:
        """By (name, label); `None`: it does not answer."""
        asked = urllib.request.Request(self.url + "/metrics", headers={"Authorization": f"Bearer {self.key}"})
        try:
            with urllib.request.urlopen(asked, timeout=ANSWER_SECONDS_MAX) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError):
            return None
        return {(name, label): float(value) for name, label, value in FIGURE.findall(text)}

    def last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=ANSWER_SECONDS_MAX) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def finished(command: list[str], env: dict[str, str], seconds_max: int = 300) -> str:
    """Runs a command of corral to its end; what it said."""
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=seconds_max, check=False)
    if done.returncode:
        raise ProcessFailed(f"{' '.join(command[:3])} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
