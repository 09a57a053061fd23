"""Arithmetic of the timeline picture. Positions are milliseconds from the session's start; x grows with time."""

from collections.abc import Iterable
from dataclasses import dataclass

_TICKS_MS = (1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000)
_LONGEST_TICK_MS = 3_600_000
_MOST_TICKS = 13

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scale:
    """Milliseconds to units of a picture that shows the whole recording between `left` and `right`."""

    duration_ms: int
    left: float
    right: float

    def x(self, at_ms: int) -> float:
        """Where a position is; positions outside of the recording are at its ends."""
        share = min(max(at_ms / max(self.duration_ms, 1), 0.0), 1.0)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> list[int]:
        """Round positions, at most thirteen for recordings of up to six hours, first 0."""
        step = next((tick for tick in _TICKS_MS if self.duration_ms / tick < _MOST_TICKS), _LONGEST_TICK_MS)
        return list(range(0, self.duration_ms + 1, step))


def without(stretches: Iterable[Stretch], holes: Iterable[Stretch]) -> list[Stretch]:
    """What is left of the stretches when the holes are cut out; sorted, nothing empty."""
    left = sorted(stretch for stretch in stretches if stretch[0] < stretch[1])
    for start, end in holes:
        cut = [part for a, b in left for part in ((a, min(b, start)), (max(a, end), b))]
        left = [part for part in cut if part[0] < part[1]] if start < end else left
    return sorted(left)
