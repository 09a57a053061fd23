"""The child's life: confine itself, load its module, serve one call after the other until the service is gone.

A module of a cell has a function `open_cell(arguments)`: it gives what can be called, by name, and a plain value that
says what was opened. Functions take and give plain values (`frames`); a generator's values go out one by one, no faster
than the service takes them. Typed errors (ShuangluError) reach the caller by their reason. Optional: `COUNTERS`,
Prometheus counters, and histograms (`sampled`), whose growth is told to the service with each answer.
"""

import errno
import gc
import importlib
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import Counter

from shuanglu_common.cell.confine import CellLimits, confine
from shuanglu_common.cell.frames import FrameBroken, receive, send
from shuanglu_common.cell.sampled import Sampled
from shuanglu_common.errors import ShuangluError

# First value of an answer: one of many values, the last one, a typed error, out of memory, an unforeseen error.
ITEM, DONE, REFUSED, MEMORY, BROKEN = "item", "done", "refused", "memory", "broken"
# Exit code of a child that ran out of memory: what is left of it cannot be relied on.
EXIT_MEMORY = 77
LONGEST_TEXT = 300

Functions = Mapping[str, Callable[..., Any]]


def main() -> None:
    """Serves the socket whose number is the one argument.

    It ends at once: a channel that is closed long before the process is gone looks like a child that clings to life.
    """
    channel = socket.socket(fileno=int(sys.argv[1]))
    try:
        job = receive(channel)
        confine(CellLimits(**job["limits"]), job["parent"])
        Server(channel).serve(job["module"], job["arguments"])
    except (EOFError, ConnectionError):
        os._exit(0)
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except Exception:  # noqa: BLE001 - nobody reads a traceback here
        os._exit(1)


class Server:
    """Answers calls."""

    def __init__(self, channel: socket.socket) -> None:
        """Nothing is loaded yet."""
        self.channel = channel
        self.functions: Functions = {}
        self.counted = Counted(())

    def serve(self, module: str, arguments: Any) -> None:
        """Load, then calls, until EOFError."""
        self.answer(self.load, module, arguments)
        gc.freeze()
        while True:
            name, parameters = receive(self.channel)
            self.answer(self.functions[name], *parameters)

    def load(self, name: str, arguments: Any) -> Any:
        """The module's functions."""
        module = importlib.import_module(name)
        self.counted = Counted(getattr(module, "COUNTERS", ()))
        self.functions, opened = module.open_cell(arguments)
        return opened

    def answer(self, function: Callable[..., Any], *parameters: Any) -> None:
        """One call: its items, then its end."""
        try:
            result = function(*parameters)
            if isinstance(result, Iterator):
                for item in result:
                    send(self.channel, [ITEM, item])
                result = None
            send(self.channel, [DONE, result, self.counted.growth()])
        except (EOFError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the service must hear of it
            if out_of_memory(error):
                send(self.channel, [MEMORY])
                os._exit(EXIT_MEMORY)
            elif isinstance(error, ShuangluError):
                send(self.channel, [REFUSED, error.reason, str(error)[:LONGEST_TEXT], self.counted.growth()])
            else:
                send(self.channel, [BROKEN, place(error)])


def out_of_memory(error: BaseException | None) -> bool:
    """Libraries tell of it in their own words, and our readers wrap those: C++ as bad_alloc, FFmpeg by its code."""
    while error is not None:
        if isinstance(error, MemoryError) or "bad_alloc" in str(error) or getattr(error, "errno", 0) == errno.ENOMEM:
            return True
        error = error.__cause__
    return False


def place(error: BaseException) -> str:
    """Kind and place of a fault, without its values: they may be personal."""
    if isinstance(error, FrameBroken):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {where}"[:LONGEST_TEXT]


class Counted:
    """What was counted since it was last told."""

    def __init__(self, counters: Sequence[Counter | Sampled]) -> None:
        """Begins at where the counters stand."""
        self.counters = counters
        self.told: dict[tuple[int, tuple[str, ...]], float] = {}

    def growth(self) -> list[tuple[int, tuple[str, ...], float]]:
        """Number of the counter, values of its labels, how much it grew; of a histogram, each value."""
        grown: list[tuple[int, tuple[str, ...], float]] = []
        for number, counter in enumerate(self.counters):
            if isinstance(counter, Sampled):
                grown.extend((number, (label,), value) for label, value in counter.untold())
                continue
            for sample in (sample for metric in counter.collect() for sample in metric.samples):
                key = (number, tuple(sample.labels.values()))
                if sample.name.endswith("_total") and sample.value > self.told.get(key, 0.0):
                    grown.append((*key, sample.value - self.told.get(key, 0.0)))
                    self.told[key] = sample.value
        return grown
