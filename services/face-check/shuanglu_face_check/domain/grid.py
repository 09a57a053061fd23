"""Which moments of a recording are looked at.

One grid covers the session's whole timeline: point k is at k · 1,000,000 / rate milliseconds, rounded up. A segment
gets the points that lie in it. So every moment belongs to exactly one segment, and neither the order of segments nor
the worker that gets one changes what is looked at.
"""

from bisect import bisect_right
from collections.abc import Sequence

DEFAULT_RATE = 2000
LOWEST_RATE = 100
HIGHEST_RATE = 15_000
MS_IN_1000_S = 1_000_000


def usable_rate(frames_per_kilosecond: int) -> int:
    """The rate within its bounds; 0 or less is "not set" and gives two frames a second."""
    if frames_per_kilosecond <= 0:
        return DEFAULT_RATE
    return min(max(frames_per_kilosecond, LOWEST_RATE), HIGHEST_RATE)


def grid_points(start_ms: int, end_ms: int, frames_per_kilosecond: int) -> tuple[int, ...]:
    """Points of the grid in start..end (end exclusive), milliseconds from the session's start, ascending.

    Empty if the stretch is empty or lies between two points.
    """
    rate = usable_rate(frames_per_kilosecond)
    first = max(start_ms, 0) * rate // MS_IN_1000_S
    points = []
    number = first
    while (point := -(-number * MS_IN_1000_S // rate)) < end_ms:
        if point >= start_ms:
            points.append(point)
        number += 1
    return tuple(points)


def shown_at(points: Sequence[int], frame_times_ms: Sequence[int]) -> tuple[int, ...]:
    """For each point the index of the frame that a viewer sees then: the last that began at or before it.

    A point before the first frame (rounding of the segment's start) takes the first. `frame_times_ms` ascending, not
    empty.
    """
    return tuple(max(bisect_right(frame_times_ms, point) - 1, 0) for point in points)
