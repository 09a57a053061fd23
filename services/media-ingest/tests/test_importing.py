import asyncio
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import av
import pytest
from conftest import Media
from ingest_bench import EXPIRY_S, Bench
from ingest_fakes import PEOPLE, TENANT
from ingest_media import KEY_EVERY_SECOND, Recipe
from test_rpc import photo

from shuanglu.common.v1.types_pb2 import ParticipantRole, TrackKind
from shuanglu.media.v1.media_events_pb2 import (
    ImportFailed,
    RecordingCompleted,
    SegmentStored,
    TrackStored,
)
from shuanglu.media.v1.track_pb2 import Track
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.cmaf import fetch
from shuanglu_common.store import StoreUnavailable
from shuanglu_media_ingest.domain.imports import Import, ImportState, Node, SourceFile
from shuanglu_media_ingest.uploads.tus_errors import UploadGone

BOTH = Recipe("libx264", "aac", seconds=6, options=KEY_EVERY_SECOND)
CUSTOMER, AGENT = PEOPLE


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def recording(media: Media) -> bytes:
    return media("import.mp4", BOTH).read_bytes()


def two_files(bench: Bench, recording: bytes, **more: object) -> Import:
    return bench.accepted(
        SourceFile(bench.upload(recording).upload_id, (CUSTOMER,)),
        SourceFile(bench.upload(recording).upload_id, (AGENT,), offset_ms=500),
        **more,  # type: ignore[arg-type]
    )


async def run(bench: Bench, record: Import) -> Import:
    await bench.importer.run(record)
    return bench.state_of(record)


async def test_two_files_become_four_tracks(bench: Bench, recording: bytes):
    done = await run(bench, two_files(bench, recording))
    assert done.state is ImportState.STORED
    tracks = {track.track_id: track for track in map(Track.FromString, done.tracks)}
    assert set(tracks) == {"customer-video", "customer-audio", "agent-video", "agent-audio"}
    video = tracks["agent-video"]
    assert video.kind == TrackKind.TRACK_KIND_VIDEO
    assert (video.start_ms, video.end_ms, video.segment_count) == (500, 6500, 3)
    assert (video.width, video.height, video.sample_rate) == (160, 120, 0)
    assert [each.role for each in video.participants] == [ParticipantRole.PARTICIPANT_ROLE_AGENT]
    assert not video.derived
    assert tracks["agent-audio"].sample_rate == 48_000


async def test_the_original_is_kept_byte_for_byte(bench: Bench, recording: bytes):
    done = await run(bench, two_files(bench, recording))
    original = Track.FromString(done.tracks[0]).original
    assert bench.store.objects[original.key] == recording
    assert original.sha256 == hashlib.sha256(recording).hexdigest()


async def test_stored_tracks_play_on_the_sessions_timeline(bench: Bench, recording: bytes):
    await run(bench, two_files(bench, recording))
    for stored in bench.told(TrackStored):
        assert isinstance(stored, TrackStored)
        data = await fetch(bench.store, stored.track, stored.segments)
        with av.open(io.BytesIO(data)) as container:
            times = [frame.time * 1000 for frame in container.decode(container.streams[0])]
        assert times[0] == pytest.approx(stored.track.start_ms, abs=1)
        assert [segment.index for segment in stored.segments] == list(range(1, stored.track.segment_count + 1))


async def test_every_segment_is_told_once_it_is_stored(bench: Bench, recording: bytes):
    record = two_files(bench, recording, photo=bench.upload(photo()).upload_id)
    done = await run(bench, record)
    segments = bench.told(SegmentStored)
    assert len(segments) == sum(Track.FromString(track).segment_count for track in done.tracks)
    for told in segments:
        assert isinstance(told, SegmentStored)
        ref = told.segment.object
        assert hashlib.sha256(bench.store.objects[ref.key]).hexdigest() == ref.sha256
        assert hashlib.sha256(bench.store.objects[told.track.init.key]).hexdigest() == told.track.init.sha256
        assert told.inspection.face_frames_per_kilosecond == 2000
        assert (told.track.end_ms, told.track.segment_count) == (0, 0)
        assert told.id_photo.sealed


async def test_the_recording_is_completed_last_with_everything_in_it(bench: Bench, recording: bytes):
    nodes = [Node("consent", 0, 3000, 1)]
    done = await run(bench, two_files(bench, recording, nodes=nodes))
    (completed,) = bench.told(RecordingCompleted)
    assert isinstance(completed, RecordingCompleted)
    assert [track.SerializeToString(deterministic=True) for track in completed.tracks] == list(done.tracks)
    assert completed.duration_ms == max(track.end_ms for track in completed.tracks)
    assert [(node.node_id, node.start_ms, node.end_ms, node.take) for node in completed.timeline] == [
        ("consent", 0, 3000, 1)
    ]
    assert not completed.has_id_photo
    assert len(bench.told(TrackStored)) == 4


