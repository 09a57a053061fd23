"""Live work passes stored recordings in a worker that takes both."""

import asyncio
import time
from collections.abc import Sequence
from statistics import median

import pytest
from conftest import Server
from nats.js.api import AckPolicy, ConsumerConfig

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.media.v1.track_pb2 import Segment
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.runner import Runner, bind
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.bus.subjects import Lane, Stream
from shuanglu_common.bus.subscription import Subscription

BACKLOG = 200
BURST = 10
WORK_S = 0.02
PATIENCE_S = 60


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
            while len(self.indexes(lane)) < count:
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
    print(f"told to taken, median: {median(without):.1f} ms, with {BACKLOG} imports waiting {median(beside):.1f} ms")


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


@pytest.mark.parametrize("left", ["", "face-check"])
async def test_the_job_may_run_again_and_tells_what_nobody_has(bus: Bus, server: Server, left: str) -> None:
    first = server.job()
    assert (first.returncode, first.stderr) == (0, "")
    if left:
        await bus.jetstream.add_consumer(Stream.MEDIA, ConsumerConfig(durable_name=left))
    again = server.job()
    assert again.returncode == 0
    assert "0 consumers made" in again.stdout
    assert (f"MEDIA/{left}" in again.stdout) is bool(left)
    found = {info.name for info in await bus.jetstream.consumers_info(Stream.MEDIA)}
    assert {"face-check-live", "face-check-offline", "asr-tracks-live", "asr-tracks-offline"} <= found


def test_a_bus_that_is_away_is_one_line() -> None:
    away = Server("nats://127.0.0.1:1", "").job()
    assert away.returncode == 1
    assert away.stderr.count("\n") == 1
    assert "SHUANGLU_NATS_URL" in away.stderr
