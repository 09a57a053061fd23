"""Python runs this at its start where it is on the path: the wall clock of the process can then be set from outside.

`time.time()` and `time.time_ns()` are ahead by the seconds in the file that FALSE_CLOCK names, and so is the clock that
tokens are checked with. `time.monotonic()` counts on, as the kernel's does. libfaketime 0.9.10 was tried first: with
the monotonic clock left alone it makes `time.sleep()` fail.
"""

import datetime as dt
import os
import time
from pathlib import Path

import jwt.api_jwt

FILE = Path(os.environ["FALSE_CLOCK"])
READ_EVERY_S = 0.2
NS = 1_000_000_000

_time_ns = time.time_ns
_state = {"read_at": float("-inf"), "offset_s": 0.0}


def offset_s() -> float:
    now = time.monotonic()
    if now - _state["read_at"] > READ_EVERY_S:
        _state.update(read_at=now, offset_s=float(FILE.read_text()))
    return _state["offset_s"]


def time_ns() -> int:
    return _time_ns() + round(offset_s() * NS)


class FalseDatetime(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        return dt.datetime.fromtimestamp(time_ns() / NS, tz)


time.time_ns = time_ns
time.time = lambda: time_ns() / NS
jwt.api_jwt.datetime = FalseDatetime  # type: ignore[attr-defined]
