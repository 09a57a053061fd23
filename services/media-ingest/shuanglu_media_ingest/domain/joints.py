"""Clocks that jump: recordings glued together, a recorder that was restarted, a clock that was set.

A file's streams share one clock. Where it runs back, or leaps by more than an hour, the recording goes on where it
was, as players do, and the joint is remembered: nobody knows how much lies between. A smaller leap forward is kept as
it is: there the file says that nothing was recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

# Decode times never run back inside a recording; half a second forgives recorders that write them carelessly.
BACK_S = Fraction(1, 2)
LEAP_S = Fraction(3600)
# A stream that follows another over a joint may miss its place by so much: the two parts end at different moments.
FOLLOW_S = Fraction(10)
# More joints than this is noise, not a clock.
MAX_JOINTS = 100


class TooManyJoints(ValueError):
    """The times are noise: no order can be made out of them."""


@dataclass(slots=True)
class _Line:
    """One stream: what is added to its times now, and when its next packet is due. In its own ticks."""

    time_base: Fraction
    back: int
    leap: int
    follow: int
    shift: int = 0
    due: int | None = None


class Joints:
    """Lays the packets of all streams, in the order of the file, on one line that never runs back."""

    def __init__(self, time_bases: Mapping[int, Fraction]) -> None:
        """`time_bases`: seconds of a tick, by stream."""
        self._lines = {
            index: _Line(base, int(BACK_S / base) + 1, int(LEAP_S / base) + 1, int(FOLLOW_S / base) + 1)
            for index, base in time_bases.items()
        }
        self._shifts = [Fraction(0)]  # of each part of the recording, in seconds
        self.at_s: list[Fraction] = []  # where each joint lies on the line

    def shift(self, stream: int, decode_at: int, present_at: int, duration: int) -> int:
        """What must be added to this packet's times, in ticks. Raises TooManyJoints."""
        line = self._lines[stream]
        if line.due is None:
            line.shift = round(self._shifts[-1] / line.time_base)
        elif not -line.back <= decode_at + line.shift - line.due <= line.leap:
            line.shift = self._after_a_jump(line, line.due, decode_at, present_at)
        line.due = decode_at + line.shift + duration
        return line.shift

    def due(self, stream: int) -> int | None:
        """When the stream's next packet is due, on the line; None before its first."""
        return self._lines[stream].due

    def _after_a_jump(self, line: _Line, due: int, decode_at: int, present_at: int) -> int:
        for known in reversed(self._shifts):
            shift = round(known / line.time_base)
            if shift != line.shift and -line.back <= decode_at + shift - due <= line.follow:
                return shift
        at_s = max(each.due * each.time_base for each in self._lines.values() if each.due is not None)
        if len(self.at_s) == MAX_JOINTS:
            raise TooManyJoints
        self.at_s.append(at_s)
        # The first picture is shown where the part before it ended; it may be decoded a little earlier.
        self._shifts.append(at_s - present_at * line.time_base)
        return round(self._shifts[-1] / line.time_base)
