"""Cost of an event through libs/common against raw nats-py on the same server, in the same run."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from shuanglu.report.v1.report_events_pb2 import ReportReady
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
BODY = "x" * 900


async def raw_seconds(jetstream: JetStreamContext, round_: int) -> float:
    """Publish with confirmation, pull and acknowledge, nothing else."""
    await jetstream.add_stream(name="BENCH", subjects=["bench.>"])
    try:
        started = time.perf_counter()
        for first in range(0, EVENTS, PIPELINE):
            numbers = range(first, min(first + PIPELINE, EVENTS))
            await asyncio.gather(
                *(
                    jetstream.publish("bench.a", BODY.encode(), headers={"Nats-Msg-Id": f"{round_}-{number}"})
                    for number in numbers
                )
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


async def our_seconds(bus: Bus, round_: int) -> float:
    """Envelope, publish, runner, decode, handler, acknowledge."""
    done = asyncio.Event()
    left = EVENTS

    async def handle(_event: Event[ReportReady]) -> Sequence[NewEvent]:
        nonlocal left
        left -= 1
        if not left:
            done.set()
        return []

    started = time.perf_counter()
    events = [
        NewEvent("bench", f"s{number % 50}", ReportReady(report_id=BODY), f"{round_}-{number}")
        for number in range(EVENTS)
    ]
    await bus.publish_all(events)
    stopping = asyncio.Event()
    wanted = Subscription("bench", {ReportReady: handle}, in_hand=IN_HAND)
    task = asyncio.create_task(Runner(bus, wanted, 5).run(stopping))
    await done.wait()
    seconds = time.perf_counter() - started
    stopping.set()
    await task
    await bus.jetstream.delete_consumer(Stream.REPORTS, "bench")
    await bus.jetstream.purge_stream(Stream.REPORTS, subject=filter_subject(ReportReady).replace("*", "bench", 1))
    return seconds


async def overhead_ratio(url: str) -> tuple[float, float]:
    """Median ratio of ours to raw over interleaved rounds, and the median raw microseconds per event."""
    client = await nats.connect(url)
    try:
        bus = Bus(client, "bench", SystemClock())
        with suppress(NotFoundError):
            await bus.jetstream.delete_stream("BENCH")
        pairs = [(await raw_seconds(bus.jetstream, round_), await our_seconds(bus, round_)) for round_ in range(ROUNDS)]
        ratios = sorted(ours / raw for raw, ours in pairs)
        raws = sorted(raw for raw, _ in pairs)
        return ratios[ROUNDS // 2], raws[ROUNDS // 2] / EVENTS * 1e6
    finally:
        await client.close()
