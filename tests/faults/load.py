"""Trainings with the real client through a fault, judged by what their scripts wrote down (`notes.py`, `oracle.py`)."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import harness
import notes
import oracle
from harness import wait_until
from world import World

HERE = Path(__file__).resolve().parent
KINDS = ("plain", "mixed", "auto")
CALLS_PER_SECOND = 60
FIRST_SECONDS_MAX = 60
FINISH_SECONDS_MAX = 120
SETTLE_SECONDS_MAX = 60


@dataclass
class Judged:
    """What became of the rows that `log()` returned for."""

    rows: int = 0
    points: int = 0
    lost: int = 0
    doubled: int = 0
    gap_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Load:
    """Some trainings in one world."""

    def __init__(self, world: World, name: str, trainings: int = len(KINDS)) -> None:
        self.world = world
        self.home = world.home / name
        self.home.mkdir()
        self.until = self.home / "stop"
        self.names = [f"{name}-{number}" for number in range(trainings)]
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Returns when each of them has been acknowledged something."""
        for number, name in enumerate(self.names):
            self._train(name, number)
        wait_until("every training is acknowledged", FIRST_SECONDS_MAX, lambda: all(map(self._acked, self.names)))

    def end(self) -> Judged:
        """Tells them to finish, waits until they are whole, judges."""
        judged = Judged()
        self.until.touch()
        try:
            for name, process in self.processes.items():
                code = process.wait(FINISH_SECONDS_MAX)
                if code:
                    judged.wrong.append(f"{name} ended with code {code}: {self._log(name).read_text()[-1000:]}")
            for name in self.names:
                self._judge(name, judged)
        finally:
            self.kill()
        return judged

    def quick(self, seconds_max: float) -> bool:
        """Whether all that is logged is acknowledged within so long just now."""
        return all(_waits(self._samples(name)) <= seconds_max for name in self.names)

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _train(self, name: str, number: int) -> None:
        command = [harness.python(), str(HERE / "worker.py"), str(self.home / f"{name}.acks"), "--project", "faults",
                   "--id", name, "--number", str(number), "--kind", KINDS[number % len(KINDS)],
                   "--notes", str(self._notes(name)), "--until", str(self.until),
                   "--calls-per-second", str(CALLS_PER_SECOND)]
        with self._log(name).open("w") as log:
            self.processes[name] = subprocess.Popen(command, env=self.world.client_env(), stdin=subprocess.DEVNULL,
                                                    stdout=log, stderr=log, cwd=HERE)

    def _judge(self, name: str, judged: Judged) -> None:
        kept = notes.read(self._notes(name))
        query = self.world.query
        try:
            wait_until(f"{name} is whole", SETTLE_SECONDS_MAX,
                       lambda: int(query.run(name)["run"].get("points", 0)) >= kept.points)
        except TimeoutError:
            # The verdict says which points are missing.
            pass
        verdict = oracle.judge(name, kept, query.raw(name, query.metrics(name)))
        if not verdict.clean:
            judged.wrong.append(str(verdict))
        judged.rows += kept.calls
        judged.points += verdict.expected
        judged.lost += len(verdict.lost)
        judged.doubled += len(verdict.doubled)
        judged.gap_seconds = max(judged.gap_seconds, longest_gap(self._samples(name)))

    def _acked(self, name: str) -> bool:
        return any(durable > 0 for _, _, durable in self._samples(name))

    def _samples(self, name: str) -> list[tuple[float, int, int]]:
        path = self.home / f"{name}.acks"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [(float(when), int(items), int(durable)) for when, items, durable in map(str.split, lines)]

    def _notes(self, name: str) -> Path:
        return self.home / f"{name}.notes"

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"


def longest_gap(samples: list[tuple[float, int, int]]) -> float:
    """The longest time that something waited and nothing was acknowledged, from the first acknowledgement on."""
    longest, since, before = 0.0, None, 0
    for when, items, durable in samples:
        if durable == 0:
            continue
        if durable != before or durable == items or since is None:
            longest = max(longest, when - since) if since is not None else 0.0
            since = when
        longest, before = max(longest, when - since), durable
    return longest


def _waits(samples: list[tuple[float, int, int]]) -> float:
    """How long ago that was logged which was acknowledged last."""
    now, _, durable = samples[-1]
    return now - next(when for when, items, _ in samples if items >= durable)
