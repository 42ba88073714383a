"""The crash scenario as one test: ten kills of the server, one of a training, and a count that must come out."""

from __future__ import annotations

import os
import random
from pathlib import Path

import crash


def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
    wrong = crash.play(tmp_path, seed, kills=10, calls_per_second=300.0)
    assert not wrong, f"SEED={seed} replays it:\n" + "\n".join(wrong)
