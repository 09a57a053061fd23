"""Events of so many sessions over the real bus: how late they are delivered, and what they cost.

A session of two people has four tracks whose segments end at the first key frame after two seconds: 1.8 segments a
second. Half of them are pictures, and a worker answers each with one observation: 2.7 events a second. Streams, folds,
publisher and runner are the real ones; the workers look at nothing, so that only the bus is measured.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import nats
from nats.js import JetStreamContext

from figures import Figure
from live.calls import stack_for_calls
from scale.sizes import Sizes
from shuanglu.common.v1.types_pb2 import TrackKind
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.observation.v1.observations_pb2 import FacesObserved
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.runner import Runner
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.bus.subjects import Stream
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_stack.nats_server import nats_url
from shuanglu_stack.stack import EmbeddedStack

TENANT = "bench"
SEGMENTS_A_SECOND = 1.8
EVENTS_A_SECOND = 2.7
TICK_S = 0.02
IN_HAND = 32
# A process takes what it has hands for in one fetch, and waits for its answer: some hundred events a second each.
WORKERS = 6
HEARERS = 4
SETTLE_S = 4.0
DRAIN_S = 5.0
MOST_LATE_MS = 500.0
P99 = 0.99


@dataclass(frozen=True, slots=True)
class Part:
    """What one process did. `late_ms`: publishing of each event to its handler; `core_s`: of the process."""

    events: int
    core_s: float
    late_ms: tuple[float, ...] = ()
    seconds: float = 0.0


def segment(number: int, run: str, sessions: int) -> NewEvent:
    """The next segment of one of the sessions; pictures and sound take turns."""
    event = SegmentStored()
    video = number // sessions % 2 == 0
    event.track.kind = TrackKind.TRACK_KIND_VIDEO if video else TrackKind.TRACK_KIND_AUDIO
    event.track.track_id = "customer-video" if video else "customer-audio"
    event.segment.index = number // sessions + 1
    event.segment.object.key = f"{TENANT}/{run}/tracks/{event.track.track_id}/{number:08}.m4s"
    event.segment.object.sha256 = "0" * 64
    return NewEvent(TENANT, f"{run}-{number % sessions}", event, str(number))


def publish(url: str, run: str, sessions: int, seconds: float) -> Part:
    """For a process of its own: the segments of so many sessions, spread evenly."""

    async def work() -> Part:
        client = await nats.connect(url)
        bus = Bus(client, "bench", SystemClock())
        rate, sent, began = sessions * SEGMENTS_A_SECOND, 0, time.monotonic()
        cores = time.process_time()
        while sent < rate * seconds:
            due = min(int((time.monotonic() - began) * rate), int(rate * seconds) + 1)
            await bus.publish_all([segment(number, run, sessions) for number in range(sent, due)])
            sent = max(sent, due)
            await asyncio.sleep(TICK_S)
        took = time.monotonic() - began
        await client.close()
        return Part(sent, time.process_time() - cores, seconds=took)

    return asyncio.run(work())


def consume(url: str, durable: str, *, observes: bool, until_s: float) -> Part:
    """For a process of its own: a worker that sees pictures, or the one that hears what it saw."""

    async def work() -> Part:
        client = await nats.connect(url)
        bus = Bus(client, "bench", SystemClock())
        late: list[float] = []
        seen: set[str] = set()

        async def handle(event: Event[SegmentStored]) -> Sequence[NewEvent]:
            late.append(time.time() * 1e3 - event.occurred_at_us / 1e3)
            seen.add(event.event_id)
            if event.payload.track.kind != TrackKind.TRACK_KIND_VIDEO:
                return []
            return [NewEvent(event.tenant, event.session_id, FacesObserved(), event.event_id)]

        async def hear(event: Event[FacesObserved]) -> Sequence[NewEvent]:
            late.append(time.time() * 1e3 - event.occurred_at_us / 1e3)
            seen.add(event.event_id)
            return []

        wanted = Subscription(durable, {SegmentStored: handle} if observes else {FacesObserved: hear}, in_hand=IN_HAND)
        stopping = asyncio.Event()
        cores = time.process_time()
        task = asyncio.create_task(Runner(bus, wanted, 5).run(stopping))
        await asyncio.sleep(max(0.0, until_s - time.time()))
        stopping.set()
        await task
        await client.close()
        return Part(len(seen), time.process_time() - cores, tuple(late))

    return asyncio.run(work())


def p99(values: Sequence[float]) -> float:
    """Of milliseconds; 0 without any."""
    return sorted(values)[min(len(values) - 1, int(len(values) * P99))] if values else 0.0


def step(stack: EmbeddedStack, url: str, sessions: int, seconds: float) -> Mapping[str, float]:
    """So many sessions for a while: what arrived, how late, and cores by process."""
    run = f"{sessions}-{os.getpid()}"
    until_s = time.time() + SETTLE_S + seconds + DRAIN_S
    with ProcessPoolExecutor(WORKERS + HEARERS + 1, get_context("spawn")) as pool:
        seeing: list[Future[Part]] = [
            pool.submit(consume, url, f"bench-see-{sessions}", observes=True, until_s=until_s) for _ in range(WORKERS)
        ]
        hearing: list[Future[Part]] = [
            pool.submit(consume, url, f"bench-hear-{sessions}", observes=False, until_s=until_s) for _ in range(HEARERS)
        ]
        time.sleep(SETTLE_S)
        before = stack.usage()["nats"].core_seconds
        sent = pool.submit(publish, url, run, sessions, seconds).result(timeout=seconds * 10 + 60)
        seen, heard = [part.result(timeout=120) for part in seeing], [part.result(timeout=120) for part in hearing]
        nats_s = stack.usage()["nats"].core_seconds - before
    late = [ms for part in (*seen, *heard) for ms in part.late_ms]
    arrived, pictures = (
        sum(part.events for part in (*seen, *heard)),
        sum(number // sessions % 2 == 0 for number in range(sent.events)),
    )
    return {
        "asked": sessions * EVENTS_A_SECOND,
        "reached": sent.events * EVENTS_A_SECOND / SEGMENTS_A_SECOND / sent.seconds,
        "missing": sent.events + pictures - arrived,
        "p99": p99(late),
        "p50": sorted(late)[len(late) // 2] if late else 0.0,
        "nats": nats_s / sent.seconds,
        "publisher": sent.core_s / sent.seconds,
        "workers": sum(part.core_s for part in (*seen, *heard)) / sent.seconds,
    }


async def empty_streams(url: str) -> None:
    """All streams are there, and hold nothing of an earlier step."""
    client = await nats.connect(url)
    jetstream: JetStreamContext = client.jetstream()
    await ensure_streams(jetstream, 1)
    for stream in (Stream.MEDIA, Stream.OBSERVATIONS, Stream.FOLDS):
        await jetstream.purge_stream(stream)
    await client.close()


def measure(sizes: Sizes) -> list[Figure]:
    """A step for each number of sessions."""
    figures: list[Figure] = []
    with stack_for_calls(services=()) as (stack, _):
        url = nats_url(stack.ports["nats"], stack.keys.nats_password)
        for sessions in sizes.traffic_sessions:
            asyncio.run(empty_streams(url))
            found = step(stack, url, sessions, sizes.traffic_s)
            what = f"{sessions} sessions"
            against = f"p50 {found['p50']:.0f} ms; {found['reached']:.0f} of {found['asked']:.0f} events a second"
            cores = f"publisher {found['publisher']:.2f}, workers {found['workers']:.2f} cores"
            figures += [
                Figure(f"{what}: events delivered, 99 %", found["p99"], "ms", "lower", MOST_LATE_MS, against),
                Figure(f"{what}: events not delivered", found["missing"], "", "lower", 0, "sent, and answered"),
                Figure(f"{what}: NATS", found["nats"], "cores", "lower", None, cores),
            ]
    return figures
