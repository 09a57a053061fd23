"""The handler on the real models and the committed sample, over a store in memory."""

import random

import pytest
from face_check_bench import SESSION, TENANT, Bench
from face_check_media import Cmaf

from shuanglu.common.v1.types_pb2 import (
    TRACK_KIND_AUDIO,
    TRACK_KIND_SCREEN,
)
from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.observation.v1.observations_pb2 import Face, FacesObserved
from shuanglu_common.bus.events import Event
from shuanglu_common.clock import SystemClock
from shuanglu_common.store import MemoryStore, StoreUnavailable
from shuanglu_face_check.domain.faces import SeenFrame
from shuanglu_face_check.handlers import FaceCheck, tell
from shuanglu_face_check.segments import SegmentReader
from shuanglu_face_check.templates import TemplateKeeper
from shuanglu_face_check.worker import Worker

pytestmark = pytest.mark.models


@pytest.fixture
def bench(worker: Worker) -> Bench:
    return Bench(worker)


async def observe(handler: FaceCheck, event: Event[SegmentStored]) -> FacesObserved:
    (new,) = await handler.segment_stored(event)
    assert isinstance(new.payload, FacesObserved)
    assert (new.tenant, new.session_id) == (TENANT, SESSION)
    assert new.key == f"{event.payload.track.track_id}/{event.payload.segment.index}"
    return new.payload


def faces(observed: list[FacesObserved]) -> list[Face]:
    return [face for one in observed for frame in one.frames for face in frame.faces]


async def test_the_customer_is_seen_in_every_frame_and_is_like_the_id_photo(bench: Bench, customer_track: Cmaf):
    photo = await bench.photo("id_photo.jpg")
    handler = bench.handler()
    observed = [await observe(handler, event) for event in await bench.events(customer_track, "customer", photo=photo)]
    assert [frame.at_ms for one in observed for frame in one.frames] == list(range(0, 8000, 500))
    assert all(len(frame.faces) == 1 for one in observed for frame in one.frames)
    assert [(model.name, len(model.version)) for model in observed[0].models] == [("yunet", 16), ("sface", 16)]
    assert (observed[0].frame_width, observed[0].frame_height) == (640, 480)
    assert observed[0].participants[0].participant_id == "customer"
    assert not any(one.failure_reason for one in observed)
    compared = [face for face in faces(observed) if face.HasField("id_photo_similarity")]
    assert len(compared) == 8
    assert min(face.id_photo_similarity for face in compared) > 0.6
    assert min(face.reference_similarity for face in compared) > 0.8
    for face in faces(observed):
        assert 0.8 < face.score <= 1
        assert len(face.landmarks) == 5
        assert face.sharpness > 10
        assert 0.2 < face.brightness < 0.8
    assert [frame.HasField("motion") for frame in observed[0].frames] == [False, True, True, True]


async def test_somebody_elses_id_photo_is_unlike(bench: Bench, customer_track: Cmaf):
    events = await bench.events(customer_track, "customer", photo=await bench.photo("id_other.jpg"))
    handler = bench.handler()
    seen = faces([await observe(handler, event) for event in events])
    similarities = [face.id_photo_similarity for face in seen if face.HasField("id_photo_similarity")]
    assert similarities
    assert max(similarities) < 0.35


async def test_another_person_on_the_track_is_unlike_the_reference(
    bench: Bench, customer_track: Cmaf, agent_track: Cmaf
):
    events = await bench.events(customer_track, "customer", count=2)
    track = events[0].payload.track
    events.append(await bench.event(track, agent_track, 3, None))
    handler = bench.handler()
    # Both tracks were encoded alike, so one init fits both.
    before, _, switched = [await observe(handler, event) for event in events]
    assert min(face.reference_similarity for face in faces([before]) if face.HasField("reference_similarity")) > 0.8
    assert max(face.reference_similarity for face in faces([switched]) if face.HasField("reference_similarity")) < 0.35


@pytest.mark.parametrize("seed", [1, 2])
async def test_neither_order_nor_worker_nor_repeats_change_what_is_seen(bench: Bench, customer_track: Cmaf, seed: int):
    photo = await bench.photo("id_photo.jpg")
    events = await bench.events(customer_track, "customer", photo=photo, count=7)
    handler = bench.handler()
    expected = [await observe(handler, event) for event in events]
    # Other workers over the same recording, whose templates have been made from nothing again.
    for key in [key for key in bench.store.objects if "templates/" in key]:
        del bench.store.objects[key]
    workers = [bench.handler() for _ in range(3)]
    chance = random.Random(seed)
    work = events + chance.sample(events, 3)
    chance.shuffle(work)
    for event in work:
        seen = await observe(chance.choice(workers), event)
        assert seen == expected[event.payload.segment.index - 1]


async def test_the_agent_is_not_compared_with_the_customers_id_photo(bench: Bench, agent_track: Cmaf):
    events = await bench.events(agent_track, "agent", count=1, photo=await bench.photo("id_photo.jpg"))
    seen = faces([await observe(bench.handler(), events[0])])
    assert not any(face.HasField("id_photo_similarity") for face in seen)
    assert any(face.HasField("reference_similarity") for face in seen)


