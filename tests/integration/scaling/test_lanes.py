"""Live work passes stored recordings in a worker that takes both; the job that makes the consumers of both."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.media.v1.track_pb2 import Segment
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.runner import Runner, bind
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.bus.subjects import Lane, Stream
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import LOOPBACK, choose_ports
from shuanglu_stack.process import Command, ManagedProcess, Spawner

BACKLOG = 200
BURST = 10
WORK_S = 0.02
PATIENCE_S = 60
PASSWORD = "test-only"
JOB_S = 90


@dataclass(frozen=True, slots=True)
class Server:
    url: str

    def job(self, **env: str) -> subprocess.CompletedProcess[str]:
        """`python -m shuanglu_common.streams_job`."""
        command = [sys.executable, "-m", "shuanglu_common.streams_job"]
        settings = {**os.environ, "SHUANGLU_NATS_URL": self.url, **env}
        return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=JOB_S, check=False)


@contextmanager
def serving(command: Command, port: int) -> Iterator[Server]:
    """A server, once its port is open."""
    spawner = Spawner()
    process = ManagedProcess(command, spawner)
    process.start()
    try:
        until_s = time.monotonic() + PATIENCE_S
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex((LOOPBACK, port)):
                    break
            assert time.monotonic() < until_s, "NATS did not start"
            time.sleep(0.05)
        yield Server(nats_url(port, PASSWORD))
    finally:
        process.request_stop()
        process.wait_stopped()
        spawner.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    ports = choose_ports(["bus", "monitor"], "free", 0, 0)
    with serving(nats_command(tmp_path, tmp_path, ports["bus"], ports["monitor"], PASSWORD), ports["bus"]) as running:
        yield running


@pytest.fixture
async def bus(server: Server) -> AsyncIterator[Bus]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    yield Bus(client, "tester", SystemClock())
    await client.close()


def stored(session_id: str, index: int, lane: Lane) -> NewEvent:
    return NewEvent("bank", session_id, SegmentStored(segment=Segment(index=index)), str(index), lane)


class Worker:
    """Both pools in one process; notes in which order it starts on what, and when."""

    def __init__(self, bus: Bus) -> None:
        self.started: list[tuple[Lane, int, float]] = []
        live = Runner(bus, self.subscription(Lane.LIVE), 5)
        self.runners = [live, Runner(bus, self.subscription(Lane.OFFLINE), 5, [live])]

    def subscription(self, lane: Lane) -> Subscription:
        return Subscription(f"face-check-{lane}", {SegmentStored: self.look}, lanes=(lane,))

    async def look(self, event: Event[SegmentStored]) -> Sequence[NewEvent]:
        self.started.append((event.lane, event.payload.segment.index, time.monotonic()))
        await asyncio.sleep(WORK_S)
        return []

    def indexes(self, lane: Lane) -> list[int]:
        return [index for found, index, _ in self.started if found is lane]

    async def until(self, lane: Lane, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.indexes(lane)) < count:  # noqa: ASYNC110 - the handler may be at any of them
                await asyncio.sleep(0.01)


async def live_delays_ms(bus: Bus, worker: Worker, first: int) -> list[float]:
    """Of some segments of a call, from told to taken."""
    told = {}
    for index in range(first, first + BURST):
        told[index] = time.monotonic()
        await bus.publish(stored("call", index, Lane.LIVE))
        await asyncio.sleep(0.1)
    await worker.until(Lane.LIVE, first + BURST)
    return [(at - told[index]) * 1000 for lane, index, at in worker.started if lane is Lane.LIVE and index in told]


async def test_a_call_does_not_wait_for_the_imports_of_the_night(bus: Bus, server: Server) -> None:
    assert server.job().returncode == 0
    worker = Worker(bus)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for runner in worker.runners:
            tasks.create_task(runner.run(stopping))
        without = await live_delays_ms(bus, worker, 0)
        await bus.publish_all([stored(f"night-{number}", number, Lane.OFFLINE) for number in range(BACKLOG)])
        await worker.until(Lane.OFFLINE, 3)
        beside = await live_delays_ms(bus, worker, BURST)

        before = len(worker.started)
        await bus.publish_all([stored("call", 2 * BURST + number, Lane.LIVE) for number in range(BURST)])
        await worker.until(Lane.LIVE, 3 * BURST)
        burst = [lane for lane, _, _ in worker.started[before:]]
        burst = burst[burst.index(Lane.LIVE) : len(burst) - burst[::-1].index(Lane.LIVE)]
        assert len(worker.indexes(Lane.OFFLINE)) < BACKLOG, "there was no backlog to pass"
        # In hand of the other pool there is at most one.
        assert burst.count(Lane.OFFLINE) <= 1, burst

        await worker.until(Lane.OFFLINE, BACKLOG)
        stopping.set()
    assert sorted(worker.indexes(Lane.OFFLINE)) == list(range(BACKLOG))
    figures = f"{median(without):.1f} ms, with {BACKLOG} imports waiting {median(beside):.1f} ms"
    print(f"\ntold to taken, median: {figures}")  # noqa: T201 - for whoever looks, with -s


async def test_who_takes_over_begins_where_the_older_version_ended(bus: Bus) -> None:
    jetstream = bus.jetstream
    await ensure_streams(jetstream)
    await jetstream.add_consumer(
        Stream.MEDIA,
        ConsumerConfig(
            durable_name="face-check", filter_subject="media.v1.*.*.segment_stored", ack_policy=AckPolicy.EXPLICIT
        ),
    )
    await bus.publish_all([stored("call", number, Lane.LIVE) for number in range(5)])
    old = await jetstream.pull_subscribe_bind(consumer="face-check", stream=Stream.MEDIA)
    for message in await old.fetch(3, timeout=5):
        await message.ack_sync()
    worker = Worker(bus)
    for lane, waiting in ((Lane.LIVE, 2), (Lane.OFFLINE, 0)):
        for _ in range(2):
            await bind(jetstream, worker.subscription(lane))
            info = await jetstream.consumer_info(Stream.MEDIA, f"face-check-{lane}")
            assert info.num_pending == waiting, lane


def test_a_bus_that_is_away_is_one_line() -> None:
    away = Server("nats://127.0.0.1:1").job()
    assert away.returncode == 1
    assert away.stderr.count("\n") == 1
    assert "SHUANGLU_NATS_URL" in away.stderr


def test_a_bus_without_jetstream_is_one_line(tmp_path: Path) -> None:
    ports = choose_ports(["bus", "monitor"], "free", 0, 0)
    whole = nats_command(tmp_path, tmp_path, ports["bus"], ports["monitor"], PASSWORD)
    file = Path(whole.argv[-1])
    settings = json.loads(file.read_text())
    del settings["jetstream"]
    file.write_text(json.dumps(settings))
    with serving(whole, ports["bus"]) as server:
        without = server.job()
    assert without.returncode == 1
    assert without.stderr.count("\n") == 1
    assert "no JetStream" in without.stderr
