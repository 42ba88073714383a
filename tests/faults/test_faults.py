"""The shortest faults, on a real Kafka and a real Cassandra, one role per process; `make torture` has all, and longer.

What counts waits and lags is shown to find them, on looks that are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import faults
import pytest
from faults import Lengths, Row
from load import longest_gap
from world import PARTITIONS, Lag, World

SHORT = Lengths(rounds=1, down_seconds=2.0, store_seconds=8.0)
# Three trainings at 60 calls a second, for five seconds at the least.
ROWS_MIN = 900
# A partition moves within 10 s when its projector dies; then it is read to its end, on a machine that has other work.
BEHIND_SECONDS_MAX = 25
GAP_SECONDS_MAX = 10


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("faults") / "world") as world:
        yield world


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda world: faults.kill_role(world, "ingest", SHORT), id="an ingest process is killed"),
        pytest.param(lambda world: faults.kill_role(world, "projector", SHORT), id="a projector is killed"),
        pytest.param(lambda world: faults.store_stopped(world, SHORT), id="Cassandra is stopped"),
    ],
)
def test_nothing_is_lost_or_doubled(world: World, fault: Callable[[World], Row]) -> None:
    row = fault(world)
    print(row)
    assert row.wrong == []
    assert (row.judged.lost, row.judged.doubled) == (0, 0)
    assert row.judged.rows >= ROWS_MIN and row.judged.points > row.judged.rows
    assert row.judged.gap_seconds <= GAP_SECONDS_MAX
    assert row.behind_seconds <= row.seconds + BEHIND_SECONDS_MAX


def test_the_longest_wait_is_found() -> None:
    # Acknowledged at once, nothing to acknowledge, then three seconds without an answer.
    samples = [(0.0, 5, 0), (1.0, 5, 5), (3.0, 5, 5), (3.1, 6, 5), (5.0, 9, 5), (6.0, 9, 6), (6.1, 9, 9)]
    assert longest_gap(samples) == pytest.approx(3.0)
    # The last answer never comes.
    assert longest_gap([(0.0, 1, 1), (1.0, 2, 1), (9.0, 2, 1)]) == pytest.approx(9.0)


def test_a_lag_is_gone_once_every_partition_was_seen_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("world.time.monotonic", lambda: 10.0)
    lag, whole = Lag(None), {str(partition): 0.0 for partition in range(PARTITIONS)}
    lag._looks = [(1.0, whole), (2.0, {**whole, "1": 7.0}), (3.0, {"0": 0.0})]
    assert lag.gone_after(1.5) is None
    assert lag.longest(0.0) == pytest.approx(9.0)
    lag._looks.append((9.0, whole))
    assert lag.gone_after(1.5) == pytest.approx(7.5)
    assert lag.longest(0.0) == pytest.approx(8.0)
