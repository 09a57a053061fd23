"""From a frame at the camera to its segment confirmed in the store, told on the bus."""

import asyncio
import statistics
import time
from dataclasses import dataclass

import nats
from nats.aio.msg import Msg

from figures import Figure
from live.calls import callers, invited, place_of, stack_for_calls, stay, usual_film
from live.joining import percentile
from live.sizes import Sizes
from shuanglu.common.v1.types_pb2 import TrackKind
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu_common.bus.events import decode
from shuanglu_stack.stack import EmbeddedStack

SEGMENTS_MS = (1000, 2000)
MOST_S = {1000: 2.5}
COME_IN_S = 8.0
FRAMES_A_SECOND = 15


@dataclass(frozen=True, slots=True)
class Told:
    """A segment of pictures, and when the bus told that the store has it, seconds since the epoch."""

    participant_id: str
    start_ms: int
    end_ms: int
    told_at_s: float


async def listen(nats_url: str, until_s: float) -> list[Told]:
    """All segments of pictures that are told until a time since the epoch."""
    found: list[Told] = []

    async def take(message: Msg) -> None:
        now_s = time.time()
        payload = decode(message.data).payload
        if isinstance(payload, SegmentStored) and payload.track.kind == TrackKind.TRACK_KIND_VIDEO:
            who = payload.track.participants[0].participant_id
            found.append(Told(who, payload.segment.start_ms, payload.segment.end_ms, now_s))

    bus = await nats.connect(nats_url)
    await bus.subscribe("media.v1.*.*.segment_stored", cb=take)
    await asyncio.sleep(max(0.0, until_s - time.time()))
    await bus.close()
    return found


def delays_s(told: list[Told], first_at_s: dict[str, float]) -> list[float]:
    """Of each frame. A track begins with the first picture that left its caller, so frames' times follow from that."""
    found = []
    begins = {who: min(one.start_ms for one in told if one.participant_id == who) for who in first_at_s}
    for one in told:
        frames = max(1, round((one.end_ms - one.start_ms) * FRAMES_A_SECOND / 1000))
        for frame in range(frames):
            at_ms = one.start_ms + frame * (one.end_ms - one.start_ms) / frames
            left_s = first_at_s[one.participant_id] + (at_ms - begins[one.participant_id]) / 1000
            found.append(one.told_at_s - left_s)
    return found


def one_call(stack: EmbeddedStack, client: object, seconds: float) -> list[float]:
    """Delays of all frames of a call of two."""
    (seats,) = invited(stack, client, 1)  # type: ignore[arg-type]
    until_s = time.time() + COME_IN_S + seconds
    with callers(1) as pool:
        held = pool.submit(stay, place_of(stack), list(seats.values()), usual_film(), until_s)
        told = asyncio.run(listen(stack.nats_url, until_s))
        first_at_s = {one.participant_id: one.first_at_s for one in held.result(timeout=60)}
    return delays_s(told, first_at_s)


def measure(sizes: Sizes) -> list[Figure]:
    """With segments of one second, and with the default."""
    figures: list[Figure] = []
    base = ""
    for segment_ms in SEGMENTS_MS:
        env = {"media-ingest-live": {"SHUANGLU_LIVE_SEGMENT_MS": str(segment_ms)}}
        with stack_for_calls(env=env) as (stack, client):
            delays = one_call(stack, client, sizes.delay_s)
        name = f"camera to store, segments of {segment_ms / 1000:g} s"
        # No frame can be stored before its segment has ended: the mean of that wait is half of its length.
        own = statistics.mean(delays) - segment_ms / 2000
        against = f"the segment itself: {segment_ms / 1000:g} s; behind it {own:.2f} s{base}"
        figures.append(Figure(f"{name}, p50", statistics.median(delays), "s", "lower", None, against))
        figures.append(Figure(f"{name}, p95", percentile(delays, 95), "s", "lower", MOST_S.get(segment_ms), against))
    return figures
