"""The table of docs/RELIABILITY.md."""

from __future__ import annotations

import re
from pathlib import Path

from faults import Row
from measure import machine

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/RELIABILITY.md"
BEGIN, END = "<!-- faults: written by make torture -->", "<!-- end of faults -->"
HEAD = ["fault", "length", "rows acknowledged", "points", "lost", "doubled", "longest wait for an acknowledgement",
        "longest behind", "lag 0 after its end"]


def table(rows: list[Row]) -> str:
    lines = ["| " + " | ".join(HEAD) + " |", "|---" + "|---:" * (len(HEAD) - 1) + "|"]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join([*lines, *(f"\n- {row.details}" for row in rows if row.details)])


def cells(row: Row) -> list[str]:
    judged = row.judged
    if not judged.rows:
        return [row.name, f"{row.seconds:.0f} s", *[""] * (len(HEAD) - 2)]
    counts = [f"{count:,}" for count in (judged.rows, judged.points, judged.lost, judged.doubled)]
    times = [f"{seconds:.1f} s" for seconds in (judged.gap_seconds, row.behind_seconds, row.lag_seconds)]
    return [row.name, f"{row.seconds:.0f} s", *counts, *times]


def line(row: Row) -> str:
    return "; ".join(f"{head} {cell}" for head, cell in zip(HEAD, cells(row)))


def write(table: str, command: str) -> None:
    """Replaces what stands between the marks."""
    text = DOCUMENT.read_text()
    said = [BEGIN, "", f"Command: `{command}`. Machine: {machine()}; engines, Corral and trainings share it.", "", table, "", END]
    fresh, count = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: "\n".join(said), text, flags=re.S)
    if count != 1:
        raise ValueError(f"{DOCUMENT} has no place for the table between {BEGIN} and {END}")
    DOCUMENT.write_text(fresh)
