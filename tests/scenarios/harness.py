"""A real server, real clients and the page's own queries for the scenarios.

The server is the release binary (`CORRAL_TEST_BIN` names another), the client is the wheel in the Python that runs
this (`CORRAL_TEST_PYTHON` names another). All that they write goes below one temporary directory.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import notes
from oracle import Shown

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "demo"))

from server import Server, contained  # noqa: E402 - the demo's own way to run a server

ANSWER_SECONDS_MAX = 30
PAGE_POINTS = 500_000
CALL = "/api/corral.v1.QueryService/"


def binary() -> Path:
    return Path(os.environ.get("CORRAL_TEST_BIN", ROOT / "target/release/corral"))


def python() -> str:
    return os.environ.get("CORRAL_TEST_PYTHON", sys.executable)


def server(home: Path, under: list[str] | None = None) -> Server:
    return Server(built(binary(), "corral-server"), home, dict(os.environ), under)


def load_generator() -> Path:
    return built(Path(os.environ.get("CORRAL_TEST_LOAD", ROOT / "target/release/corral-load")), "corral-load")


def built(path: Path, package: str) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path}: build it first (cargo build --release -p {package})")
    return path


def script(home: Path, url: str, arguments: list[str], log: Path) -> subprocess.Popen:
    """Starts a Python program that logs to this server."""
    env = {**contained(home, dict(os.environ)), "CORRAL_URL": url, "PYTHONUNBUFFERED": "1"}
    with log.open("a") as out:
        return subprocess.Popen(
            [python(), *arguments], env=env, cwd=Path(__file__).parent, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )


class Query:
    """The calls of the page as JSON. Numbers stay text until their column's type is known: 64 bits are exact."""

    def __init__(self, url: str, api_key: str) -> None:
        self._host = url.split("://", 1)[1]
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPConnection | None = None

    def post(self, method: str, body: dict) -> dict:
        for attempt in (1, 2):
            try:
                return self._post(method, body)
            except (OSError, http.client.HTTPException):
                # The server was killed between two questions: its connection is stale.
                self._connection = None
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def _post(self, method: str, body: dict) -> dict:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, timeout=ANSWER_SECONDS_MAX)
        self._connection.request("POST", CALL + method, json.dumps(body), self._headers)
        response = self._connection.getresponse()
        said = response.read()
        if response.status != 200:
            raise RuntimeError(f"{method} answered {response.status}: {said[:300]!r}")
        return json.loads(said, parse_float=str, parse_int=str, parse_constant=str)

    def run(self, run: str) -> dict:
        return self.post("GetRun", {"runId": run})

    def metrics(self, run: str) -> list[str]:
        return [metric["name"] for metric in self.run(run).get("metrics", [])]

    def raw(self, run: str, metrics: list[str]) -> list[Shown]:
        """Every point of every metric, page by page."""
        found: list[Shown] = []
        body = {"runIds": [run], "metrics": metrics, "pointsMax": PAGE_POINTS}
        while True:
            answer = self.post("GetHistory", body)
            for series in answer.get("series", []):
                found += _shown(series)
            if not answer.get("nextPageToken"):
                return found
            body["pageToken"] = answer["nextPageToken"]


def _shown(series: dict) -> list[Shown]:
    """One series' columns as points."""
    raw = series.get("raw", {})
    values: list[str] = []
    for column in raw.get("values", []):
        kind = column["type"].removeprefix("COLUMN_TYPE_").lower()
        values += [_typed(kind, value) for value in column["values"]]
    steps = raw.get("steps", [])
    if len(steps) != len(values):
        raise ValueError(f"{series.get('metric')}: {len(steps)} steps and {len(values)} values")
    return [Shown(series["metric"], int(step), value) for step, value in zip(steps, values)]


def _typed(kind: str, value: object) -> str:
    if kind == "bool":
        return f"bool:{int(value in (True, 'true', '1', 1))}"
    if kind in ("i64", "u64"):
        return f"{kind}:{int(value)}"
    return notes.floating(kind, _float32(float(value)) if kind == "f32" else float(value))


def _float32(value: float) -> float:
    """JSON names an f32 by its shortest decimal; the nearest f32 is the value."""
    import numpy

    return float(numpy.float32(value))


def wait_until(what: str, seconds_max: float, ready) -> float:
    """Asks until it is so, within a bound; answers how long that took."""
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > seconds_max:
            raise TimeoutError(f"not so after {seconds_max} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - began
