"""The judge of the crash scenario must be able to say "guilty"."""

from __future__ import annotations

import math
from pathlib import Path

import notes
import oracle
import pytest
from oracle import Shown

CALLS = 20


def written(path: Path, *, killed: bool = False) -> notes.Notes:
    """What a script writes; with `killed` its last call never returned and its last line is cut."""
    book = notes.Notebook(path)
    for call in range(CALLS):
        book.intend(call, call, {"loss": call / 3, "count": 2**63 + call, "odd": math.nan})
        if not (killed and call == CALLS - 1):
            book.returned(call)
    if killed:
        with path.open("a") as file:
            file.write("I 99 [99, {\"lo")
    return notes.read(path)


def everything(kept: notes.Notes) -> list[Shown]:
    both = {**kept.certain, **kept.uncertain}
    return [Shown(metric, step, value) for (metric, step), value in both.items()]


def test_the_same_is_clean(tmp_path: Path) -> None:
    kept = written(tmp_path / "notes")
    verdict = oracle.judge("run", kept, everything(kept))
    assert verdict.clean and verdict.expected == verdict.found == CALLS * 3


def test_a_call_that_never_returned_may_be_there_or_not(tmp_path: Path) -> None:
    kept = written(tmp_path / "notes", killed=True)
    assert len(kept.uncertain) == 3
    assert oracle.judge("run", kept, everything(kept)).unseen == 3
    without = [point for point in everything(kept) if (point.metric, point.step) in kept.certain]
    verdict = oracle.judge("run", kept, without)
    assert verdict.clean and verdict.unseen == 0


@pytest.mark.parametrize(
    ("kind", "plant"),
    [
        ("lost", lambda shown: shown[1:]),
        ("lost", lambda shown: []),
        ("doubled", lambda shown: [*shown, shown[4]]),
        ("altered", lambda shown: [Shown("loss", shown[0].step, "f64:0x1.0p+4"), *shown[1:]]),
        ("altered", lambda shown: [Shown(p.metric, p.step, p.value.replace("u64:", "i64:")) for p in shown]),
        ("invented", lambda shown: [*shown, Shown("loss", CALLS, "f64:0x0.0p+0")]),
        ("invented", lambda shown: [*shown, Shown("other", 0, "f64:0x0.0p+0")]),
    ],
)
def test_each_planted_fault_is_found(tmp_path: Path, kind: str, plant) -> None:
    kept = written(tmp_path / "notes")
    verdict = oracle.judge("run", kept, plant(everything(kept)))
    assert not verdict.clean
    assert getattr(verdict, kind), str(verdict)
    assert kind in str(verdict)


def test_in_the_middle_of_the_trouble_nothing_is_lost_yet(tmp_path: Path) -> None:
    kept = written(tmp_path / "notes")
    assert oracle.judge("run", kept, everything(kept)[:7], complete=False).clean
    assert not oracle.judge("run", kept, [*everything(kept)[:7], everything(kept)[0]], complete=False).clean


def test_values_keep_type_and_bits() -> None:
    assert notes.typed(0.0) != notes.typed(-0.0)
    assert notes.typed(1) != notes.typed(1.0) != notes.typed(True)
    assert notes.typed(2**53 + 1) == "i64:9007199254740993"
    assert notes.typed(2**64 - 1) == "u64:18446744073709551615"
    assert notes.typed(math.nan) == notes.typed(-math.nan) == "f64:nan"
