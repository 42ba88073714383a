"""More than it takes: a load three times the one that it does best at, and a herd of clients that come back at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import harness
import notes
import oracle
from faults import Row
from harness import wait_until
from load import Load
from measure import memory_mb
from process import ProcessFailed
from world import Lag, World

HERE = Path(__file__).resolve().parent
METRICS = 50
# A stage's points are counted once all of them are acknowledged, so stages are short.
STAGE_STEPS = 200
STAGES_MAX = 4_000
AGAIN_SECONDS = 0.5
CROWDS = (1, 2, 4, 8)
FACTOR = 3
GOODPUT_MIN = 0.7
# More than the peak by so much: what was measured before was none.
GOODPUT_MAX = 1.3
RECOVERY_SECONDS_MAX = 30
# The most of the last third against the most of the one before; the first one fills queues.
MEMORY_RATIO_MAX = 1.25
# The log takes more than projectors do, who then have to read it.
LAG_SECONDS_MAX = 900
HERD_PER_PROCESS = 50
HERD_SECONDS_MAX = 300
RING_BYTES = 64 << 20
# Left to whoever else uses the disk.
SPARE_BYTES = 12 << 30


class Generator:
    """`corral-load` against one door, started again whenever it is turned away; counts what was acknowledged."""

    def __init__(self, world: World, name: str, door: str) -> None:
        self._env = {**os.environ, "CORRAL_URL": door, "CORRAL_API_KEY": world.key}
        self._name, self._log = name, world.home / f"{name}.load.log"
        self._child: subprocess.Popen | None = None
        self._done = threading.Event()
        self.turned_away = 0
        # (when, points of the stage that was acknowledged then)
        self.stages: list[tuple[float, int]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        if self._child is not None:
            self._child.kill()
        self._thread.join()

    def _run(self) -> None:
        life = 0
        while not self._done.is_set():
            self._live(f"{self._name}-{life}")
            life += 1
            if not self._done.is_set():
                self.turned_away += 1
                self._done.wait(AGAIN_SECONDS)

    def _live(self, prefix: str) -> None:
        steps = ",".join(str(STAGE_STEPS * (stage + 1)) for stage in range(STAGES_MAX))
        command = [str(harness.load_generator()), "write", "--project", "overload", "--prefix", prefix, "--runs", "4",
                   "--metrics", str(METRICS), "--steps-per-batch", "20", "--steps", steps]
        with self._log.open("a") as log:
            self._child = subprocess.Popen(command, env=self._env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        # It asks for a line before each stage.
        threading.Thread(target=_fill, args=(self._child.stdin,), daemon=True).start()
        for line in self._child.stdout:
            self.stages.append((time.monotonic(), json.loads(line)["points"]))
        self._child.wait()


def _fill(pipe) -> None:
    try:
        pipe.write(b"\n" * STAGES_MAX)
        pipe.flush()
    except OSError:
        # It has ended.
        return


class Crowd:
    """Generators side by side, spread over the doors."""

    def __init__(self, world: World, name: str, count: int) -> None:
        doors = [door.url for door in world.of("ingest")]
        self.members = [Generator(world, f"{name}-{n}", doors[n % len(doors)]) for n in range(count)]

    def __enter__(self) -> Crowd:
        for one in self.members:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.members:
            one.stop()

    def goodput(self, since: float, until: float) -> float:
        """Points a second that were acknowledged."""
        points = sum(points for one in self.members for when, points in one.stages if since <= when < until)
        return points / (until - since)

    def turned_away(self) -> int:
        return sum(one.turned_away for one in self.members)


@dataclass
class Peak:
    generators: int
    points_per_second: float


def peak(world: World, seconds: float) -> Peak:
    """The best of some crowds; each is tried, as a machine that has other work may make a small one look like the best."""
    found = []
    for count in CROWDS:
        with Crowd(world, f"peak-{count}", count) as crowd:
            time.sleep(seconds / 4)
            since = time.monotonic()
            time.sleep(seconds)
            found.append(Peak(count, crowd.goodput(since, time.monotonic())))
        settle(world)
    return max(found, key=lambda one: one.points_per_second)


def settle(world: World) -> None:
    with Lag(world) as lag:
        began = time.monotonic()
        wait_until("no partition lags", LAG_SECONDS_MAX, lambda: lag.gone_after(began) is not None)


def overload(world: World, seconds: float) -> Row:
    """Three times as many generators as did best, and a training beside them whose acknowledgements are watched."""
    row = Row(f"overload for {seconds:.0f} s")
    before = peak(world, seconds / 4)
    count = FACTOR * before.generators
    canary, memory = Load(world, "overload", trainings=1), Memory(world)
    with Lag(world) as lag:
        try:
            canary.start()
            began = time.monotonic()
            with Crowd(world, "over", count) as crowd, memory:
                time.sleep(seconds)
                ended = time.monotonic()
                goodput = crowd.goodput(began, ended) / before.points_per_second
            row.seconds = ended - began
            recovery = wait_until("acknowledgements come at once again", LAG_SECONDS_MAX, lambda: canary.quick(1.0))
            wait_until("no partition lags", LAG_SECONDS_MAX, lambda: lag.gone_after(ended) is not None)
            row.behind_seconds, row.lag_seconds = lag.longest(began), lag.gone_after(ended)
            row.judged = canary.end()
            row.details = (f"Overload: {before.generators} generators had {before.points_per_second:,.0f} points/s acknowledged, "
                           f"{count} {goodput:.0%} of that; {crowd.turned_away()} streams were turned away. "
                           f"A training beside them was acknowledged within a second again {recovery:.1f} s after the end. "
                           f"Memory, highest in the second and in the last third: {memory}.")
            if goodput < GOODPUT_MIN:
                row.wrong.append(f"goodput is {goodput:.0%} of the peak")
            if goodput > GOODPUT_MAX:
                row.wrong.append(f"goodput is {goodput:.0%} of the peak: other work had the machine when that was measured")
            if recovery > RECOVERY_SECONDS_MAX:
                row.wrong.append(f"recovery took {recovery:.1f} s")
            row.wrong.extend(memory.wrong())
        except (TimeoutError, ProcessFailed, RuntimeError, OSError) as error:
            row.wrong.append(f"{error}\n{world.words()}")
        finally:
            canary.kill()
    return row


class Memory:
    """What each process of Corral holds, once a second."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._found: dict[str, list[float]] = {name: [] for name in world.processes}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def wrong(self) -> list[str]:
        found = []
        for name, held in self._found.items():
            third = len(held) // 3
            middle, last = max(held[third : 2 * third]), max(held[-third:])
            if last > middle * MEMORY_RATIO_MAX:
                found.append(f"{name} held {middle:.0f} MB in the second third and {last:.0f} MB in the last")
        return found

    def __str__(self) -> str:
        third = len(next(iter(self._found.values()))) // 3
        return ", ".join(f"{name} {max(held[third : 2 * third]):.0f} and {max(held[-third:]):.0f} MB" for name, held in self._found.items())

    def _run(self) -> None:
        while not self._done.wait(1):
            for name, process in self._world.processes.items():
                self._found[name].append(memory_mb(process.pid, "VmRSS"))


