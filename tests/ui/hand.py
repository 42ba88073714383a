"""The other hand of the browser's tests: a real server and the real client, moved by one line of JSON at a time.

Reads `{"do": name, ...}` from its input and answers each with one line: `{"ok": ...}` or `{"error": text}`. Values to log
come as JSON text of their own (`literal`), which Python reads exactly: NaN, Infinity, -0.0, integers of any size.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))

import harness  # noqa: E402


class Hand:
    def __init__(self, home: Path) -> None:
        self.server = harness.server(home)
        self.home = home
        self.runs: dict = {}

    def start(self) -> dict:
        """Starts the server: at first anywhere, then where it was."""
        port = int(self.server.url.rsplit(":", 1)[1]) if self.server.url else 0
        self.server.start(port)
        os.environ.update({**harness.contained(self.home, dict(os.environ)), "CORRAL_URL": self.server.url})
        os.environ["CORRAL_LAUNCH"] = "browser"
        return {"url": self.server.url, "link": self.server.link}

    def stop(self) -> None:
        self.server.stop()

    def kill(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)
        harness.wait_until("the server is gone", 10, lambda: not _alive(self.server.pid))

    def freeze(self) -> None:
        """Cuts the network without a word, as a laptop's lid or a pulled cable does: connections stand, and nothing comes."""
        os.kill(self.server.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.server.pid, signal.SIGCONT)

    def link(self) -> str:
        return self.server.fresh_link()

    def open(self, run: str, **what) -> dict:
        import corral

        config = json.loads(what.pop("config", "{}"))
        opened = self.runs[run] = corral.init(config=config, **what)
        return {"id": opened.id, "name": opened.name}

    def log(self, run: str, literal: str, step: int | None = None) -> float:
        """Answers when log() was called: milliseconds since 1970."""
        values = json.loads(literal)
        at = time.time()
        self.runs[run].log(values, step=step)
        return at * 1e3

    def define(self, run: str, metric: str, step_metric: str) -> None:
        self.runs[run].define_metric(metric, step_metric=step_metric)

    def ramp(self, run: str, metric: str, start: int, count: int, spikes: dict | None = None) -> None:
        """Points that hardly move, but for what `spikes` plants by step."""
        planted = {int(step): value for step, value in (spikes or {}).items()}
        for step in range(start, start + count):
            self.runs[run].log({metric: planted.get(step, 1.0 + (step * 7919 % 101) / 2000)}, step=step)

    def finish(self, run: str) -> None:
        opened = self.runs.pop(run, None)
        # A run of a case that was left out was never opened.
        if opened:
            opened.finish()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # What the client says for people must not get between the answers.
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="corral-page-") as temporary:
        hand = Hand(Path(temporary))
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                said = {"ok": getattr(hand, asked.pop("do"))(**asked)}
            except Exception as error:  # noqa: BLE001 - the test that asked is told
                traceback.print_exc()
                said = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(said) + "\n")
        for run in list(hand.runs.values()):
            run.finish()
        hand.server.stop()


if __name__ == "__main__":
    main()
