"""A track of hours: its windows come one behind the other, each is recognised, in whatever order and however often."""

import random
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu.common.v1.types_pb2 import TRACK_KIND_AUDIO
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu.observation.v1.observations_pb2 import SpeechTranscribed, WindowFound
from shuanglu_asr.domain.heard import Utterance
from shuanglu_asr.domain.listened import Listened
from shuanglu_asr.domain.turns import Turn
from shuanglu_asr.domain.windows import CREDIT, next_of, told_at_once
from shuanglu_asr.handlers import Asr
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.cell.models import LoadedModel
from shuanglu_common.clock import SystemClock
from shuanglu_common.cmaf import segment_key, track_prefix
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore

TENANT, SESSION, TRACK = "bank", "s1", "customer-audio"
HOURS = 3
WINDOWS = HOURS * 120


class Silent:
    """Ears that know where somebody speaks, and understand nothing."""

    ear_model = word_model = LoadedModel("silent", "0")

    def __init__(self, windows: int) -> None:
        self.turns = tuple(Turn(at * 30_000, at * 30_000 + 20_000) for at in range(windows))

    async def listen(self, segments: Callable[[], AsyncIterator[bytes]]) -> Listened:
        return Listened(self.turns, (), len(self.turns) * 30.0)

    async def recognise(self, data: bytes, turns: Sequence[Turn], wanted: Sequence[str]) -> tuple[Utterance, ...]:
        return ()


class Bus:
    """Windows that wait; a repeat of an id is dropped, as JetStream does."""

    def __init__(self) -> None:
        self.waiting: list[NewEvent] = []
        self.ids: set[str] = set()

    async def publish(self, event: NewEvent) -> None:
        if event.event_id not in self.ids:
            self.ids.add(event.event_id)
            self.waiting.append(event)


@pytest.fixture
async def long_track() -> tuple[Asr, Bus, Event[TrackStored]]:
    store, bus = MemoryStore(), Bus()
    sealed = SealedStore(store, Sealer(b"k" * 32), SystemClock())
    stored = await store.put(segment_key(TENANT, SESSION, TRACK, 1), b"sound")
    init = await store.put(track_prefix(TENANT, SESSION, TRACK) + "init.mp4", b"init")
    end_ms = WINDOWS * 30_000
    track = Track(track_id=TRACK, kind=TRACK_KIND_AUDIO, init=init, end_ms=end_ms, segment_count=1)
    segment = Segment(track_id=TRACK, index=1, object=stored, end_ms=end_ms)
    event = Event("e", TENANT, SESSION, 1, "media-ingest", TrackStored(track=track, segments=[segment]))
    return Asr(store, sealed, Silent(WINDOWS), bus.publish), bus, event


async def test_never_more_than_a_few_windows_of_a_track_wait_and_all_are_recognised(
    long_track: tuple[Asr, Bus, Event[TrackStored]],
):
    handler, bus, event = long_track
    found, *first = await handler.track_stored(event)
    assert found.payload.window_count == WINDOWS
    for each in first:
        await bus.publish(each)
    chance, recognised = random.Random(7), []
    while bus.waiting:
        assert len(bus.waiting) <= CREDIT
        window = bus.waiting.pop(chance.randrange(len(bus.waiting)))
        job = Event("w", TENANT, SESSION, 1, "asr", window.payload)
        # Every tenth is done twice, as after a crash.
        for _ in range(2 if chance.random() < 0.1 else 1):
            (done,) = await handler.window_found(job)
        assert isinstance(done.payload, SpeechTranscribed)
        recognised.append(done.payload.window_index)
    assert sorted(recognised) == list(range(WINDOWS))


async def test_a_late_repeat_does_not_tell_again_what_was_recognised(
    long_track: tuple[Asr, Bus, Event[TrackStored]],
):
    handler, bus, event = long_track
    _, first, *_ = await handler.track_stored(event)
    job = Event("w", TENANT, SESSION, 1, "asr", first.payload)
    await handler.window_found(job)
    (following,) = bus.waiting
    assert isinstance(following.payload, WindowFound)
    await handler.window_found(Event("w", TENANT, SESSION, 1, "asr", following.payload))
    bus.ids.clear()
    bus.waiting.clear()
    await handler.window_found(job)
    assert bus.waiting == []


async def test_a_lost_plan_ends_a_row_and_not_the_window(long_track: tuple[Asr, Bus, Event[TrackStored]]):
    handler, bus, event = long_track
    _, first, *_ = await handler.track_stored(event)
    assert isinstance(handler.store, MemoryStore)
    del handler.store.objects[first.payload.plan.key]
    (done,) = await handler.window_found(Event("w", TENANT, SESSION, 1, "asr", first.payload))
    assert isinstance(done.payload, SpeechTranscribed)
    assert bus.waiting == []


@given(st.integers(0, 2000))
def test_each_window_is_told_by_the_track_or_by_exactly_one_other(count: int) -> None:
    told = list(told_at_once(count)) + [at for index in range(count) if (at := next_of(index, count)) is not None]
    assert sorted(told) == list(range(count))
