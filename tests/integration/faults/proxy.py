"""A proxy that stands between the services and NATS, PostgreSQL or S3, and misbehaves when told to."""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self

from shuanglu_stack.ports import LOOPBACK, choose_ports

CHUNK = 64 << 10
TIMEOUT_S = 10
HEAD_END = b"\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Fault(Enum):
    """What goes wrong."""

    NONE = "none"
    AWAY = "away"  # connections are refused, those that are open break
    HANGS = "hangs"  # connections are taken and nothing is answered
    SLOW = "slow"  # 100 ms for each chunk, each way
    ANSWERS_500 = "answers 500"
    ANSWERS_503 = "answers 503"
    TRUNCATES = "truncates"  # answers break off in the middle
    DAMAGES_ANSWERS = "damages answers"  # a byte of a body differs
    DAMAGES_REQUESTS = "damages requests"


SLOW_S = 0.1
HTTP_ANSWERS = {Fault.ANSWERS_500: FAILED, Fault.ANSWERS_503: UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Mode:
    """A fault and how often it strikes, 0..1."""

    fault: Fault = Fault.NONE
    rate: float = 1.0


class FaultProxy:
    """Listens on `port` and passes on to the port that `upstream` gives; a context manager with a thread of its own."""

    def __init__(self, upstream: Callable[[], int], seed: int = 0) -> None:
        self.port = choose_ports(["proxy"], "free", 0, 0)["proxy"]
        self.struck = 0
        self._upstream = upstream
        self._chance = random.Random(seed)
        self._mode = Mode()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def be(self, fault: Fault, rate: float = 1.0) -> None:
        """Misbehave from now on; Fault.NONE ends it. AWAY also breaks what is open."""
        self._mode = Mode(fault, rate)
        if fault is Fault.AWAY:
            self.cut()

    def cut(self) -> None:
        """Break all connections; new ones are welcome."""
        self._run(self._abort())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._abort()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def _strikes(self, *faults: Fault) -> bool:
        mode = self._mode
        strikes = mode.fault in faults and self._chance.random() < mode.rate
        self.struck += strikes
        return strikes

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._strikes(Fault.AWAY):
            writer.transport.abort()
            return
        self._open.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await asyncio.open_connection(LOOPBACK, self._upstream())
            self._open.add(upstream)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(reader, writer, upstream))
                both.create_task(self._answers(answers, writer))
        except* (OSError, ConnectionError):
            pass
        finally:
            for each in (writer, upstream):
                if each is not None:
                    self._open.discard(each)
                    each.transport.abort()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK):
            await self._hold()
            if b"HTTP/1.1\r\n" in data and self._strikes(*HTTP_ANSWERS):
                writer.write(HTTP_ANSWERS[self._mode.fault])
                with suppress(ConnectionError):
                    await writer.drain()
                raise ConnectionAbortedError
            if b"HTTP/1.1\r\n" not in data and self._strikes(Fault.DAMAGES_REQUESTS):
                data = self._flipped(data, 0)
            upstream.write(data)
            await upstream.drain()
        raise ConnectionAbortedError

    async def _answers(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await answers.read(CHUNK):
            await self._hold()
            body = data.find(HEAD_END) + len(HEAD_END) if data.startswith(b"HTTP/1.1 ") else 0
            if body < len(data) and self._strikes(Fault.DAMAGES_ANSWERS):
                data = self._flipped(data, body)
            if body < len(data) and self._strikes(Fault.TRUNCATES):
                writer.write(data[: (body + len(data)) // 2])
                with suppress(ConnectionError):
                    await writer.drain()
                raise ConnectionAbortedError
            writer.write(data)
            await writer.drain()
        raise ConnectionAbortedError

    async def _hold(self) -> None:
        """Slowness, or silence for as long as it lasts."""
        if self._strikes(Fault.SLOW):
            await asyncio.sleep(SLOW_S)
        while self._mode.fault is Fault.HANGS:  # noqa: ASYNC110 - another thread ends it
            await asyncio.sleep(SLOW_S)

    def _flipped(self, data: bytes, start: int) -> bytes:
        """With another bit somewhere from `start` on: noise is never twice the same."""
        at = self._chance.randrange(start, len(data))
        return data[:at] + bytes([data[at] ^ 1 << self._chance.randrange(8)]) + data[at + 1 :]
