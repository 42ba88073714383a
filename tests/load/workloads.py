"""The workloads of docs/BENCHMARKS.md against a fresh server: each fills rows of the table.

The server is measured from outside, from before the first byte until a query has counted every point; between load
and query it is started again, so that nothing is answered from what the load left in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))

import harness  # noqa: E402
from measure import Table, cpu_seconds, disk_bytes, memory_mb  # noqa: E402

LOAD_SECONDS_MAX = 600
STORED_SECONDS_MAX = 120
HERE = Path(__file__).resolve().parent


class Bench:
    """A fresh server in a directory of its own."""

    def __init__(self, home: Path, table: Table) -> None:
        self.home, self.table = home, table
        home.mkdir(parents=True)
        self.server = harness.server(home)
        self.server.start(0)
        self.key = self.server.key()
        self.query = harness.Query(self.server.url, self.key)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def again(self) -> None:
        """Stops the server in order and starts it at its address."""
        self.server.stop()
        self.server.start(int(self.server.url.rsplit(":", 1)[1]))

    def cpu(self) -> float:
        return cpu_seconds(self.server.pid)

    def generator(self, arguments: list[str], **more: object) -> subprocess.Popen:
        env = {**os.environ, "CORRAL_URL": self.server.url, "CORRAL_API_KEY": self.key}
        return subprocess.Popen(
            [str(harness.load_generator()), *arguments], env=env, text=True, stdout=subprocess.PIPE, **more
        )

    def ask(self, arguments: list[str]) -> dict:
        """One call of the generator to its end; its last line."""
        asked = self.generator(arguments)
        said, _ = asked.communicate(timeout=LOAD_SECONDS_MAX)
        if asked.returncode != 0:
            raise RuntimeError(f"corral-load {' '.join(arguments)} ended with {asked.returncode}")
        return json.loads(said.splitlines()[-1])

    def clients(self, count: int, arguments: list[str]) -> list[dict]:
        """So many processes of the Python client at once."""
        env = {**harness.contained(self.home, dict(os.environ)), "CORRAL_URL": self.server.url}
        command = [harness.python(), str(HERE / "client_write.py"), *arguments]
        with (self.home / "clients.log").open("a") as log:
            started = [
                subprocess.Popen(
                    [*command, "--prefix", f"client-{number}", "--seed", str(number)],
                    env=env, text=True, stdout=subprocess.PIPE, stderr=log,
                )
                for number in range(count)
            ]
        said = [one.communicate(timeout=LOAD_SECONDS_MAX)[0] for one in started]
        if any(one.returncode for one in started):
            raise RuntimeError(f"a client failed: see {self.home / 'clients.log'}")
        return [json.loads(text.splitlines()[-1]) for text in said]

    def stored(self, runs: list[str], points: int) -> None:
        """Every point is counted by a query, or this is not a measurement."""

        def count() -> int:
            return sum(int(self.query.run(run)["run"].get("points", 0)) for run in runs)

        harness.wait_until(f"{points} points are stored", STORED_SECONDS_MAX, lambda: count() >= points)
        if count() != points:
            raise RuntimeError(f"{count()} points are stored, {points} were logged")


def w1(home: Path, table: Table) -> None:
    """One run, 100 metrics x 10,000 steps, by the generator: 100 steps a message."""
    with Bench(home, table) as bench:
        before, began = bench.cpu(), time.perf_counter()
        said = bench.ask(["write", "--prefix", "w1", "--metrics", "100", "--steps", "10000"])
        bench.stored(["w1-0"], said["points"])
        took, used = time.perf_counter() - began, bench.cpu() - before
        million = said["points"] / 1e6
        table.add("W1", "server CPU, native generator", used / million, "CPU-s/M", "<= 0.3 (bound 1.0)")
        table.add("W1", "points a second until stored", said["points"] / took, "points/s")
        table.add("W1", "server memory, highest", memory_mb(bench.server.pid), "MB", "<= 150")
        bench.again()
        bench.stored(["w1-0"], said["points"])
        _disk("W1", bench, said["points"])


def w1_client(home: Path, table: Table) -> None:
    """The same by the Python client, one log() of 100 keys a step."""
    with Bench(home, table) as bench:
        before, began = bench.cpu(), time.perf_counter()
        said = bench.clients(1, ["--metrics", "100", "--steps", "10000"])[0]
        bench.stored(["client-0-0"], said["points"])
        took, used = time.perf_counter() - began, bench.cpu() - before
        million = said["points"] / 1e6
        table.add("W1 Python", "server CPU", used / million, "CPU-s/M", "<= 0.3 (bound 1.0)")
        table.add("W1 Python", "whole client CPU", said["client_cpu_seconds"] / million, "CPU-s/M", "<= 0.3")
        table.add("W1 Python", "points a second until stored", said["points"] / took, "points/s")


def w2(home: Path, table: Table) -> None:
    """64 open runs: 8 Python processes x 8 runs x 20 metrics x 500 steps."""
    with Bench(home, table) as bench:
        before = bench.cpu()
        said = bench.clients(8, ["--runs", "8", "--metrics", "20", "--steps", "500"])
        points = sum(one["points"] for one in said)
        bench.stored([f"client-{process}-{run}" for process in range(8) for run in range(8)], points)
        used, million = bench.cpu() - before, points / 1e6
        table.add("W2", "server CPU", used / million, "CPU-s/M", "<= 1.0")
        clients = sum(one["client_cpu_seconds"] for one in said)
        table.add("W2", "whole clients' CPU", clients / million, "CPU-s/M")
        _disk("W2", bench, points)


def log(home: Path, table: Table) -> None:
    """The caller's CPU of one log() of 1, 10, 100, 1,000 keys; then with the server dead."""
    goals = {1: 2, 10: 4, 100: 12, 1000: 100}
    with Bench(home, table) as bench:
        for keys, goal in goals.items():
            calls = str(max(2_000_000 // (keys + 20) // 5, 500))
            said = bench.clients(1, ["--metrics", str(keys), "--steps", calls, "--project", f"log-{keys}"])[0]
            table.add("LOG", f"caller CPU, {keys} keys", said["caller_us"], "us", f"<= {goal}")


def q1(home: Path, table: Table) -> None:
    """One 100,000-point series down to 1,000 buckets, from a server that has just been started."""
    with Bench(home, table) as bench:
        write = ["write", "--prefix", "q1", "--metrics", "1", "--steps", "100000", "--steps-per-batch", "1000"]
        bench.stored(["q1-0"], bench.ask(write)["points"])
        bench.again()
        read = ["read", "--run", "q1-0", "--buckets", "1000"]
        table.add("Q1", "first answer after a start", bench.ask([*read, "--times", "1"])["p50_ms"], "ms")
        before = bench.cpu()
        said = bench.ask([*read, "--times", "200"])
        table.add("Q1", "p50", said["p50_ms"], "ms", "<= 3 (bound 10)")
        table.add("Q1", "p99", said["p99_ms"], "ms")
        table.add("Q1", "server CPU", (bench.cpu() - before) / 200 * 1e3, "ms", "<= 1")


def pixel(home: Path, table: Table) -> None:
    """From log() in Python to the changed pixel of an open page in Chromium, one point at a time."""
    home.mkdir(parents=True)
    script = [sys.executable, str(HERE.parent / "ui/run.py"), "--pixel"]
    with (home / "browser.log").open("w") as log:
        asked = subprocess.run(script, text=True, stdout=subprocess.PIPE, stderr=log, timeout=LOAD_SECONDS_MAX, check=False)
    if asked.returncode != 0:
        raise RuntimeError(f"the browser failed: see {home / 'browser.log'}")
    said = json.loads(asked.stdout.splitlines()[-1])
    table.add("event to pixel", "p50", said["p50_ms"], "ms", "<= 250")
    table.add("event to pixel", "p95", said["p95_ms"], "ms", "<= 500")


def idle(home: Path, table: Table) -> None:
    """An empty server that nobody asks anything."""
    with Bench(home, table) as bench:
        time.sleep(2)
        before, began = bench.cpu(), time.perf_counter()
        time.sleep(5)
        share = (bench.cpu() - before) / (time.perf_counter() - began)
        table.add("idle", "server memory, empty", memory_mb(bench.server.pid, "VmRSS"), "MB", "<= 50")
        table.add("idle", "share of one core", share * 100, "%", "<= 0.5")


def disk(home: Path, table: Table) -> dict[str, float]:
    """W1 ten times as long, so that what the engine keeps at most does not stand for what a point needs."""
    with Bench(home, table) as bench:
        said = bench.ask(["write", "--prefix", "disk", "--metrics", "100", "--steps", "100000"])
        bench.stored(["disk-0"], said["points"])
        bench.again()
        return _disk("10 x W1", bench, said["points"])


def _disk(name: str, bench: Bench, points: int) -> dict[str, float]:
    """After an orderly stop; the log keeps its preallocated blocks until it is archived."""
    store = bench.server.data / "read-store"
    whole, kept = disk_bytes(bench.server.data), disk_bytes(store)
    journal = sum(file.stat().st_blocks * 512 for file in store.rglob("*.jnl"))
    found = {"rows_per_point": (kept - journal) / points, "journal_mib": journal / 2**20}
    table = bench.table
    table.add(name, "read store on disk, without its journal", found["rows_per_point"], "B/point", "<= 3.0 after sealing")
    table.add(name, "read store's journal, whatever is stored", found["journal_mib"], "MiB", "(bound 160)")
    table.add(name, "event log on disk, with what it reserves", (whole - kept) / points, "B/point")
    return found


ALL = {"idle": idle, "w1": w1, "disk": disk, "w1-client": w1_client, "w2": w2, "log": log, "q1": q1, "pixel": pixel}
