"""A gate: work goes on while it is open, waits while it is closed."""

import asyncio
from collections.abc import Awaitable, Callable


class Gate:
    """Closed at first."""

    def __init__(self) -> None:
        """See the class."""
        self._opened, self._closed = asyncio.Event(), asyncio.Event()
        self._closed.set()

    @property
    def is_open(self) -> bool:
        """Whether work may go on."""
        return self._opened.is_set()

    def open(self) -> None:
        """Let work go on."""
        self._closed.clear()
        self._opened.set()

    def close(self) -> None:
        """Have work stop, as it stops with its service."""
        self._opened.clear()
        self._closed.set()

    async def run_while_open(self, run: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event) -> None:
        """Run each time the gate opens, with an event that is set when it closes, or when `stopping` is."""
        while not stopping.is_set():
            await first_of(self._opened, stopping)
            if stopping.is_set():
                return
            stop = asyncio.Event()
            running = asyncio.ensure_future(run(stop))
            watching = asyncio.ensure_future(first_of(self._closed, stopping))
            try:
                await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
                stop.set()
                await running
            finally:
                running.cancel()
                watching.cancel()


async def first_of(*events: asyncio.Event) -> None:
    """Returns when one of them is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
