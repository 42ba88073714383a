"""Compares what a server shows with what the training scripts wrote down; it knows nothing else.

`judge` answers with every difference by kind: lost, doubled, altered, invented. `test_oracle.py` plants one of each
and demands that it is found: a judge that cannot say "guilty" is worth nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from notes import Notes

NAMED_MAX = 5


@dataclass(frozen=True)
class Shown:
    """One point as a query answered it; `value` as `notes.typed` writes it."""

    metric: str
    step: int
    value: str


@dataclass
class Verdict:
    run: str
    expected: int = 0
    found: int = 0
    # Of calls whose return nobody saw, those that are there: allowed.
    unseen: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.altered or self.invented)

    def __str__(self) -> str:
        text = f"{self.run}: {self.expected} points expected, {self.found} found"
        if self.unseen:
            text += f" ({self.unseen} of a call that never returned)"
        for kind in ("lost", "doubled", "altered", "invented"):
            wrong = getattr(self, kind)
            if wrong:
                more = ", ..." if len(wrong) > NAMED_MAX else ""
                text += f"\n    {kind} {len(wrong)}: " + "; ".join(wrong[:NAMED_MAX]) + more
        return text


def judge(run: str, notes: Notes, shown: list[Shown], complete: bool = True) -> Verdict:
    """With `complete` unset (in the middle of the trouble) nothing counts as lost yet."""
    verdict = Verdict(run, expected=notes.points, found=len(shown))
    times = Counter((point.metric, point.step) for point in shown)
    for place, count in times.items():
        if count > 1:
            verdict.doubled.append(f"{place[0]} at step {place[1]}, {count} times")
    for point in shown:
        _judge_point(point, notes, verdict)
    if complete:
        verdict.lost = [f"{metric} at step {step}" for metric, step in notes.certain if (metric, step) not in times]
    return verdict


def _judge_point(point: Shown, notes: Notes, verdict: Verdict) -> None:
    place = (point.metric, point.step)
    wanted = notes.certain.get(place)
    if wanted is None:
        wanted = notes.uncertain.get(place)
        verdict.unseen += wanted is not None
    if wanted is None:
        verdict.invented.append(f"{point.metric} at step {point.step} = {point.value}")
    elif wanted != point.value:
        verdict.altered.append(f"{point.metric} at step {point.step} is {point.value}, was {wanted}")
