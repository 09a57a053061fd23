"""A process that works with traces and metrics, or without either; observing.py runs one of each side by side.

Arguments: `on` or `off`, address of the bus, address of the collector, share of traces that are kept. A line of stdin
names what to do, `events` or `calls`; its answer is a line of JSON: core-microseconds of the process for one of them,
the thread that exports included, and microseconds on the clock.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from typing import Any

import grpc
import nats
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.observation.v1.observations_pb2 import FacesObserved
from shuanglu_common import telemetry
from shuanglu_common.auth import TokenVerifier
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.runner import Runner
from shuanglu_common.bus.subjects import Stream
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_common.grpc_server import start_server
from shuanglu_common.settings import ServiceSettings

EVENTS, CALLS = 1500, 1600
IN_HAND = 16
PIPELINE = 64
TENANT = "bench"


def switch_off_metrics() -> None:
    """From now on nothing is counted in this process."""

    def nothing(*_: object, **__: object) -> None: ...

    for kind, methods in ((Counter, ("inc",)), (Gauge, ("inc", "dec", "set")), (Histogram, ("observe",))):
        for method in methods:
            setattr(kind, method, nothing)
    MetricWrapperBase.labels = lambda self, *_, **__: self  # type: ignore[method-assign]


class Traced:
    """Gives contexts as a session's thread would: kept for a share of the sessions."""

    def __init__(self, share: float) -> None:
        """`share`: of 1; 0 without traces."""
        self.share = share

    def headers(self) -> dict[str, str]:
        """Of one segment's event."""
        if not self.share:
            return {}
        kept = int(random.random() < self.share)
        return {telemetry.TRACE_PARENT: f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-0{kept}"}


async def events(bus: Bus, traced: Traced) -> tuple[int, tuple[float, float]]:
    """Segments through the runner to an observation each, as a worker does that looks at nothing."""
    run = uuid.uuid4().hex
    bodies = []
    for number in range(EVENTS):
        event = SegmentStored()
        event.track.track_id, event.segment.index = "video", number + 2
        bodies.append((NewEvent(TENANT, f"{run}-{number % 50}", event, f"{run}/{number}"), traced.headers()))
    for first in range(0, EVENTS, PIPELINE):
        await asyncio.gather(
            *(
                bus.jetstream.publish(
                    event.subject,
                    event.envelope("bench", bus.clock.now_us()),
                    headers=headers | {"Nats-Msg-Id": event.event_id},
                )
                for event, headers in bodies[first : first + PIPELINE]
            )
        )
    done, left = asyncio.Event(), EVENTS

    async def handle(event: Event[SegmentStored]) -> Sequence[NewEvent]:
        nonlocal left
        left -= 1
        if not left:
            done.set()
        observed = FacesObserved(track_id="video", segment_index=event.payload.segment.index)
        return [NewEvent(event.tenant, event.session_id, observed, f"{run}/{observed.segment_index}")]

    name = f"bench-{run}"
    wanted = Subscription(name, {SegmentStored: handle}, in_hand=IN_HAND)
    stopping = asyncio.Event()
    core_s, clock_s = time.process_time(), time.perf_counter()
    task = asyncio.create_task(Runner(bus, wanted, 5).run(stopping))
    await done.wait()
    stopping.set()
    await task
    flush()
    took = time.process_time() - core_s, time.perf_counter() - clock_s
    await bus.jetstream.delete_consumer(Stream.MEDIA, name)
    for stream in (Stream.MEDIA, Stream.OBSERVATIONS):
        await bus.jetstream.purge_stream(stream)
    return EVENTS, took


async def calls(traced: Traced) -> tuple[int, tuple[float, float]]:
    """Calls of a method that does nothing, through the door of every service; caller and server are one process."""
    folder = tempfile.TemporaryDirectory()
    address = f"unix:{folder.name}/door"
    server = await start_server(address, TokenVerifier(ServiceSettings()), [])
    with folder:
        channel = grpc.aio.insecure_channel(address)
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        await stub.Check(request)
        core_s, clock_s = time.process_time(), time.perf_counter()
        for _ in range(0, CALLS, IN_HAND):
            await asyncio.gather(
                *(stub.Check(request, metadata=tuple(traced.headers().items())) for _ in range(IN_HAND))
            )
        flush()
        took = time.process_time() - core_s, time.perf_counter() - clock_s
        await channel.close()
        await server.stop(0)
    return CALLS, took


def flush() -> None:
    """Whatever waits for the collector is told: its cost counts."""
    provider: Any = trace.get_tracer_provider()
    provider.force_flush()


async def main() -> None:
    """Answers until stdin ends."""
    mode, bus_url, collector, share = sys.argv[1:5]
    traced = Traced(float(share) if mode == "on" else 0.0)
    if mode == "off":
        switch_off_metrics()
    telemetry.start("bench", "0", collector if mode == "on" else "", float(share))
    client = await nats.connect(bus_url)
    bus = Bus(client, "bench", SystemClock())
    while line := await asyncio.to_thread(sys.stdin.readline):
        done, took = await (events(bus, traced) if line.strip() == "events" else calls(traced))
        sys.stdout.write(json.dumps({"core_us": took[0] * 1e6 / done, "clock_us": took[1] * 1e6 / done}) + "\n")
        sys.stdout.flush()
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
