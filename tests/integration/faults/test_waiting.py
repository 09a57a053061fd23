"""What quality knows of others through the bus: how far the workers are, which sessions are open, who else is there."""

import asyncio
from dataclasses import dataclass

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from shuanglu.media.v1.media_events_pb2 import SegmentStored, TrackStored
from shuanglu.observation.v1.observations_pb2 import WindowFound
from shuanglu.session.v1.session_events_pb2 import SessionCreated
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.subjects import event_type, filter_subject
from shuanglu_common.clock import SystemClock
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_quality import lease
from shuanglu_quality.fold import SessionFold
from shuanglu_quality.lease import Leases
from shuanglu_quality.nats_folds import BUCKET, OPEN_BUCKET, NatsFoldStore, open_bucket
from shuanglu_quality.nats_workers import WORKERS, NatsWorkers

TENANT = "demo"
PATIENCE_S = 30
PARTITIONS = 8


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def now_us(self) -> int:
        return self.now


@dataclass
class House:
    jetstream: JetStreamContext
    bus: Bus
    clock: Clock
    workers: NatsWorkers

    async def publish(self, session_id: str, *payloads: object) -> None:
        for payload in payloads:
            await self.bus.publish(NewEvent(TENANT, session_id, payload, "once"))  # type: ignore[arg-type]

    async def hire(self) -> None:
        for worker in WORKERS:
            await self.jetstream.add_consumer(
                event_type(worker.takes).stream,
                ConsumerConfig(
                    durable_name=worker.durable,
                    filter_subject=filter_subject(worker.takes, worker.lane),
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=30,
                ),
            )

    async def finish(self, durable: str, count: int) -> None:
        stream = next(event_type(worker.takes).stream for worker in WORKERS if worker.durable == durable)
        subscription = await self.jetstream.pull_subscribe_bind(consumer=durable, stream=stream)
        for message in await subscription.fetch(count, timeout=2):
            await message.ack_sync()
        await subscription.unsubscribe()

    async def may_still_come(self, session_id: str) -> bool:
        await self.workers.look()
        return await self.workers.may_still_come((TENANT, session_id))


@pytest.fixture
async def house(bus_client: Client) -> House:
    clock = Clock()
    jetstream = bus_client.jetstream()
    return House(jetstream, Bus(bus_client, "tester", SystemClock()), clock, NatsWorkers(jetstream, clock, PATIENCE_S))


async def test_a_session_is_waited_for_until_each_worker_has_passed_its_last_message(house: House) -> None:
    await house.hire()
    await house.publish("one", SegmentStored(), TrackStored(), WindowFound())
    await house.publish("two", SegmentStored(), TrackStored(), WindowFound())
    for durable in ("face-check-live", "asr-tracks-live"):
        await house.finish(durable, 2)
    assert await house.may_still_come("one")
    await house.finish("asr-windows-live", 1)
    assert not await house.may_still_come("one")
    assert await house.may_still_come("two")
    await house.finish("asr-windows-live", 1)
    assert not await house.may_still_come("two")


async def test_a_worker_that_finishes_nothing_for_a_while_is_not_waited_for(house: House) -> None:
    await house.hire()
    for number in range(3):
        await house.publish(f"s-{number}", SegmentStored())
    assert await house.may_still_come("s-2")
    house.clock.now += (PATIENCE_S - 1) * 1_000_000
    assert await house.may_still_come("s-2")
    await house.finish("face-check-live", 1)
    assert await house.may_still_come("s-2"), "it gets on: its patience starts again"
    house.clock.now += (PATIENCE_S - 1) * 1_000_000
    assert await house.may_still_come("s-2")
    house.clock.now += 1_000_000
    assert not await house.may_still_come("s-2")


async def test_a_worker_that_was_idle_for_long_has_all_its_time_when_work_comes(house: House) -> None:
    await house.hire()
    assert not await house.may_still_come("s-1")
    house.clock.now += 100 * PATIENCE_S * 1_000_000
    await house.publish("s-1", SegmentStored())
    assert await house.may_still_come("s-1")


async def test_workers_that_were_never_there_are_waited_for_once(house: House) -> None:
    await house.publish("s-1", SegmentStored())
    assert await house.may_still_come("s-1")
    house.clock.now += PATIENCE_S * 1_000_000
    assert not await house.may_still_come("s-1")


async def test_a_look_at_open_sessions_does_not_see_the_closed_ones(bus_client: Client) -> None:
    jetstream = bus_client.jetstream()
    buckets = [await open_bucket(jetstream, name, 3600, 1) for name in (BUCKET, OPEN_BUCKET)]
    sealed = SealedStore(MemoryStore(), Sealer(b"k" * 32), SystemClock())
    store = NatsFoldStore(jetstream, buckets[0], buckets[1], sealed, 1 << 19)
    for number in range(30):
        fold = SessionFold(TENANT, f"s-{number}")
        fold.add(Event("created", TENANT, fold.session_id, 1, "test", SessionCreated(order_id="o")))
        await store.save(fold, 0)
    for number in range(29):
        await store.close(TENANT, f"s-{number}")
    assert await store.sessions() == [(TENANT, "s-29")]
    assert (await jetstream.stream_info(f"KV_{OPEN_BUCKET}")).state.messages == 1
    closed = await store.load(TENANT, "s-0")
    assert closed is not None
    assert closed.fold.created is not None


async def test_folds_from_before_the_index_are_found(bus_client: Client) -> None:
    jetstream = bus_client.jetstream()
    buckets = [await open_bucket(jetstream, name, 3600, 1) for name in (BUCKET, OPEN_BUCKET)]
    await buckets[0].put("demo.old-1", b"x")
    await buckets[0].put("demo.old-2", b"x")
    sealed = SealedStore(MemoryStore(), Sealer(b"k" * 32), SystemClock())
    store = NatsFoldStore(jetstream, buckets[0], buckets[1], sealed, 1 << 19)
    await store.index_all()
    assert await store.sessions() == [("demo", "old-1"), ("demo", "old-2")]
    await store.close("demo", "old-1")
    await store.index_all()
    assert await store.sessions() == [("demo", "old-2")]


async def test_partitions_are_shared_with_a_process_that_comes_later(bus_client: Client) -> None:
    jetstream = bus_client.jetstream()
    bucket = await open_bucket(jetstream, lease.BUCKET, lease.TTL_S, 1)
    running: dict[str, set[int]] = {"first": set(), "second": set()}

    async def process(owner: str, stopping: asyncio.Event) -> None:
        leases = Leases(jetstream, bucket, owner, PARTITIONS)

        async def fold(number: int) -> None:
            async def work(over: asyncio.Event) -> None:
                running[owner].add(number)
                await over.wait()
                running[owner].discard(number)

            await leases.hold(f"partition-{number}", work, stopping)

        await asyncio.gather(leases.live(stopping), *(fold(number) for number in range(PARTITIONS)))

    async def until_shared(*counts: int) -> None:
        async with asyncio.timeout(30):
            while tuple(len(each) for each in running.values()) != counts:
                assert not running["first"] & running["second"], "a partition has two owners"
                await asyncio.sleep(0.1)

    first, second = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(process("first", first))
        await until_shared(8, 0)
        tasks.create_task(process("second", second))
        await until_shared(4, 4)
        first.set()
        await until_shared(0, 8)
        second.set()
