"""A NATS server with its monitoring port, and the streams and consumers that the job makes."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest

from shuanglu_common.bus.bus import Bus
from shuanglu_common.clock import SystemClock
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.process import ManagedProcess, Spawner

PASSWORD = "test-only"
JOB_S = 90


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is reached, and where it is asked how it stands."""

    url: str
    monitor_url: str

    def job(self, **env: str) -> subprocess.CompletedProcess[str]:
        """`python -m shuanglu_common.streams_job`."""
        command = [sys.executable, "-m", "shuanglu_common.streams_job"]
        settings = {**os.environ, "SHUANGLU_NATS_URL": self.url, **env}
        return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=JOB_S, check=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    ports = choose_ports(["bus", "monitor"], "free", 0, 0)
    spawner = Spawner()
    process = ManagedProcess(nats_command(tmp_path, tmp_path, ports["bus"], ports["monitor"], PASSWORD), spawner)
    process.start()
    try:
        yield Server(nats_url(ports["bus"], PASSWORD), f"http://127.0.0.1:{ports['monitor']}")
    finally:
        process.request_stop()
        process.wait_stopped()
        spawner.close()


@pytest.fixture
async def bus(server: Server) -> AsyncIterator[Bus]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    yield Bus(client, "tester", SystemClock())
    await client.close()
