"""Stacks that are broken on purpose, and the recordings that go through them."""

import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from shuanglu_common.bus.streams import ensure_streams
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.process import ManagedProcess, Spawner
from shuanglu_stack.readiness import port_open, wait_ready

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.integration.faults.outages import Rig, open_rig
from tests.integration.faults.recordings import Shapes, make_shapes

PATIENCE_S = 150
STARTS_WITHIN_S = 30


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Shapes:
    """Short recordings."""
    return make_shapes(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[Rig]:
    """One for all tests: each leaves it at rest and whole, or has failed."""
    with open_rig(tmp_path_factory.mktemp("faults"), shapes, PATIENCE_S) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class NatsServer:
    """A bus alone."""

    process: ManagedProcess
    url: str
    port: int


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A bus of the test's own."""
    ports = choose_ports(["bus", "monitor"], "free", 0, 0)
    spawner = Spawner()
    process = ManagedProcess(nats_command(tmp_path, tmp_path, ports["bus"], ports["monitor"], "test-only"), spawner)
    process.start()
    wait_ready(process, port_open(ports["bus"]), STARTS_WITHIN_S, threading.Event())
    yield NatsServer(process, nats_url(ports["bus"], "test-only"), ports["bus"])
    process.stop()
    spawner.close()


@pytest.fixture
async def bus_client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A client of it, with all streams."""
    client = await nats.connect(nats_server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    await ensure_streams(client.jetstream())
    yield client
    await client.close()
