"""One child process: spawned, spoken to, ended and reaped. Never used for anything else after a failure."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import Counter

from shuanglu_common.cell import child, frames
from shuanglu_common.cell.confine import CellLimits, environment
from shuanglu_common.cell.errors import CellCrashed, CellFailed, CellKilled, CellMemory, CellTimeout
from shuanglu_common.cell.metrics import CELLS_ALIVE, CELLS_ENDED, CELLS_STARTED
from shuanglu_common.cell.sampled import Sampled
from shuanglu_common.errors import ShuangluError

# A killed process is gone in milliseconds, unless the kernel holds it in a disk operation.
REAP_S = 3.0
REAP_STEP_S = 0.005
# A child that dies of SIGSEGV or SIGABRT this close to its bound died of missing memory. The bound counts what is
# reserved, stacks of threads and heaps that are not yet used; the peak only what was touched.
NEAR_LIMIT = 0.6
# The kernel counts the pages of a process for each processor by itself, and does not always add them up.
COUNTED_AMISS_BYTES = 8 << 20
_MEMORY_EVENTS = Path("/sys/fs/cgroup/memory.events")


@dataclass(frozen=True, slots=True)
class CellSpec:
    """What kind of child is wanted.

    `name` labels the metrics. `module` is loaded by the child (see `child`), `arguments` is a plain value for its
    `open_cell`. `timeout_s` bounds the wait for each value, `start_timeout_s` the loading. `errors` are the typed
    errors that functions may raise, `counters` those of the module's COUNTERS, in the same order.
    """

    name: str
    module: str
    arguments: Any = None
    limits: CellLimits = field(default_factory=CellLimits)
    timeout_s: float = 60.0
    start_timeout_s: float = 60.0
    errors: tuple[type[ShuangluError], ...] = ()
    counters: tuple[Counter | Sampled, ...] = ()
    largest_frame_bytes: int = 8 << 20
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Ended:
    """Exit code (negative: the signal), peak of resident memory, and whether it only ended when it was killed."""

    exit_code: int
    peak_bytes: int
    clung: bool


class CellProcess:
    """A child and its channel. One exchange at a time."""

    def __init__(self, spec: CellSpec) -> None:
        """Spawns the child; it loads its module meanwhile. Call it on the event loop's thread.

        The death signal of a child is bound to the thread that made it, so the thread must live as long as the service.
        """
        self.spec = spec
        self.opened: Any = None
        self.ended = False
        self._ending: asyncio.Future[CellFailed | None] | None = None
        self._reasons = {error.reason: error for error in spec.errors}
        self._oom_kills = _oom_kills()
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "shuanglu_common.cell", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**environment(), **spec.environment},
                start_new_session=True,
            )
        # Linux does not begin a child's peak at 0 but at ours: until it has its own program, it has our memory.
        self._inherited_bytes = _own_peak_bytes()
        self._channel.setblocking(False)
        CELLS_STARTED.labels(spec.name).inc()
        CELLS_ALIVE.labels(spec.name).inc()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    async def open(self) -> Any:
        """Wait until the module is loaded; what it says of itself. Raises CellFailed, and its typed errors."""
        job = {
            "limits": asdict(self.spec.limits),
            "parent": os.getpid(),
            "module": self.spec.module,
            "arguments": self.spec.arguments,
        }
        try:
            self.opened = await self._last(job, self.spec.start_timeout_s)
        except ShuangluError:
            await self.end()
            raise
        return self.opened

    async def call(self, function: str, *parameters: Any, timeout_s: float | None = None) -> Any:
        """The function's value. Raises CellFailed, and its typed errors; after CellFailed the child is gone."""
        return await self._last([function, parameters], timeout_s or self.spec.timeout_s)

    async def begin(self, function: str, *parameters: Any) -> None:
        """Call a function that gives many values; `following` has them. Raises CellFailed."""
        await self._bounded(self._send([function, parameters]), self.spec.timeout_s)

    async def following(self) -> tuple[bool, Any]:
        """Whether there is another value, and the value. Raises like `call`."""
        answer: tuple[bool, Any] = await self._bounded(self._answer(), self.spec.timeout_s)
        return answer

    def watch(self) -> None:
        """While nothing is asked of it: notice its end at once. `call` and `begin` stop the watch."""
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._unexpected)

    async def end(self) -> None:
        """Kill it, if it is not gone already, and reap it."""
        await self._end("closed")

    def lives(self) -> bool:
        """Whether it has not ended by itself, also if nobody has been told of its end yet."""
        if self.ended:
            return False
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    def _unexpected(self) -> None:
        """It ended, or speaks without being asked."""
        self._begin_to_end(None)

    async def _last(self, request: Any, timeout_s: float) -> Any:
        async def exchange() -> tuple[bool, Any]:
            await self._send(request)
            return await self._answer()

        more, value = await self._bounded(exchange(), timeout_s)
        if more:
            raise await self._failed(CellCrashed("it gave many values where one was expected"))
        return value

    async def _bounded(self, exchange: Any, timeout_s: float) -> Any:
        """An exchange within its time. Whatever ends it half way, typed errors aside, ends the child."""
        try:
            async with asyncio.timeout(timeout_s):
                return await exchange
        except TimeoutError:
            raise await self._failed(CellTimeout(f"no answer for {timeout_s:g} s")) from None
        except (OSError, EOFError):
            raise await self._failed(None) from None
        except frames.FrameBroken as error:
            raise await self._failed(CellCrashed(str(error))) from None
        except asyncio.CancelledError:
            await self.end()
            raise

    async def _send(self, request: Any) -> None:
        if self.ended:
            raise EOFError
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._channel.fileno())
        await loop.sock_sendall(self._channel, frames.packed(request))

    async def _answer(self) -> tuple[bool, Any]:
        header = await self._exactly(frames.HEADER.size)
        body = await self._exactly(frames.length_of(header, self.spec.largest_frame_bytes))
        try:
            kind, *values = frames.unpacked(body)
            if kind == child.ITEM:
                (item,) = values
                return True, item
            if kind == child.DONE:
                value, grown = values
                self._count(grown)
                return False, value
            if kind == child.REFUSED:
                reason, message, grown = values
                self._count(grown)
                raise self._reasons[reason](message)
            if kind == child.MEMORY:
                raise await self._failed(CellMemory("it ran out of memory"))
            (text,) = values
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise frames.FrameBroken(f"not an answer: {type(error).__name__}") from error
        raise await self._failed(CellCrashed(str(text)[: child.LONGEST_TEXT]))

    async def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view, filled = memoryview(data), 0
        loop = asyncio.get_running_loop()
        while filled < size:
            got = await loop.sock_recv_into(self._channel, view[filled:])
            if not got:
                raise EOFError
            filled += got
        return data

    def _count(self, grown: list[Any]) -> None:
        """The child's counters into ours; what is no growth of a known counter is a lie."""
        for number, labels, by in grown:
            counter = self.spec.counters[number]
            texts = [str(label) for label in labels]
            if not by > 0 or by == float("inf") or not all(text.isidentifier() and len(text) < 50 for text in texts):  # noqa: PLR2004
                raise ValueError("not a count")
            if isinstance(counter, Sampled):
                (label,) = texts
                counter.take(label, by)
                continue
            (counter.labels(*texts) if texts else counter).inc(by)

    async def _failed(self, error: CellFailed | None) -> CellFailed:
        """End the child; the error to raise: what the caller saw, else what its end tells."""
        told = await self._end(error)
        return error or told or CellCrashed("it was closed meanwhile")

    async def _end(self, why: "CellFailed | str | None") -> CellFailed | None:
        """Wait until it is gone, however it came to that; what the first who saw it learned of it."""
        return await asyncio.shield(self._ending or self._begin_to_end(why))

    def _begin_to_end(self, why: "CellFailed | str | None") -> "asyncio.Future[CellFailed | None]":
        if self._ending is None:
            self.ended = True
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._channel.close()
            if why is not None:
                self._kill()
            self._ending = asyncio.ensure_future(self._gone(why))
        return self._ending

    async def _gone(self, why: "CellFailed | str | None") -> CellFailed | None:
        end = await asyncio.get_running_loop().run_in_executor(None, self._reaped)
        CELLS_ALIVE.labels(self.spec.name).dec()
        error = why if isinstance(why, CellFailed) else None
        if why is None:
            error = self._told(end)
        CELLS_ENDED.labels(self.spec.name, error.cause if error else "closed").inc()
        return error

    def _kill(self) -> None:
        """Not Popen's own, which reaps a child that it finds dead, and with it what its end tells."""
        os.kill(self.pid, signal.SIGKILL)

    def _reaped(self) -> _Ended:
        """How it ended. A child that gave up its channel but does not end is killed."""
        until = time.monotonic() + REAP_S
        clung = False
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > until:
                clung = True
                self._kill()
                _, status, usage = os.wait4(self.pid, 0)
                break
            time.sleep(REAP_STEP_S)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return _Ended(self._process.returncode, usage.ru_maxrss * 1024, clung)

    def _starved(self, peak_bytes: int) -> bool:
        """Whether it came near its bound. A peak that may be our own, from before its program began, says nothing."""
        most = self.spec.limits.memory_bytes
        return bool(most) and peak_bytes > max(NEAR_LIMIT * most, self._inherited_bytes + COUNTED_AMISS_BYTES)

    def _told(self, end: _Ended) -> CellFailed:
        """What the end of a child tells that nobody ended for another reason."""
        exit_code, killed_by = end.exit_code, -end.exit_code
        if killed_by == signal.SIGKILL:
            return self._told_by_kill(end)
        if exit_code == child.EXIT_MEMORY:
            return CellMemory("it ran out of memory")
        if killed_by in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS) and self._starved(end.peak_bytes):
            return CellMemory("it died near its memory limit")
        if killed_by == signal.SIGXCPU:
            return CellTimeout("it used up its core-seconds")
        name = signal.Signals(killed_by).name if exit_code < 0 else f"exit code {exit_code}"
        return CellCrashed(f"it ended by {name}")

    def _told_by_kill(self, end: _Ended) -> CellFailed:
        """Who killed it."""
        if end.clung:
            return CellCrashed("it gave up its channel and did not end")
        if _oom_kills() > self._oom_kills:
            return CellMemory("the machine ran out of memory")
        return CellKilled("it was killed from outside")


def _oom_kills() -> int:
    """How often the kernel has killed in this service's cgroup (version 2); 0 where that is not told."""
    try:
        pairs = (line.split() for line in _MEMORY_EVENTS.read_text(encoding="ascii").splitlines())
        return next((int(count) for name, count in pairs if name == "oom_kill"), 0)
    except (OSError, ValueError):
        return 0


def _own_peak_bytes() -> int:
    """Of our program alone: `ru_maxrss` also counts the program that started ours (proc(5), VmHWM)."""
    lines = Path("/proc/self/status").read_text(errors="replace").splitlines()
    peak = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), "")
    return int(peak) * 1024 if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
