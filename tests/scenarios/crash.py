"""Kills the server ten times and one training in the middle, then counts: nothing lost, nothing doubled.

    python tests/scenarios/crash.py [--seed N] [--kills 10] [--keep DIRECTORY]

Real processes: the release binary and the Python client. Three trainings log through all of it; a fourth is killed
with SIGKILL while the server is down, so that its spool has to be adopted by another client. Afterwards the points of
the page's query are held against what the scripts wrote down (`notes.py`, `oracle.py`), `corral rebuild --verify`
must find equal read models, and the query must say the same again.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import notes
import oracle
from harness import wait_until

KINDS = ("plain", "mixed", "auto")
DOOMED = "doomed"
ADOPTER = "adopter"
FIRST_SECONDS = 3.0
UP_SECONDS = (0.4, 3.0)
DOWN_SECONDS = (0.1, 1.2)
# A client says goodbye within a minute; an orphan is found within 30 s.
ADOPT_SECONDS_MAX = 60
FINISH_SECONDS_MAX = 90
SETTLE_SECONDS_MAX = 30
REBUILD_SECONDS_MAX = 300


class Scenario:
    """One run of it in one directory."""

    def __init__(self, home: Path, seed: int, kills: int, calls_per_second: float) -> None:
        self.home, self.kills, self.calls_per_second = home, kills, calls_per_second
        self.chance = random.Random(seed)
        self.prefix = f"s{seed}"
        self.server = harness.server(home)
        self.until = home / "stop"
        self.processes: dict[str, subprocess.Popen] = {}
        self.query: harness.Query

    # -- the trouble --------------------------------------------------------------------------------------------

    def play(self) -> list[str]:
        """Answers with everything that was wrong."""
        self.server.start(0)
        self.port = int(self.server.url.rsplit(":", 1)[1])
        self.query = harness.Query(self.server.url, self.server.key())
        for number, kind in enumerate(KINDS, start=1):
            self.train(kind, number, kind)
        self.train(DOOMED, 9, "plain")
        time.sleep(FIRST_SECONDS)
        wrong = self.trouble()
        wrong += self.healed()
        first = self.everything()
        wrong += [str(verdict) for verdict, _ in first.values() if not verdict.clean]
        wrong += self.rebuilt()
        again = self.everything()
        wrong += [f"{run}: other points after the rebuild" for run in first if first[run][1] != again[run][1]]
        for verdict, _ in again.values():
            say(f"  {verdict}")
        return wrong

    def trouble(self) -> list[str]:
        wrong = []
        doomed_at = self.kills // 2
        for kill in range(self.kills):
            self.server.kill()
            down = self.chance.uniform(*DOWN_SECONDS)
            time.sleep(down)
            if kill == doomed_at:
                self.processes[DOOMED].send_signal(signal.SIGKILL)
                self.processes[DOOMED].wait()
            began = time.monotonic()
            self.server.start(self.port)
            back = time.monotonic() - began
            if kill == doomed_at:
                wrong += self.orphan()
            up = self.chance.uniform(*UP_SECONDS)
            time.sleep(up)
            wrong += self.glance()
            say(f"  kill {kill + 1}: down {down:.1f} s, back after {back:.2f} s, up {up:.1f} s")
        return wrong

    def orphan(self) -> list[str]:
        """The killed training must have left something to adopt, or this scenario shows nothing."""
        kept = notes.read(self.home / f"{DOOMED}.notes")
        missing = kept.points - len(self.points(DOOMED))
        say(f"  the killed training left {missing} of {kept.points} points in its spool")
        self.train(ADOPTER, 8, "plain")
        return [] if missing > 0 else ["the killed training had nothing left to send: nothing was shown"]

    def glance(self) -> list[str]:
        """In the middle of it: what is shown was logged, and once."""
        run = self.chance.choice(KINDS)
        shown = self.points(run)
        verdict = oracle.judge(run, notes.read(self.home / f"{run}.notes"), shown, complete=False)
        return [] if verdict.clean else [f"in the middle: {verdict}"]

    def healed(self) -> list[str]:
        """All faults are over: everybody finishes, and the killed training's points come by another client."""
        kept = notes.read(self.home / f"{DOOMED}.notes")
        waited = wait_until(
            "the killed training's spool is adopted", ADOPT_SECONDS_MAX, lambda: self.count(DOOMED) >= kept.points
        )
        say(f"  its spool was adopted and sent (waited {waited:.1f} s)")
        self.until.touch()
        wrong = []
        for name, process in self.processes.items():
            code = process.wait(FINISH_SECONDS_MAX)
            if code != 0 and name != DOOMED:
                wrong.append(f"{name} ended with code {code}: see {self.home / name}.log")
        for name in self.processes:
            least = notes.read(self.home / f"{name}.notes").points
            wait_until(f"{name} is complete", SETTLE_SECONDS_MAX, lambda: self.count(name) >= least)
        return wrong

    def rebuilt(self) -> list[str]:
        command = [str(harness.binary()), "rebuild", "--verify", "--data-dir", str(self.server.data)]
        done = subprocess.run(
            command, env=self.server.env, capture_output=True, text=True, timeout=REBUILD_SECONDS_MAX, check=False
        )
        say("  rebuild --verify: " + (done.stdout.strip().splitlines() or ["(said nothing)"])[-1])
        return [] if done.returncode == 0 else [f"rebuild --verify: {done.returncode}: {done.stdout}{done.stderr}"]

    # -- what is there ------------------------------------------------------------------------------------------

    def train(self, name: str, number: int, kind: str) -> None:
        arguments = ["trainer.py", "--id", self.run(name), "--number", str(number), "--kind", kind]
        arguments += ["--notes", str(self.home / f"{name}.notes"), "--until", str(self.until)]
        arguments += ["--calls-per-second", str(self.calls_per_second)]
        self.processes[name] = harness.script(self.home, self.server.url, arguments, self.home / f"{name}.log")

    def run(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def count(self, name: str) -> int:
        """The run's points as its head row counts them."""
        return int(self.query.run(self.run(name))["run"].get("points", 0))

    def points(self, name: str) -> list[oracle.Shown]:
        return self.query.raw(self.run(name), self.query.metrics(self.run(name)))

    def everything(self) -> dict[str, tuple[oracle.Verdict, list[oracle.Shown]]]:
        found = {}
        for name in self.processes:
            shown = self.points(name)
            verdict = oracle.judge(name, notes.read(self.home / f"{name}.notes"), shown)
            if self.count(name) != len(shown):
                verdict.altered.append(f"the run counts {self.count(name)} points and shows {len(shown)}")
            found[name] = (verdict, shown)
        return found

    def end(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        self.server.stop()


def say(text: str) -> None:
    print(text, flush=True)


def play(home: Path, seed: int, kills: int, calls_per_second: float) -> list[str]:
    say(f"crash scenario: seed {seed}, {kills} kills, in {home}")
    scenario = Scenario(home, seed, kills, calls_per_second)
    try:
        return scenario.play()
    except (TimeoutError, subprocess.TimeoutExpired, RuntimeError) as error:
        return [f"{type(error).__name__}: {error}"]
    finally:
        scenario.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--calls-per-second", type=float, default=300.0, help="of each training")
    parser.add_argument("--keep", type=Path, help="use this directory and leave it")
    chosen = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    with tempfile.TemporaryDirectory(prefix="corral-crash-") as temporary:
        home = chosen.keep or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        wrong = play(home, seed, chosen.kills, chosen.calls_per_second)
    for one in wrong:
        print(f"WRONG: {one}")
    print(f"crash scenario: {'FAILED' if wrong else 'passed'}; again with --seed {seed}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
