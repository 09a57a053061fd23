"""Calls for the benchmark: a stack without models, sessions in it, and callers in processes of their own."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from live import bitrate
from material import ROOT
from shuanglu_caller.booking import book, people_of, seats_of
from shuanglu_caller.desk import CallDesk, Place, Seat
from shuanglu_caller.film import AUDIO_CLOCK, VIDEO_CLOCK, Film, Reel, Sample, read_film
from shuanglu_caller.participant import Manner, Participant
from shuanglu_caller.reels import Projector
from shuanglu_stack.announcer import ConsoleAnnouncer
from shuanglu_stack.sampling import Client, as_another_order, client_of, sample_recording
from shuanglu_stack.stack import EmbeddedStack, StackOptions

DATA = ROOT / ".data" / f"bench-live-{os.getpid()}"
SAMPLE = ROOT / "samples" / "personal-loan"
SERVICES = ("media-ingest-live", "signaling", "media-ingest", "quality", "report")
# Many callers come from one address here.
UNHURRIED = {"requests_per_10s": 100_000, "accepts_per_10s": 100_000}
CALL_KBIT_S = 800


@contextmanager
def stack_for_calls(
    services: Sequence[str] = SERVICES,
    env: Mapping[str, Mapping[str, str]] | None = None,
    media_host: str = "",
    rtp_ports: int = 100,
) -> Iterator[tuple[EmbeddedStack, Client]]:
    """A stack of its own, empty, and a bank's app at its gateway. `env`: settings by service."""
    options = StackOptions(
        data_dir=DATA, root=ROOT, services=services, service_env=env or {}, gateway=UNHURRIED, rtp_ports=rtp_ports
    )
    if media_host:
        options = replace(options, media_host=media_host)
    try:
        with EmbeddedStack(options, ConsoleAnnouncer(Console())) as stack, client_of(stack) as client:
            yield stack, client
    finally:
        shutil.rmtree(DATA, ignore_errors=True)


@contextmanager
def callers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes beside us."""
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        yield pool


def place_of(stack: EmbeddedStack) -> Place:
    """Its gateway."""
    return Place(stack.gateway_url, stack.ca)


def invited(stack: EmbeddedStack, client: Client, count: int) -> list[dict[str, Seat]]:
    """So many sessions of customer and agent, everybody with a token."""
    recording = replace(sample_recording(SAMPLE), id_photo=None)
    sessions = [book(client.gateway, None, as_another_order(recording)) for _ in range(count)]

    async def seats() -> list[dict[str, Seat]]:
        found = [seats_of(place_of(stack), stack.token(), one, people_of(recording)) for one in sessions]
        return list(await asyncio.gather(*found))

    return asyncio.run(seats())


@lru_cache(maxsize=1)
def usual_film() -> Film:
    """A person before a camera at the bitrate that calls are held to, and speech; 10 s to repeat."""
    samples: list[Sample] = []
    for number, (key, data) in enumerate(bitrate.encoded(bitrate.scene_pictures(), CALL_KBIT_S)):
        samples.append(Sample(number * VIDEO_CLOCK // bitrate.RATE, key, data))
    speech = read_film(SAMPLE / "agent.mp4").audio
    spoken = [sample for sample in speech.samples if sample.at < bitrate.SECONDS * AUDIO_CLOCK]
    length = bitrate.SECONDS
    return Film(
        Reel("video", VIDEO_CLOCK, length * VIDEO_CLOCK, samples),
        Reel("audio", AUDIO_CLOCK, length * AUDIO_CLOCK, spoken),
    )


@dataclass(frozen=True, slots=True)
class Stayed:
    """What one participant saw of a call. `first_at_s`: when its first picture left, seconds since the epoch."""

    participant_id: str
    first_at_s: float
    sent: int
    seen: int
    published_times: int
    processor_s: float
    errors: tuple[str, ...]


def stay(place: Place, seats: Sequence[Seat], film: Film, until_s: float, *, ends: bool = True) -> list[Stayed]:
    """Take part as these until a time since the epoch; then the agents end their calls. For a process of its own."""
    return asyncio.run(_stay(place, seats, film, until_s, ends=ends))


async def _stay(place: Place, seats: Sequence[Seat], film: Film, until_s: float, *, ends: bool) -> list[Stayed]:
    projector = Projector()
    projector.begin()
    async with AsyncExitStack() as stack:
        there = [
            await stack.enter_async_context(Participant(place, seat, film, projector, Manner(decoded=2)))
            for seat in seats
        ]
        await asyncio.sleep(max(0.0, until_s - time.time()))
        result = [stayed(one) for one in there]
        for one in there:
            if ends and one.seat.participant_id == "agent":
                await one.desk.end(one.seat.session_id)
    return [replace(one, processor_s=time.process_time() / len(there)) for one in result]


def stayed(one: Participant) -> Stayed:
    """What became of a participant so far."""
    track = one.publication.tracks["video"] if one.publication else None
    seen = sum(view.pictures for who in ("agent", "customer") if (view := one.view_of(who)))
    return Stayed(
        one.seat.participant_id,
        track.first_at_s if track else 0.0,
        track.sent if track else 0,
        seen,
        one.published_times,
        0.0,
        tuple(one.errors),
    )


def end_calls(stack: EmbeddedStack, sessions: Sequence[str]) -> None:
    """As the bank."""

    async def end() -> None:
        async with CallDesk(place_of(stack), stack.token()) as desk:
            for session_id in sessions:
                await desk.end(session_id)

    asyncio.run(end())


def stored_bytes(folder: Path) -> int:
    """Bytes below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