async def test_a_shared_track_is_compared_with_the_id_photo_but_has_no_reference(bench: Bench, customer_track: Cmaf):
    events = await bench.events(customer_track, "customer", "agent", count=1, photo=await bench.photo("id_photo.jpg"))
    seen = faces([await observe(bench.handler(), events[0])])
    assert any(face.HasField("id_photo_similarity") for face in seen)
    assert not any(face.HasField("reference_similarity") for face in seen)


async def test_a_photo_without_a_face_leaves_the_similarity_unset(bench: Bench, customer_track: Cmaf):
    photo = await bench.sealed.put(TENANT, SESSION, "id-photo", b"a text file called .jpg")
    events = await bench.events(customer_track, "customer", count=1, photo=photo)
    seen = faces([await observe(bench.handler(), events[0])])
    assert seen
    assert not any(face.HasField("id_photo_similarity") for face in seen)


async def test_the_rate_of_the_strategy_is_kept(bench: Bench, customer_track: Cmaf):
    events = await bench.events(customer_track, "customer", count=2, rate=1000)
    observed = [await observe(bench.handler(), event) for event in events]
    assert [frame.at_ms for one in observed for frame in one.frames] == [0, 1000, 2000, 3000]


async def test_a_segment_between_two_points_is_examined_and_has_no_frames(bench: Bench, customer_track: Cmaf):
    (event,) = await bench.events(customer_track, "customer", count=1)
    event.payload.segment.start_ms, event.payload.segment.end_ms = 101, 140
    observed = await observe(bench.handler(), event)
    assert (len(observed.frames), observed.failure_reason) == (0, "")


@pytest.mark.parametrize("kind", [TRACK_KIND_AUDIO, TRACK_KIND_SCREEN])
async def test_other_tracks_are_ignored(bench: Bench, customer_track: Cmaf, kind: int):
    (event,) = await bench.events(customer_track, "customer", count=1)
    event.payload.track.kind = kind
    assert list(await bench.handler().segment_stored(event)) == []


async def failure(bench: Bench, event: Event[SegmentStored]) -> str:
    observed = await observe(bench.handler(), event)
    assert len(observed.frames) == 0
    assert observed.interval.end_ms > observed.interval.start_ms
    return observed.failure_reason


async def test_a_segment_that_is_no_video_is_reported_as_unreadable(bench: Bench, customer_track: Cmaf):
    (event,) = await bench.events(customer_track, "customer", count=1)
    ref = await bench.store.put(event.payload.segment.object.key, b"a text file called .m4s")
    event.payload.segment.object.CopyFrom(ref)
    assert await failure(bench, event) == "SEGMENT_UNREADABLE"


async def test_a_segment_that_was_changed_is_reported(bench: Bench, customer_track: Cmaf):
    (event,) = await bench.events(customer_track, "customer", count=1)
    key = event.payload.segment.object.key
    bench.store.objects[key] = bench.store.objects[key][:-1] + b"!"
    assert await failure(bench, event) == "CHECKSUM_WRONG"


async def test_a_segment_that_is_gone_is_reported(bench: Bench, customer_track: Cmaf):
    (event,) = await bench.events(customer_track, "customer", count=1)
    del bench.store.objects[event.payload.segment.object.key]
    assert await failure(bench, event) == "OBJECT_NOT_FOUND"


async def test_a_store_that_is_away_is_tried_again_later(bench: Bench, customer_track: Cmaf):
    class AwayStore(MemoryStore):
        async def read(self, key: str) -> bytes:
            raise StoreUnavailable("away")

    (event,) = await bench.events(customer_track, "customer", count=1)
    segments = SegmentReader(AwayStore())
    keeper = TemplateKeeper(bench.sealed, segments, bench.eyes, SystemClock(), 3600)
    with pytest.raises(StoreUnavailable) as raised:
        await FaceCheck(segments, keeper, bench.eyes).segment_stored(event)
    assert raised.value.retryable


async def test_no_template_is_in_an_event_or_in_clear_in_the_store(bench: Bench, customer_track: Cmaf):
    photo = await bench.photo("id_photo.jpg")
    (event,) = await bench.events(customer_track, "customer", count=1, photo=photo)
    observed = await observe(bench.handler(), event)
    kept = {key for key in bench.store.objects if "templates/" in key}
    assert {key.rsplit("/", 1)[-1] for key in kept} == {"id-photo", "customer-video"}
    assert all(bench.store.objects[key].startswith(b"SLS1") for key in kept)
    # 4 frames with a face take far less than one 128-number embedding would add.
    assert observed.ByteSize() < 4 * 128 + 300


def test_a_frame_of_another_size_says_so():
    frames = [SeenFrame(at, (), 0.4, 0.2, None, *size) for at, size in ((0, (640, 480)), (500, (320, 240)))]
    observed = FacesObserved(frame_width=1280, frame_height=720)
    tell(observed, frames)
    assert (observed.frame_width, observed.frame_height) == (640, 480)
    assert [(frame.width, frame.height) for frame in observed.frames] == [(0, 0), (320, 240)]
