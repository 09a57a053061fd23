"""Positions: from a file's own timestamps to the session's timeline.

The rule of time: presentation timestamps inside a track's segments *are* positions on the session's timeline. A file's
first presented picture or sample comes to lie at the file's offset; what lies between its tracks stays as it was.

Two kinds of ticks occur: those of the file's stream (`1 / rate`, from the container) and those of the stored track
(`timescale`: 90 000 a second for pictures, the sample rate for sound). Conversions round to the nearest tick, so a
position is off by at most half a tick, never more after any length.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

VIDEO_TIMESCALE = 90_000
# Shorter holes are the jitter of recorders.
GAP_MS = 500
# Containers with millisecond clocks (Matroska, FLV) jitter by up to 1 ms; sound snaps to its own sample clock within
# that.
SNAP_MS = 1


class Clock:
    """Maps one stream's timestamps to ticks of its stored track. Integers only: it runs once a packet."""

    __slots__ = ("_denominator", "_numerator", "_shift", "offset_ms", "time_base", "timescale")

    def __init__(self, time_base: Fraction, origin: Fraction, offset_ms: int, timescale: int) -> None:
        """`time_base`: seconds of a stream tick. `origin`: the file's time in seconds that comes to `offset_ms`."""
        self.time_base, self.offset_ms, self.timescale = time_base, offset_ms, timescale
        scale = time_base * timescale
        shift = (Fraction(offset_ms, 1000) - origin) * timescale
        self._denominator = scale.denominator * shift.denominator
        self._numerator = scale.numerator * shift.denominator
        self._shift = shift.numerator * scale.denominator

    def ticks(self, timestamp: int) -> int:
        """Position in the track's ticks, half a tick rounds up; before `floor` if it is not presented."""
        return (2 * (timestamp * self._numerator + self._shift) + self._denominator) // (2 * self._denominator)

    def length(self, duration: int) -> int:
        """A duration in the track's ticks, at least one."""
        return max(1, round(duration * self.time_base * self.timescale))

    def ms(self, ticks: int) -> int:
        """Milliseconds from the session's start."""
        return (2000 * ticks + self.timescale) // (2 * self.timescale)

    @property
    def floor(self) -> int:
        """The file's first presented moment in ticks."""
        return (2 * self.offset_ms * self.timescale + 1000) // 2000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the session in milliseconds, the end excluded."""

    start_ms: int
    end_ms: int


class PresentationOrder:
    """Gives every picture its decode time, knowing only when each is presented.

    Containers disagree about decode times: some lack them, some begin below zero. They are therefore made anew: the
    n-th decoded picture is decoded when the n-th presented one is shown, minus the deepest reordering of the file, so
    that none is shown before it is decoded. At the very start, where that would be before the session, decode times
    are squeezed into single ticks. Every player then shows each picture exactly at its own time, without an edit
    list.
    """

    def __init__(self, present_at: Iterable[int]) -> None:
        decoded = array("q", present_at)
        self._shown = array("q", sorted(decoded))
        self._depth = max((shown - own for shown, own in zip(self._shown, decoded, strict=True)), default=0)
        self._next = 0
        self._last = -1

    def next(self, present_at: int) -> tuple[int, int]:
        """For the next picture in decode order: its decode time, and the earliest presentation from it on.

        Decode times grow from 0 and are at most `present_at`, if pictures are at least a millisecond apart.
        """
        shown = self._shown[self._next] if self._next < len(self._shown) else present_at
        self._next += 1
        self._last = max(self._last + 1, min(shown - self._depth, present_at))
        return self._last, shown


class SampleClock:
    """Keeps sound on its sample clock although the container's timestamps jitter."""

    def __init__(self, timescale: int) -> None:
        self._snap = timescale * SNAP_MS // 1000 + 1
        self._start, self._end = -1, -1

    def place(self, at: int, duration: int) -> int:
        """Where a packet lies: contiguous if it misses the packet before by at most 1 ms, never before it."""
        if self._end >= 0 and abs(at - self._end) <= self._snap:
            at = self._end
        at = max(at, self._start + 1)
        self._start, self._end = at, at + duration
        return at


def usual_step(present_at: Sequence[int]) -> int:
    """The median distance of moments, the best guess of a picture's duration; 0 if there are fewer than two."""
    shown = sorted(present_at)
    steps = sorted(after - before for before, after in pairwise(shown) if after > before)
    return steps[len(steps) // 2] if steps else 0


def longest_key_interval(present_at: Sequence[int], keys: Sequence[int]) -> int:
    """The longest stretch, in ticks, without a key frame; the whole length if there is none."""
    if not present_at:
        return 0
    end = max(present_at)
    marks = sorted(keys)
    marks = [*marks[bisect_right(marks, min(present_at)) :], end]
    start = min(present_at)
    longest = 0
    for mark in marks:
        longest, start = max(longest, mark - start), mark
    return longest