async def test_a_shared_file_names_everybody(bench: Bench, recording: bytes):
    done = await run(bench, bench.accepted(SourceFile(bench.upload(recording).upload_id, PEOPLE)))
    tracks = [Track.FromString(track) for track in done.tracks]
    assert [track.track_id for track in tracks] == ["shared-video", "shared-audio"]
    assert [each.participant_id for each in tracks[0].participants] == ["customer", "agent"]


async def test_sound_alone_is_a_recording(bench: Bench, media: Media):
    sound = media("alone.wav", Recipe("", "pcm_s16le", rate=16_000)).read_bytes()
    done = await run(bench, bench.accepted(SourceFile(bench.upload(sound).upload_id, (CUSTOMER,))))
    (track,) = map(Track.FromString, done.tracks)
    assert (track.track_id, track.derived, track.codec) == ("customer-audio", True, "mp4a.40.2")


async def test_the_photo_is_sealed(bench: Bench, recording: bytes):
    data = photo()
    done = await run(bench, two_files(bench, recording, photo=bench.upload(data).upload_id))
    assert await bench.sealed.read(TENANT, done.session_id, "id-photo") == data
    assert all(data not in stored for stored in bench.store.objects.values())


async def test_gaps_are_told(bench: Bench, media: Media):
    late = media("late.mp4", Recipe("libx264", "aac", options=KEY_EVERY_SECOND, video_from=25)).read_bytes()
    await run(bench, bench.accepted(SourceFile(bench.upload(late).upload_id, (CUSTOMER,), offset_ms=1000)))
    (completed,) = bench.told(RecordingCompleted)
    assert isinstance(completed, RecordingCompleted)
    assert [(gap.track_id, gap.start_ms, gap.end_ms) for gap in completed.gaps] == [
        ("customer-video", 1000, 2000),
        ("customer-audio", 5000, 6000),
    ]


async def test_uploads_go_when_everything_is_stored(bench: Bench, recording: bytes):
    done = await run(bench, two_files(bench, recording))
    for upload_id in done.plan.upload_ids:
        with pytest.raises(UploadGone):
            bench.spool.find(TENANT, upload_id)
    assert done.stored_bytes > 2 * len(recording)


async def test_a_repeat_after_the_end_changes_nothing(bench: Bench, recording: bytes):
    record = two_files(bench, recording)
    done = await run(bench, record)
    objects, events = dict(bench.store.objects), len(bench.published)
    assert await run(bench, record) == done
    assert (bench.store.objects, len(bench.published)) == (objects, events)


@pytest.mark.parametrize("dies_at", [0, 1, 5, 9, 13])
async def test_work_that_died_anywhere_is_done_again_to_the_same_end(bench: Bench, recording: bytes, dies_at: int):
    record = two_files(bench, recording)
    calls = 0
    put = bench.store.put

    async def put_or_die(key: str, data: bytes, content_type: str = "") -> object:
        nonlocal calls
        calls += 1
        if calls > dies_at:
            raise StoreUnavailable("died")
        return await put(key, data, content_type)

    bench.store.put = put_or_die  # type: ignore[assignment,method-assign]
    with pytest.raises(StoreUnavailable):
        await run(bench, record)
    before, told = dict(bench.store.objects), {event.event_id: event.payload for event in bench.published}
    bench.store.put = put  # type: ignore[method-assign]
    assert (await run(bench, record)).state is ImportState.STORED
    assert all(bench.store.objects[key] == data for key, data in before.items())
    again = {event.event_id: event.payload for event in bench.published}
    assert all(again[event_id] == payload for event_id, payload in told.items())


async def test_a_cancelled_import_stops_and_can_be_done_again(bench: Bench, recording: bytes):
    record = two_files(bench, recording)
    put = bench.store.put

    async def hang(*_: object) -> None:
        await asyncio.sleep(60)

    bench.store.put = hang  # type: ignore[assignment,method-assign]
    task = asyncio.create_task(run(bench, record))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.store.put = put  # type: ignore[method-assign]
    assert (await run(bench, record)).state is ImportState.STORED


