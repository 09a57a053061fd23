"""The server clock: UTC in integer microseconds."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; a test brings its own."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return time.time_ns() // 1000


class SteadyClock:
    """The machine's clock as it stood at the start, carried on by one that nobody can set.

    For waiting: a step of the machine's clock must not make everything overdue, or nothing for hours. Not for what is
    compared with other machines to the second: it does not follow a correction until the next start.
    """

    def __init__(self) -> None:
        """Starts now."""
        self._offset_us = time.time_ns() // 1000 - time.monotonic_ns() // 1000

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC, if the clock was right at the start."""
        return self._offset_us + time.monotonic_ns() // 1000
