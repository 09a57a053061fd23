"""Cost of an event through libs/common against raw nats-py on the same server, in the same run."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.runner import Runner
from shuanglu_common.bus.subjects import Stream, filter_subject
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock

EVENTS = 3000
ROUNDS = 3
IN_HAND = 16
PIPELINE = 64


async def raw_seconds(jetstream: JetStreamContext, body: bytes, run: str) -> float:
    """Publish with confirmation, pull and acknowledge, nothing else."""
    await jetstream.add_stream(name="BENCH", subjects=["bench.>"])
    try:
        started = time.perf_counter()
        for first in range(0, EVENTS, PIPELINE):
            numbers = range(first, min(first + PIPELINE, EVENTS))
            await asyncio.gather(
                *(jetstream.publish("bench.a", body, headers={"Nats-Msg-Id": f"{run}-{number}"}) for number in numbers)
            )
        await jetstream.add_consumer("BENCH", ConsumerConfig(durable_name="raw", ack_policy=AckPolicy.EXPLICIT))
        subscription = await jetstream.pull_subscribe_bind(consumer="raw", stream="BENCH")
        left = EVENTS
        while left:
            for message in await subscription.fetch(IN_HAND, timeout=5):
                await message.ack()
                left -= 1
        return time.perf_counter() - started
    finally:
        await jetstream.delete_stream("BENCH")


async def our_seconds(bus: Bus, run: str) -> float:
    """Envelope, publish, runner, decode, handler, acknowledge."""
    done = asyncio.Event()
    left = EVENTS

    async def handle(_event: Event[InspectionProgressed]) -> Sequence[NewEvent]:
        nonlocal left
        left -= 1
        if not left:
            done.set()
        return []

    started = time.perf_counter()
    events = [
        NewEvent("bench", f"s{number % 50}", InspectionProgressed(observed=number), f"{run}-{number}")
        for number in range(EVENTS)
    ]
    await bus.publish_all(events)
    stopping = asyncio.Event()
    wanted = Subscription("bench", {InspectionProgressed: handle}, in_hand=IN_HAND)
    task = asyncio.create_task(Runner(bus, wanted, 5).run(stopping))
    await done.wait()
    seconds = time.perf_counter() - started
    stopping.set()
    await task
    await bus.jetstream.delete_consumer(Stream.QUALITY, "bench")
    await bus.jetstream.purge_stream(
        Stream.QUALITY, subject=filter_subject(InspectionProgressed).replace("*", "bench", 1)
    )
    return seconds


async def overhead_ratio(url: str) -> tuple[float, float]:
    """Median ratio of ours to raw over interleaved rounds, and the median raw microseconds per event."""
    client = await nats.connect(url)
    try:
        bus = Bus(client, "bench", SystemClock())
        with suppress(NotFoundError):
            await bus.jetstream.delete_stream("BENCH")
        # An event that no service consumes, so that only the bus is measured; raw carries as many bytes.
        body = NewEvent("bench", "s0", InspectionProgressed(observed=EVENTS), "size").envelope("bench", 1 << 50)
        runs = [uuid.uuid4().hex for _ in range(ROUNDS)]
        pairs = [(await raw_seconds(bus.jetstream, body, run), await our_seconds(bus, run)) for run in runs]
        ratios = sorted(ours / raw for raw, ours in pairs)
        raws = sorted(raw for raw, _ in pairs)
        return ratios[ROUNDS // 2], raws[ROUNDS // 2] / EVENTS * 1e6
    finally:
        await client.close()