async def test_a_damaged_file_fails_the_import_and_leaves_nothing(bench: Bench, recording: bytes):
    good, bad = bench.upload(recording), bench.upload(recording[: len(recording) // 2])
    record = bench.accepted(
        SourceFile(good.upload_id, (CUSTOMER,)),
        SourceFile(bad.upload_id, (AGENT,)),
        photo=bench.upload(photo()).upload_id,
    )
    done = await run(bench, record)
    assert (done.state, done.failure_reason) == (ImportState.FAILED, "MOOV_MISSING")
    assert done.failure_help
    assert bench.store.objects == {}
    assert bench.published == []
    assert bench.told(ImportFailed) == [ImportFailed(import_id=record.import_id, reason="MOOV_MISSING")]


async def test_uploads_of_a_failed_import_stay_until_they_expire(bench: Bench):
    upload = bench.upload(b"text")
    await run(bench, bench.accepted(SourceFile(upload.upload_id, (CUSTOMER,))))
    kept = bench.spool.find(TENANT, upload.upload_id)
    assert (kept.held_by, kept.expires_at_us) == ("", bench.clock.now + EXPIRY_S * 1_000_000)


async def test_a_timeline_behind_the_recording_is_refused_before_anything_is_told(bench: Bench, recording: bytes):
    record = two_files(bench, recording, nodes=[Node("late", 0, 60_000, 1)])
    done = await run(bench, record)
    assert (done.state, done.failure_reason) == (ImportState.FAILED, "TIMELINE_INVALID")
    assert bench.store.objects == {}
    assert bench.told(SegmentStored) == []


async def test_pictures_that_nobody_can_decode_are_refused_before_anything_is_told(bench: Bench, media: Media):
    data = bytearray(media("noise.avi", Recipe("mpeg4", "")).read_bytes())
    at = data.find(b"00dc")
    while at >= 0:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at + 8 : at + 11] == b"\0\0\1":  # a picture, not an entry of the index
            data[at + 8 : at + 8 + size] = b"\xaa" * size
        at = data.find(b"00dc", at + 4)
    done = await run(bench, bench.accepted(SourceFile(bench.upload(bytes(data)).upload_id, (CUSTOMER,))))
    assert (done.state, done.failure_reason) == (ImportState.FAILED, "FILE_DAMAGED")
    assert (bench.store.objects, bench.published) == ({}, [])


async def test_what_a_died_worker_stored_goes_when_the_import_fails(bench: Bench, recording: bytes):
    record = two_files(bench, recording)
    for part in ("tracks/customer-video/init.mp4", f"originals/{record.plan.files[0].upload_id}", "sealed/id-photo"):
        await bench.store.put(f"{TENANT}/session-1/{part}", b"left over")
    for upload_id in record.plan.upload_ids:
        bench.spool.delete(bench.spool.find(TENANT, upload_id), by=record.import_id)
    assert (await run(bench, record)).state is ImportState.FAILED
    assert bench.store.objects == {}


async def test_another_sessions_objects_are_never_touched(bench: Bench):
    await bench.store.put(f"{TENANT}/session-2/tracks/x/init.mp4", b"other")
    await bench.store.put("bank-b/session-1/originals/x", b"other")
    await run(bench, bench.accepted(SourceFile(bench.upload(b"text").upload_id, (CUSTOMER,))))
    assert len(bench.store.objects) == 2


async def test_an_upload_that_has_gone_fails_the_import(bench: Bench, recording: bytes):
    upload = bench.upload(recording)
    record = bench.accepted(SourceFile(upload.upload_id, (CUSTOMER,)))
    bench.spool.delete(upload, by=record.import_id)
    assert (await run(bench, record)).failure_reason == "UPLOAD_NOT_FOUND"


async def test_a_session_may_be_filled_after_a_failed_import_and_is_told_anew(bench: Bench, recording: bytes):
    failed = two_files(bench, recording)
    await run(bench, failed)
    first = {event.event_id for event in bench.published}
    bench.published.clear()
    await run(bench, two_files(bench, recording))
    assert first.isdisjoint(event.event_id for event in bench.published)


async def test_a_worker_that_lost_its_import_changes_nothing(bench: Bench, recording: bytes):
    record = two_files(bench, recording)
    taken = replace(record, lease="another worker's")
    bench.records.records[(TENANT, record.import_id)] = taken
    await bench.importer.run(record)
    await bench.importer.cancel(record)
    await bench.importer.give_up(record)
    assert bench.state_of(record) == taken
    assert bench.records.outbox == []
    assert len(bench.store.objects) > 0
    for upload_id in record.plan.upload_ids:
        assert bench.spool.find(TENANT, upload_id).held_by == record.import_id


async def test_a_cancelled_import_leaves_nothing_and_frees_its_session(bench: Bench, recording: bytes):
    record = two_files(bench, recording)
    await bench.store.put(f"{TENANT}/session-1/tracks/customer-video/init.mp4", b"half")
    await bench.importer.cancel(record)
    assert bench.state_of(record).state is ImportState.CANCELLED
    assert bench.store.objects == {}
    assert bench.told(ImportFailed) == [ImportFailed(import_id=record.import_id, reason="IMPORT_CANCELLED")]
    assert not bench.spool.find(TENANT, record.plan.files[0].upload_id).held_by


async def test_a_retried_import_is_told_anew(bench: Bench, recording: bytes):
    record = two_files(bench, recording)
    await run(bench, record)
    first = {event.event_id for event in bench.published}
    again = replace(record, tries=2)
    bench.records.records[(TENANT, record.import_id)] = again
    for upload_id in record.plan.upload_ids:
        assert upload_id not in [path.stem for path in bench.folder.glob("*/*.json")]
    assert again.run_id != record.run_id
    assert len(first) == len(bench.published)


async def test_a_bus_that_is_away_is_tried_again(bench: Bench, recording: bytes):
    from shuanglu_common.bus.bus import BusUnavailable

    async def away(_: NewEvent) -> None:
        raise BusUnavailable

    bench.importer._publish = away
    with pytest.raises(BusUnavailable):
        await run(bench, two_files(bench, recording))
