"""What a process costs, from /proc: processor seconds and resident memory, of it and its living children."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """Cost of one process since its start."""

    core_seconds: float
    resident_bytes: int
    peak_resident_bytes: int


def usage_of(pid: int) -> Usage:
    """Cost of a process with its children, ended ones included. Zero if it is gone."""
    family = [pid, *children_of(pid)]
    core_seconds = sum(_core_seconds(member) for member in family)
    resident = sum(_status_bytes(member, "VmRSS") for member in family)
    # Peaks of parent and children need not have come together, so this is an upper bound.
    peak = sum(_status_bytes(member, "VmHWM") for member in family)
    return Usage(core_seconds, resident, peak)


def children_of(pid: int) -> list[int]:
    """Children of all its threads, and theirs."""
    found: list[int] = []
    try:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    except OSError:
        return []
    return found + [below for child in found for below in children_of(child)]


def _core_seconds(pid: int) -> float:
    """Utime + stime + cutime + cstime of proc(5)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in after_name[11:15]) / os.sysconf("SC_CLK_TCK")


def _status_bytes(pid: int, key: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":")), 0)
