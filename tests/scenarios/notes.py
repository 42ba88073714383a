"""What a training script wrote down about its own `log()` calls: the only thing that the oracle believes.

A line before each call says what it is going to log (`I`), a line after it says that `log()` returned (`R`). Lines go
straight to the kernel by `write(2)` without fsync: like the client's own spool they outlive the process, not the machine.
Values are written exactly and with their type, so that a lost, doubled, altered or swapped value has a name.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

I64_MAX = 2**63 - 1


def typed(value: object) -> str:
    """A value as text: its type as Corral keeps it, and every bit of it (NaNs are one value)."""
    if isinstance(value, bool):
        return f"bool:{int(value)}"
    if isinstance(value, int):
        return f"i64:{value}" if value <= I64_MAX else f"u64:{value}"
    if type(value).__name__ == "float32":
        return floating("f32", float(value))
    return floating("f64", float(value))


def floating(kind: str, value: float) -> str:
    return f"{kind}:nan" if math.isnan(value) else f"{kind}:{value.hex()}"


class Notebook:
    """The writing side, inside the training script."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def intend(self, call: int, step: int | None, values: dict[str, object]) -> None:
        written = {name: typed(value) for name, value in values.items()}
        self._line(f"I {call} {json.dumps([step, written])}")

    def returned(self, call: int) -> None:
        self._line(f"R {call}")

    def _line(self, text: str) -> None:
        os.write(self._file, (text + "\n").encode())


@dataclass
class Notes:
    """The reading side."""

    # (metric, step) -> value as text, in the order of the calls.
    certain: dict[tuple[str, int], str] = field(default_factory=dict)
    # Of calls whose return was not seen: may exist, once.
    uncertain: dict[tuple[str, int], str] = field(default_factory=dict)
    calls: int = 0

    @property
    def points(self) -> int:
        return len(self.certain)


def read(path: Path) -> Notes:
    intended: dict[int, tuple[int | None, dict[str, str]]] = {}
    returned: set[int] = set()
    text = path.read_text()
    # The last line may be cut by a kill; every earlier one is whole.
    lines = text.split("\n")[:-1]
    for line in lines:
        kind, rest = line.split(" ", 1)
        if kind == "R":
            returned.add(int(rest))
            continue
        call, said = rest.split(" ", 1)
        intended[int(call)] = tuple(json.loads(said))
    return _sorted_out(intended, returned)


def _sorted_out(intended: dict, returned: set[int]) -> Notes:
    notes = Notes(calls=len(returned))
    for call, (step, values) in sorted(intended.items()):
        # A call without a step gets the next one: this script's calls are the run's only ones.
        at = call if step is None else step
        into = notes.certain if call in returned else notes.uncertain
        for metric, value in values.items():
            if (metric, at) in notes.certain or (metric, at) in notes.uncertain:
                raise ValueError(f"the script wrote {metric} twice at step {at}: its notes cannot tell a double")
            into[metric, at] = value
    return notes
