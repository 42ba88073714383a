"""Measures a process from outside, and says on what machine: CPU by its own clock, memory, disk, medians."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """All CPU time that a process has used, of threads that have ended too, to the nanosecond.

    The clock of another process is the one that clock_getcpuclockid(3) names: its id is ~pid shifted, with the kind
    of clock (2, scheduled time) below.
    """
    return time.clock_gettime((~pid << 3) | 2)


def memory_mb(pid: int, which: str = "VmHWM") -> float:
    """VmHWM is the most that it ever had, VmRSS what it has now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(which)


def disk_bytes(path: Path) -> int:
    """Blocks that are really there: files are preallocated, so their lengths say nothing."""
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file())


@dataclass
class Row:
    """One figure of the table: what, its unit, every value that was measured, and what it should be."""

    name: str
    what: str
    unit: str
    goal: str = ""
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def as_json(self) -> dict:
        shown = {"name": self.name, "what": self.what, "unit": self.unit, "goal": self.goal, "values": self.values}
        return {**shown, "median": self.median, "min": min(self.values), "max": max(self.values)}


class Table:
    """Rows in the order in which they were first measured."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def add(self, name: str, what: str, value: float, unit: str, goal: str = "") -> None:
        self.rows.setdefault(f"{name} {what}", Row(name, what, unit, goal)).values.append(value)

    def markdown(self) -> str:
        lines = ["| workload | figure | median | min | max | unit | goal |", "|---|---|---:|---:|---:|---|---|"]
        for row in self.rows.values():
            figures = " | ".join(short(value) for value in (row.median, min(row.values), max(row.values)))
            lines.append(f"| {row.name} | {row.what} | {figures} | {row.unit} | {row.goal} |")
        return "\n".join(lines)


def short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    gib = int(memory.split()[1]) / 2**20
    return f"{os.cpu_count()} cores ({model}), {gib:.0f} GiB, {platform.system()} {platform.release()}"


def commit(root: Path) -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=root, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or "unknown"
