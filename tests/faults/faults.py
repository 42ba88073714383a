"""The faults, each under load: what is done to whom, and the row of the table that comes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from harness import wait_until
from load import Judged, Load
from process import ProcessFailed
from world import Lag, World

LEAD_SECONDS = 3
LAG_SECONDS_MAX = 90
APART_SECONDS = 12
ISOLATED_USER = 65001


@dataclass(frozen=True)
class Lengths:
    """How long each fault lasts, and how often what is quick is done."""

    rounds: int = 3
    down_seconds: float = 3.0
    broker_seconds: float = 20.0
    store_seconds: float = 60.0
    overload_seconds: float = 60.0
    herd_clients: int = 500
    herd_rows: int = 100


@dataclass
class Row:
    """One fault: its figures, and all that was wrong."""

    name: str
    seconds: float = 0.0
    judged: Judged = field(default_factory=Judged)
    behind_seconds: float = 0.0
    lag_seconds: float = 0.0
    details: str = ""
    """What else there is to say, for the lines below the table."""

    @property
    def wrong(self) -> list[str]:
        return self.judged.wrong


def under_load(world: World, name: str, fault: Callable[[], None], title: str) -> Row:
    """Trainings before, through and after the fault, which ends when everything runs again."""
    row, load = Row(title), Load(world, name)
    with Lag(world) as lag:
        try:
            load.start()
            time.sleep(LEAD_SECONDS)
            began = time.monotonic()
            fault()
            ended = time.monotonic()
            row.seconds = ended - began
            wait_until("no partition lags", LAG_SECONDS_MAX, lambda: lag.gone_after(ended) is not None)
            time.sleep(LEAD_SECONDS)
            row.behind_seconds, row.lag_seconds = lag.longest(began), lag.gone_after(ended)
            row.judged = load.end()
        except (TimeoutError, ProcessFailed, RuntimeError, OSError) as error:
            row.wrong.append(f"{error}\n{world.words()}")
        finally:
            load.kill()
    return row


def kill_role(world: World, role: str, lengths: Lengths) -> Row:
    """Each process of the role in turn, killed and started again."""

    def fault() -> None:
        for turn in range(lengths.rounds):
            if turn:
                # One at a time: what the last one had must be somebody's again.
                time.sleep(APART_SECONDS)
            killed = world.of(role)[turn % len(world.of(role))]
            killed.kill()
            time.sleep(lengths.down_seconds)
            killed.run()

    return under_load(world, f"kill-{role}", fault, f"kill -9 of {role}, {times(lengths.rounds)}")


def rolling_restart(world: World) -> Row:
    """Every process, one after another, as a roll-out does it."""

    def fault() -> None:
        for process in world.processes.values():
            process.stop()
            process.run()

    return under_load(world, "rolling", fault, "rolling restart of every process")


def store_stopped(world: World, lengths: Lengths) -> Row:
    def fault() -> None:
        halted(world.node("cassandra-1").child.pid, lengths.store_seconds)

    return under_load(world, "store-stopped", fault, f"Cassandra stopped (SIGSTOP) for {lengths.store_seconds:.0f} s")


def store_killed(world: World, lengths: Lengths) -> Row:
    def fault() -> None:
        killed(world, "cassandra-1", lengths.store_seconds)

    title = f"Cassandra killed (-9), started {lengths.store_seconds:.0f} s later"
    return under_load(world, "store-killed", fault, title)


def broker_killed(world: World, lengths: Lengths) -> Row:
    def fault() -> None:
        killed(world, "kafka-1", lengths.broker_seconds)

    title = f"kill -9 of one broker of three, started {lengths.broker_seconds:.0f} s later"
    return under_load(world, "broker-killed", fault, title)


def broker_stopped(world: World, lengths: Lengths) -> Row:
    def fault() -> None:
        halted(world.node("kafka-2").child.pid, lengths.broker_seconds)

    title = f"one broker of three stopped (SIGSTOP) for {lengths.broker_seconds:.0f} s"
    return under_load(world, "broker-stopped", fault, title)


def broker_cut_off(world: World, lengths: Lengths) -> Row:
    """No packet of the broker leaves it any more; the filter lies in this program's own network namespace."""
    rule = ["OUTPUT", "-m", "owner", "--uid-owner", str(ISOLATED_USER), "-j", "DROP"]

    def fault() -> None:
        iptables("-A", *rule)
        try:
            time.sleep(lengths.broker_seconds)
            counted = iptables("-nvxL", "OUTPUT").splitlines()[2].split()
        finally:
            iptables("-D", *rule)
        if int(counted[0]) == 0:
            raise ProcessFailed("the filter let everything pass: nobody was cut off")

    title = f"one broker of three cut off in a network namespace for {lengths.broker_seconds:.0f} s"
    return under_load(world, "broker-cut-off", fault, title)


def rebuilt(world: World) -> Row:
    """Nobody logs: a build made from the log alone must have the rows that projectors wrote through all the faults before."""
    row, began = Row("`corral rebuild --verify` after the faults above"), time.monotonic()
    try:
        said = world.command("rebuild", "--verify").splitlines()
        equal = [line for line in said if line.startswith("equal: ")]
        row.details = f"The rebuild beside the processes that serve: {equal[0]}."
    except (ProcessFailed, IndexError) as error:
        row.wrong.append(f"rebuild --verify: {error}")
    row.seconds = time.monotonic() - began
    return row


def halted(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def killed(world: World, node: str, seconds: float) -> None:
    child = world.node(node).child
    child.kill()
    child.wait()
    time.sleep(seconds)
    world.engines.start(node)


def iptables(*words: str) -> str:
    return subprocess.run(["iptables", "-w", *words], check=True, capture_output=True, text=True).stdout


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