def herd(world: World, wanted: int, rows: int) -> Row:
    """All doors are dead, clients log and finish; the doors come back, and everybody comes at once."""
    home = world.home / "herd"
    home.mkdir()
    free = shutil.disk_usage(home).free
    count = max(1, min(wanted, (free - SPARE_BYTES) // RING_BYTES))
    row = Row(f"herd: {count} clients with {rows} rows each, after an outage of the doors")
    for door in world.of("ingest"):
        door.kill()
    processes = _clients(world, home, count, rows)
    try:
        with Lag(world) as lag:
            for process in processes:
                process.stdout.readline()
            began = time.monotonic()
            for door in world.of("ingest"):
                door.run()
            ends = [_ended(process, row) for process in processes]
            row.seconds = row.judged.gap_seconds = max(ends, default=began) - began
            wait_until("no partition lags", LAG_SECONDS_MAX, lambda: lag.gone_after(began + row.seconds) is not None)
            row.behind_seconds, row.lag_seconds = lag.longest(began), lag.gone_after(began + row.seconds)
        for number in range(count):
            _judge(world, home, f"herd-{number}", row)
    except (TimeoutError, ProcessFailed, RuntimeError, OSError) as error:
        row.wrong.append(f"{error}\n{world.words()}")
    finally:
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(home / "spools", ignore_errors=True)
    return row


def _clients(world: World, home: Path, count: int, rows: int) -> list[subprocess.Popen]:
    started = []
    for first in range(0, count, HERD_PER_PROCESS):
        command = [harness.python(), str(HERE / "herd.py"), "--prefix", "herd", "--first", str(first),
                   "--count", str(min(HERD_PER_PROCESS, count - first)), "--rows", str(rows), "--home", str(home),
                   "--wait-seconds-max", str(HERD_SECONDS_MAX)]
        with (home / f"clients-{first}.log").open("w") as log:
            started.append(subprocess.Popen(command, env=world.client_env(), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log, text=True, cwd=HERE))
    return started


def _ended(process: subprocess.Popen, row: Row) -> float:
    """When all its clients were durable."""
    said = process.stdout.readline()
    code = process.wait(HERD_SECONDS_MAX)
    if code or not said:
        row.wrong.append(f"a process of the herd ended with {code}")
        return time.monotonic()
    told = json.loads(said)
    waiting, dropped = told["waiting"], told["dropped"]
    if waiting or dropped:
        row.wrong.append(f"{waiting} clients were not durable after {HERD_SECONDS_MAX} s, {dropped} items were dropped")
    return told["ended"]


def _judge(world: World, home: Path, name: str, row: Row) -> None:
    kept = notes.read(home / f"{name}.notes")
    verdict = oracle.judge(name, kept, world.query.raw(name, world.query.metrics(name)))
    if not verdict.clean:
        row.wrong.append(str(verdict))
    row.judged.rows += kept.calls
    row.judged.points += verdict.expected
    row.judged.lost += len(verdict.lost)
    row.judged.doubled += len(verdict.doubled)
