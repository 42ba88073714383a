"""The bounds that may fail a build: ratios of CPU and counts, never times."""

from __future__ import annotations

from pathlib import Path

import growth
from measure import Table


def test_reading_n_points_costs_the_same_in_a_run_ten_times_as_big(tmp_path: Path) -> None:
    ratios = growth.growth(tmp_path / "growth", Table())
    assert len(ratios) == len(growth.ASKS)
    wrong = {name: round(ratio, 2) for name, ratio in ratios.items() if ratio > growth.RATIO_MAX}
    assert not wrong
