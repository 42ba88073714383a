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


def write(rows: list[Row], wrong: list[str]) -> None:
    """Puts the rows between the marks, in place of those of the same name; those that went wrong are taken out."""
    text = DOCUMENT.read_text()
    found = re.search(f"{re.escape(BEGIN)}(.*?){re.escape(END)}", text, re.S)
    if not found:
        raise ValueError(f"{DOCUMENT} has no place for the table between {BEGIN} and {END}")
    kept = dict(_keyed(found[1]))
    kept |= dict(_keyed(table(rows)))
    lines = [line for name, line in kept.items() if name not in wrong]
    how = "Written by `make torture FAULTS=--write`, in one run or in several (`--only`, `--rounds`)."
    said = [BEGIN, "", f"{how} Machine: {machine()}; engines, Corral and trainings share it.", "",
            *(line for line in lines if line.startswith("|")), "", *(line for line in lines if line.startswith("-")), "", END]
    DOCUMENT.write_text(text[: found.start()] + "\n".join(said) + text[found.end() :])


def _keyed(text: str) -> list[tuple[str, str]]:
    """The lines of a table and of what stands below it, each with what names it."""
    lines = [line for line in text.splitlines() if line.startswith(("|", "- "))]
    return [(line.split("|")[1].strip() if line.startswith("|") else line.split(":")[0], line) for line in lines]
