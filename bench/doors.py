"""An upload by tus against a plain HTTP PUT of the same bytes through the same Envoy.

The PUT goes through a second Envoy with the same configuration, in which the upload door is a sink that writes and
fsyncs (sink.py). Both are sent by the same HTTP library over TLS with a token.
"""

import ssl
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from figures import Figure
from material import large_recording
from shuanglu_cli.uploads import PIECE_BYTES
from shuanglu_stack.envoy_proxy import envoy_command
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.process import Command, ManagedProcess, Spawner
from shuanglu_stack.readiness import http_ok, wait_ready
from shuanglu_stack.sampling import Client
from shuanglu_stack.stack import EmbeddedStack
from sizes import Sizes

HERE = Path(__file__).resolve().parent
OWN_PORTS = ["gateway", "envoy-admin", "envoy-ops", "media-ingest-http"]
START_S = 20
TIMEOUT = httpx.Timeout(120, connect=5)


@contextmanager
def second_door(stack: EmbeddedStack, folder: Path) -> Iterator[str]:
    """Envoy as the stack has it, but with the sink behind it; its address."""
    own = choose_ports(OWN_PORTS, "free", 0, 0, 0)
    ports = {**stack.ports, **own}
    logs = folder / "logs"
    sink = Command(
        "sink",
        (sys.executable, str(HERE / "sink.py"), str(own["media-ingest-http"]), str(folder / "sink")),
        logs / "sink.log",
        folder,
    )
    envoy = envoy_command(folder, logs, stack.root, ports, stack.keys, dict(stack.options.gateway))
    spawner = Spawner()
    processes = [ManagedProcess(command, spawner) for command in (sink, envoy)]
    try:
        for process in processes:
            process.start()
        wait_ready(processes[1], http_ok(own["envoy-admin"], "/ready"), START_S, threading.Event())
        yield f"https://127.0.0.1:{own['gateway']}"
    finally:
        for process in processes:
            process.stop()
        spawner.close()


def put(client: httpx.Client, url: str, file: Path) -> None:
    """The whole file in one request."""

    def chunks() -> Iterator[bytes]:
        with file.open("rb") as source:
            while chunk := source.read(PIECE_BYTES):
                yield chunk

    headers = {"Content-Length": str(file.stat().st_size), "Content-Type": "application/offset+octet-stream"}
    client.put(url, content=chunks(), headers=headers).raise_for_status()


def measure(stack: EmbeddedStack, client: Client, folder: Path, sizes: Sizes) -> list[Figure]:
    """Median of the ratios over interleaved rounds; the first round only warms up."""
    file = large_recording(folder, sizes.upload_mib)
    rounds: list[tuple[float, float]] = []
    tls = ssl.create_default_context(cafile=str(stack.ca))
    token = {"Authorization": f"Bearer {stack.token()}"}
    with second_door(stack, folder) as address, httpx.Client(verify=tls, headers=token, timeout=TIMEOUT) as plain:
        for _ in range(sizes.rounds + 1):
            started = time.perf_counter()
            upload = client.door.upload(file)
            between = time.perf_counter()
            client.door.terminate(upload)
            again = time.perf_counter()
            put(plain, f"{address}/files/sink", file)
            rounds.append((between - started, time.perf_counter() - again))
    ratio = statistics.median(tus / raw for tus, raw in rounds[1:])
    raw_s = statistics.median(raw for _, raw in rounds[1:])
    mib = file.stat().st_size / (1 << 20)
    against = f"PUT through the same Envoy, sink with fsync, {mib / raw_s:.0f} MiB/s"
    return [Figure("tus upload", ratio, "x", "lower", 1.3, against)]
