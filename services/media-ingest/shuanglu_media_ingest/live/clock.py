"""The recorder's clock: the machine's wall clock as it once stood, carried on by one that nobody can set.

A step of the wall clock must not shift what is being recorded. The clock that counts here goes on over a restart of
the recorder, as long as the machine runs: where it stood is written down. It is set anew while nothing is recorded.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from shuanglu_media_ingest.live.durable import write_durably

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Less is the ordinary slewing of NTP.
STEP_US = 500_000


def wall_us() -> int:
    """The machine's wall clock: what the media server writes into its files."""
    return time.time_ns() // 1000


def steady_us() -> int:
    """Since some moment of this boot; never set, shared by all processes of the machine."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@dataclass(slots=True)
class RecorderClock:
    """Microseconds since the epoch, without steps."""

    path: Path
    offset_us: int = 0

    def load(self) -> None:
        """Go on as before the restart, or start at the wall clock if the machine was restarted."""
        try:
            kept = json.loads(self.path.read_text())
        except (OSError, ValueError):
            kept = {}
        if kept.get("boot_id") == _boot_id() and isinstance(kept.get("offset_us"), int):
            self.offset_us = kept["offset_us"]
        else:
            self.set()

    def set(self) -> None:
        """To the wall clock. Only while nothing is recorded."""
        self.offset_us = wall_us() - steady_us()
        write_durably(self.path, json.dumps({"boot_id": _boot_id(), "offset_us": self.offset_us}).encode())

    def follow(self) -> None:
        """Set it if the wall clock was set meanwhile. Only while nothing is recorded."""
        if abs(self.ahead_us()) > STEP_US:
            self.set()

    def now_us(self) -> int:
        """Now."""
        return steady_us() + self.offset_us

    def ahead_us(self) -> int:
        """How far the wall clock is ahead of this one, in whole milliseconds: two readings differ by less."""
        return round((wall_us() - self.now_us()) / 1000) * 1000


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
