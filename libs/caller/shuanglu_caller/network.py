"""A bad network between two network namespaces: delay, loss, a rate, a cut.

Kernels without `netem` cannot shape; network namespaces and TUN devices work wherever we are root. Here a thread reads
the packets of a TUN device on either side and writes them to the other when they are due. Near is where we are, far a
namespace of its own, in which functions and programs run as processes of their own. TCP services that listen on our
loopback, such as the gateway, are reached there under the same address and port; their bytes take the bad way.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import heapq
import multiprocessing
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFDSTADDR = 0x8914, 0x8916, 0x8918
IFF_UP, IFF_RUNNING = 0x1, 0x40
DEVICE = "badnet"
PACKET_BYTES = 2048
# What a router of a home holds before it drops, at the given rate.
QUEUE_S = 0.3
LOOPBACK = "127.0.0.1"
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape:
    """What happens to packets of one direction. `loss`: 0..1. `rate_bit_s`: 0 for no limit. `cut`: nothing passes."""

    delay_s: float = 0.0
    loss: float = 0.0
    rate_bit_s: float = 0.0
    cut: bool = False


def may_shape() -> bool:
    """Whether this process may make namespaces and TUN devices."""
    return os.geteuid() == 0 and Path("/dev/net/tun").exists()


@dataclass(order=True, slots=True)
class _Due:
    at_s: float
    number: int
    packet: bytes = field(compare=False)


class _Direction:
    """One way: what came in leaves on the other device when it is due."""

    def __init__(self, out: int, shape: Shape, seed: int) -> None:
        self.shape, self.passed, self.lost = shape, 0, 0
        self._out, self._random = out, random.Random(seed)
        self._waiting: list[_Due] = []
        self._free_at_s = 0.0

    def take(self, packet: bytes, now_s: float) -> None:
        """Queue a packet or lose it."""
        shape = self.shape
        start_s = max(now_s, self._free_at_s)
        crowded = shape.rate_bit_s > 0 and start_s - now_s > QUEUE_S
        if shape.cut or crowded or self._random.random() < shape.loss:
            self.lost += 1
            return
        if shape.rate_bit_s > 0:
            self._free_at_s = start_s = start_s + len(packet) * 8 / shape.rate_bit_s
        self.passed += 1
        heapq.heappush(self._waiting, _Due(start_s + shape.delay_s, self.passed, packet))

    def send_due(self, now_s: float) -> float | None:
        """Send what is due; seconds until the next one, None if nothing waits."""
        while self._waiting and self._waiting[0].at_s <= now_s:
            packet = heapq.heappop(self._waiting).packet
            if not self.shape.cut:
                with contextlib.suppress(OSError):  # The other side is going away.
                    os.write(self._out, packet)
        return max(0.0, self._waiting[0].at_s - now_s) if self._waiting else None


class BadNetwork:
    """A far namespace behind a shaped line; a context manager. Needs root: ask `may_shape()` first."""

    def __init__(self, shape: Shape | None = None, tcp_ports: Collection[int] = (), seed: int = 1) -> None:
        """`shape` is of each direction. `tcp_ports`: of services on our loopback that are reached from there."""
        self._shape, self._tcp_ports, self._seed = shape or Shape(), set(tcp_ports), seed
        self._stack = contextlib.ExitStack()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            holder = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"],  # noqa: S607
                stdout=subprocess.DEVNULL,
            )
            stack.callback(holder.wait)
            stack.callback(holder.kill)
            self.namespace = Path(f"/proc/{holder.pid}/ns/net")
            _await_namespace(self.namespace)
            near, name = _open_tun()
            stack.callback(os.close, near)
            far, far_name = _in_namespace(self.namespace, _open_tun)
            stack.callback(os.close, far)
            # The kernel numbers devices, so that networks side by side have addresses of their own.
            number = int(name.removeprefix(DEVICE)) % 256
            self.near, self.far = f"10.98.{number}.1", f"10.98.{number}.2"
            _bring_up(name, self.near, self.far)
            _in_namespace(self.namespace, lambda: _bring_up(far_name, self.far, self.near))
            self.to_near = _Direction(near, self._shape, self._seed)
            self.to_far = _Direction(far, self._shape, self._seed + 1)
            router = threading.Thread(target=self._route, args=(near, far), name="bad-network", daemon=True)
            router.start()
            stack.callback(router.join)
            stack.callback(self._stop.set)
            for port in self._tcp_ports:
                self.open_tcp(port)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def shape(self, shape: Shape) -> None:
        """From now on, both ways. What is on its way arrives as it would have, unless the line is cut."""
        self.to_near.shape = self.to_far.shape = shape

    def open_tcp(self, port: int) -> None:
        """Make a port of our loopback reachable there, on its loopback; once for each port."""
        middle = _listener(self.near, 0)
        far_end = _in_namespace(self.namespace, lambda: _listener(LOOPBACK, port))
        middle_port = middle.getsockname()[1]
        self._stack.callback(_Forwarder(middle, (LOOPBACK, port), None).close)
        self._stack.callback(_Forwarder(far_end, (self.near, middle_port), self.namespace).close)

    def command(self, *argv: str) -> list[str]:
        """How to run a program there."""
        return ["nsenter", f"--net={self.namespace}", "--", *argv]

    @contextlib.contextmanager
    def workers(self, count: int = 1) -> Iterator[ProcessPoolExecutor]:
        """Processes that live there: what is submitted to them (picklable) has its sockets there."""
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, spawn, _enter, (str(self.namespace),)) as pool:
            yield pool

    def _route(self, near: int, far: int) -> None:
        ways = {near: self.to_far, far: self.to_near}
        while not self._stop.is_set():
            now_s = time.monotonic()
            waits = [wait_s for way in ways.values() if (wait_s := way.send_due(now_s)) is not None]
            readable, _, _ = select.select([near, far], [], [], min([0.1, *waits]))
            now_s = time.monotonic()
            for device in readable:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        ways[device].take(os.read(device, PACKET_BYTES), now_s)


def _await_namespace(namespace: Path) -> None:
    own = Path("/proc/self/ns/net").readlink()
    for _ in range(200):
        with contextlib.suppress(OSError):
            if namespace.readlink() != own:
                return
        time.sleep(0.01)
    raise OSError("no network namespace can be made here")


def _enter(namespace: str) -> None:
    """Bring the calling thread into a namespace (setns(2)); Python has it from 3.12 on."""
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(descriptor)


def _in_namespace(namespace: Path, work: Callable[[], T]) -> T:
    """Do it in a thread of that namespace; sockets and devices stay there."""
    done: list[T] = []

    def there() -> None:
        _enter(str(namespace))
        done.append(work())

    thread = threading.Thread(target=there)
    thread.start()
    thread.join()
    if not done:
        raise OSError("not done in the far namespace")
    return done[0]


def _open_tun() -> tuple[int, str]:
    """A new TUN device, and its name."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", f"{DEVICE}%d".encode(), IFF_TUN | IFF_NO_PI))
    return device, request[:16].rstrip(b"\0").decode()


def _bring_up(name: str, own: str, peer: str) -> bool:
    """Give a device its address and the one of the other side; loopback comes up as well."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for what, address in ((SIOCSIFADDR, own), (SIOCSIFDSTADDR, peer)):
            packed = struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, what, packed)
        for interface in (name, "lo"):
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", interface.encode(), IFF_UP | IFF_RUNNING))
    return True


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(64)
    return listener


class _Forwarder:
    """Carries TCP connections on, in a thread of its own; outgoing ones start in the namespace, if one is named."""

    def __init__(self, listener: socket.socket, target: tuple[str, int], namespace: Path | None) -> None:
        self._listener, self._target, self._namespace = listener, target, namespace
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tcp-forwarder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it and every connection."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        if self._namespace is not None:
            _enter(str(self._namespace))
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._carry, sock=self._listener))
        self._loop.run_forever()
        server.close()
        # What is cancelled may leave more behind: twice is enough.
        for _ in range(2):
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            on_reader, on_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_pipe(reader, on_writer), _pipe(on_reader, writer))
        finally:
            writer.close()
            on_writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
