"""What the tests of the Python client share: homes of their own, a server that is dead, and one that lives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 60.0


def binary() -> Path:
    """`CORRAL_TEST_BIN`, else the newest build."""
    if given := os.environ.get("CORRAL_TEST_BIN"):
        return Path(given)
    built = [path for kind in ("release", "debug") if (path := ROOT / "target" / kind / "corral").is_file()]
    assert built, "there is no server to test against: cargo build -p corral-server"
    return max(built, key=lambda path: path.stat().st_mtime)


def contained(home: Path, url: str) -> dict[str, str]:
    """An environment in which nothing is read or written outside `home`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CORRAL_", "SLURM_", "TORCHELASTIC_"))}
    homes = {"HOME": "", "XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_DATA_HOME": "data"}
    env.update({name: str(home / part) for name, part in homes.items()})
    return {**env, "CORRAL_URL": url, "PYTHONUNBUFFERED": "1"}


class Place:
    """A home, a URL, and scripts that run there."""

    def __init__(self, home: Path, url: str):
        self.home, self.url = home, url
        self.env = contained(home, url)
        self.spool = home / "state" / "corral" / "spool"

    def start(self, code: str, **env: str) -> subprocess.Popen:
        """A script; its output is text."""
        command = [sys.executable, "-c", textwrap.dedent(code)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env={**self.env, **env}, stdout=pipe, stderr=pipe, text=True, cwd=self.home)

    def run(self, code: str, expect: int = 0, **env: str) -> subprocess.CompletedProcess:
        process = self.start(code, **env)
        out, err = process.communicate(timeout=120)
        assert process.returncode == expect, f"{process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def rings(self) -> list[Path]:
        return sorted(self.spool.glob("*.ring")) if self.spool.exists() else []


@pytest.fixture
def dead(tmp_path: Path) -> Place:
    """A place whose server nobody ever started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    place = Place(tmp_path, f"http://127.0.0.1:{port}")
    place.env["CORRAL_EXIT_TIMEOUT"] = "0.5"
    return place


class Server(Place):
    """A running server and the home where its key lies."""

    def __init__(self, home: Path):
        super().__init__(home, "")
        self.data = home / "server"
        self.process: subprocess.Popen | None = None
        self.start_server("127.0.0.1:0")

    def start_server(self, listen: str) -> None:
        (self.data / "server.json").unlink(missing_ok=True)
        command = [str(binary()), "serve", "--data-dir", str(self.data), "--listen", listen]
        env = {name: value for name, value in self.env.items() if name != "CORRAL_URL"}
        log = (self.home / "server.log").open("ab")
        self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=self.home)
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.home / "server.log").read_text()
            try:
                self.url = json.loads((self.data / "server.json").read_text())["url"].rstrip("/")
                urllib.request.urlopen(f"{self.url}/readyz", timeout=5).read()
                self.env["CORRAL_URL"] = self.url
                return
            except (OSError, ValueError, KeyError):
                time.sleep(0.05)
        raise AssertionError((self.home / "server.log").read_text())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()

    def ask(self, code: str) -> object:
        """Runs a script that leaves its answer in `answer`."""
        end = "\nimport json, math\nprint('ANSWER ' + json.dumps(answer))\n"
        done = self.run(f"import corral\napi = corral.Api()\n{textwrap.dedent(code)}{end}")
        return json.loads(done.stdout.rsplit("ANSWER ", 1)[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory):
    """One server for all tests; each uses runs and projects of its own."""
    one = Server(tmp_path_factory.mktemp("live"))
    yield one
    one.stop()


@pytest.fixture
def own_server(tmp_path: Path):
    """A server that a test may kill."""
    one = Server(tmp_path)
    yield one
    one.stop()
    shutil.rmtree(tmp_path, ignore_errors=True)
