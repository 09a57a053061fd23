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
