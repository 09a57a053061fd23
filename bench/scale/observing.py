"""What traces and metrics cost: the same work with them and without, side by side on one server, round by round.

The work is as little as there can be, so that the ratio is the worst case: an event through the runner to an event that
follows, looked at by nobody, and a call that does nothing. The collector is a real receiver that throws spans away.
"""

import asyncio
import http.server
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import nats
from nats.errors import Error as NatsError

from figures import Figure
from scale.sizes import Sizes
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.settings import ServiceSettings
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.process import ManagedProcess, Spawner

HERE = Path(__file__).resolve().parent
WORK = {"events": "event through the runner", "calls": "call"}
MOST = 1.05
STARTS = 100


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes spans and forgets them."""

    def do_POST(self) -> None:
        """OTLP over HTTP."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def bus() -> Iterator[str]:
    """A server of our own, with the streams."""
    with tempfile.TemporaryDirectory() as folder:
        ports = choose_ports(["bus", "monitor"], "free", 0, 0)
        spawner = Spawner()
        command = nats_command(Path(folder), Path(folder), ports["bus"], ports["monitor"], "bench")
        process = ManagedProcess(command, spawner)
        process.start()
        url = nats_url(ports["bus"], "bench")
        try:
            asyncio.run(make_streams(url))
            yield url
        finally:
            process.stop()
            spawner.close()


async def make_streams(url: str) -> None:
    """Once the server is there."""

    async def quiet(_error: Exception) -> None: ...

    for attempt in range(STARTS):
        with suppress(OSError, NatsError):
            client = await nats.connect(url, allow_reconnect=False, error_cb=quiet)
            await ensure_streams(client.jetstream())
            await client.close()
            return
        await asyncio.sleep(0.05 * (attempt < STARTS))
    raise TimeoutError("NATS did not start")


@contextmanager
def worker(mode: str, bus_url: str, collector: str, share: float) -> Iterator[subprocess.Popen[str]]:
    """See observed.py."""
    command = [sys.executable, str(HERE / "observed.py"), mode, bus_url, collector, str(share)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.communicate()


def ask(process: subprocess.Popen[str], work: str) -> Mapping[str, float]:
    """One round of some work."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("a worker without pipes")
    process.stdin.write(f"{work}\n")
    process.stdin.flush()
    answer: dict[str, float] = json.loads(process.stdout.readline())
    return answer


def rounds_of(share: float, sizes: Sizes) -> dict[str, list[dict[str, Mapping[str, float]]]]:
    """Rounds of each work, with (`on`) and without; the first one, which warms up, is left out."""
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    found: dict[str, list[dict[str, Mapping[str, float]]]] = {work: [] for work in WORK}
    try:
        with ExitStack() as stack:
            url = stack.enter_context(bus())
            address = f"http://127.0.0.1:{sink.server_address[1]}"
            workers = {mode: stack.enter_context(worker(mode, url, address, share)) for mode in ("on", "off")}
            for number in range(sizes.observing_rounds + 1):
                order = ("on", "off") if number % 2 else ("off", "on")
                for work, kept in found.items():
                    round_ = {mode: ask(workers[mode], work) for mode in order}
                    kept.extend([round_] if number else [])
    finally:
        sink.shutdown()
        sink.server_close()
    return found


def measure(sizes: Sizes) -> list[Figure]:
    """Ratios of time, and core-microseconds more; as set by default, and with every trace kept."""
    figures = []
    usual = float(ServiceSettings.model_fields["trace_sample_ratio"].default)
    for share in (usual, 1.0):
        for work, rounds in rounds_of(share, sizes).items():
            ratio = statistics.median(each["on"]["clock_us"] / each["off"]["clock_us"] for each in rounds)
            more_us = statistics.median(each["on"]["core_us"] - each["off"]["core_us"] for each in rounds)
            bare_us = statistics.median(each["off"]["clock_us"] for each in rounds)
            name = f"{WORK[work]}, {share:.0%} of traces kept"
            against = f"without traces and metrics: {bare_us:.0f} µs"
            target = MOST if share == usual else None
            figures.append(
                Figure(
                    f"observing an {name}" if work == "events" else f"observing a {name}",
                    ratio,
                    "x",
                    "lower",
                    target,
                    against,
                )
            )
            figures.append(Figure(f"… core-time more, {name}", more_us, "µs", "lower"))
    return figures
