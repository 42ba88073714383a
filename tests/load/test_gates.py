"""The bounds that may fail a build: ratios of CPU and counts, never times."""

from __future__ import annotations

from pathlib import Path

import growth
import workloads
from measure import Table


def test_reading_n_points_costs_the_same_in_a_run_ten_times_as_big(tmp_path: Path) -> None:
    ratios = growth.growth(tmp_path / "growth", Table())
    assert len(ratios) == len(growth.ASKS)
    wrong = {name: round(ratio, 2) for name, ratio in ratios.items() if ratio > growth.RATIO_MAX}
    assert not wrong


# Measured: 4.2 that are read, and 3.5 to 4 of rows that were sealed away and not yet compacted.
ROW_BYTES_PER_POINT_MAX = 12
# The engine begins another at the first flush past 64 MB, and removes one when all of it has been flushed.
JOURNAL_MIB_MAX = 160


def test_a_stored_point_takes_a_few_bytes_and_the_journal_is_bounded(tmp_path: Path) -> None:
    table = Table()
    found = workloads.disk(tmp_path / "disk", table)
    print(table.markdown())
    assert 0 < found["rows_per_point"] <= ROW_BYTES_PER_POINT_MAX
    assert 0 < found["journal_mib"] <= JOURNAL_MIB_MAX
