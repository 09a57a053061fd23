import asyncio
import random
from pathlib import Path

import pytest
from live_rig import PEOPLE, SESSION, TENANT, Bus, Rig, Store
from live_sender import ORIGIN_US, arrived, fake_pictures, fake_sound, mjr, sent

from shuanglu.media.v1.media_events_pb2 import RecordingCompleted, SegmentStored, TrackStored
from shuanglu.media.v1.recorder_service_pb2 import Mark, NodeMark
from shuanglu.media.v1.track_pb2 import GapCause
from shuanglu_common.cmaf import track_prefix
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.errors import RecorderFull, RecordingClosed, RecordingNotFound, SpoolFull
from shuanglu_media_ingest.live.photo import IdPhotos
from shuanglu_media_ingest.live.proof import Proof, recording_message
from shuanglu_media_ingest.live.session import Phase
from shuanglu_media_ingest.live.tail import Pace

SECOND_US = 1_000_000
CUSTOMER_SOUND, CUSTOMER_PICTURE = "customer~1-audio-0.mjr", "customer~1-video-1.mjr"


def picture_file(seconds: float, first_at_us: int = ORIGIN_US, size_bytes: int = 300) -> bytes:
    return mjr(arrived(sent(fake_pictures(seconds, size_bytes=size_bytes), Medium.VIDEO)), Medium.VIDEO, first_at_us)


def sound_file(seconds: float, first_at_us: int = ORIGIN_US) -> bytes:
    return mjr(arrived(sent(fake_sound(seconds), Medium.AUDIO)), Medium.AUDIO, first_at_us)


def call(seconds: float = 20) -> dict[str, bytes]:
    """What the media server writes of two people."""
    return {
        CUSTOMER_SOUND: sound_file(seconds, ORIGIN_US + 30_000),
        CUSTOMER_PICTURE: picture_file(seconds),
        "agent~2-audio-0.mjr": sound_file(seconds - 4, ORIGIN_US + 4 * SECOND_US),
        "agent~2-video-1.mjr": picture_file(seconds - 4, ORIGIN_US + 4 * SECOND_US),
    }


async def recorded_whole(folder: Path, files: dict[str, bytes]) -> Rig:
    """The same bytes, all there at once, without a fault: what every other way must come to."""
    async with Rig(folder) as rig:
        await rig.open()
        rig.write_all(files)
        await rig.close(rig.recorder.means.clock.now_us() + 60 * SECOND_US)
        await rig.until_complete()
    return rig


def segments(store: Store) -> dict[str, bytes]:
    return {key: data for key, data in store.objects.items() if key.endswith((".m4s", ".mp4"))}


async def test_a_call_becomes_tracks_and_is_told_in_order(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open()
        rig.write_all(call())
        await rig.until(lambda: rig.recording.record.origin_us is not None)
        origin_us = rig.recording.record.origin_us or 0
        node = NodeMark(
            node_id="consent", take=1, start_at_us=origin_us + SECOND_US, end_at_us=origin_us + 3 * SECOND_US
        )
        await rig.close(origin_us + 20 * SECOND_US, nodes=[node])
        await rig.until_complete()
        (whole,) = (event.payload for event in rig.bus.told(RecordingCompleted))
        tracks = {track.track_id: track for track in whole.tracks}
        assert list(tracks) == ["agent-audio", "agent-video", "customer-audio", "customer-video"]
        assert [tracks[name].start_ms for name in tracks] == pytest.approx([4000, 4000, 30, 0], abs=1)
        assert tracks["agent-audio"].participants[0] == PEOPLE[1]
        assert tracks["customer-video"].codec.startswith("avc3.")
        assert whole.duration_ms == 20_030  # the last sound outlasts the call by as much as it came late
        assert [(each.node_id, each.start_ms, each.end_ms) for each in whole.timeline] == [("consent", 1000, 3000)]
        away = [gap for gap in whole.gaps if gap.track_id == "agent-video"]
        assert [gap.cause for gap in away] == [GapCause.GAP_CAUSE_AWAY]
        assert (away[0].start_ms, away[0].end_ms) == (0, tracks["agent-video"].start_ms)
        for name, track in tracks.items():
            told = [
                event.payload.segment for event in rig.bus.told(SegmentStored) if event.payload.track.track_id == name
            ]
            assert [segment.index for segment in told] == list(range(1, track.segment_count + 1))
        last = list(rig.bus.events.values())[-5:]
        assert [type(event.payload) for event in last] == [TrackStored] * 4 + [RecordingCompleted]


async def test_the_index_of_a_track_names_every_segment_of_it(tmp_path: Path):
    rig = await recorded_whole(tmp_path, call())
    index = TrackStored.FromString(rig.store.objects[track_prefix(TENANT, SESSION, "customer-video") + "track.binpb"])
    assert index == next(e.payload for e in rig.bus.told(TrackStored) if e.payload.track.track_id == "customer-video")
    assert all(rig.store.objects[each.object.key] for each in index.segments)
    assert index.track.segment_count == len(index.segments) == 10


async def test_files_that_grow_by_odd_bytes_give_the_same_objects(tmp_path: Path):
    files = call(8)
    expected = await recorded_whole(tmp_path / "whole", files)
    async with Rig(tmp_path / "growing") as rig:
        await rig.open()
        chance = random.Random(4)
        # All begin at once, as those of a call do: the timeline begins at the earliest.
        rest = {name: data[4096:] for name, data in files.items()}
        rig.write_all({name: data[:4096] for name, data in files.items()})
        while any(rest.values()):
            for name in rest:
                size = chance.randrange(1, 9000)
                rig.write(name, rest[name][:size])
                rest[name] = rest[name][size:]
            await asyncio.sleep(0.002)
        await rig.close()
        await rig.until_complete()
    assert segments(rig.store) == segments(expected.store)


@pytest.mark.parametrize("seed", range(3))
async def test_a_recorder_that_dies_again_and_again_leaves_no_hole_and_no_duplicate(tmp_path: Path, seed: int):
    files = call(30)
    expected = await recorded_whole(tmp_path / "whole", files)
    chance = random.Random(seed)
    rig = Rig(tmp_path / "dying")
    await rig.start()
    await rig.open()
    rest = dict(files)
    rig.write_all({name: data[:4096] for name, data in rest.items()})
    rest = {name: data[4096:] for name, data in rest.items()}
    while any(rest.values()):
        for name in rest:
            size = chance.randrange(1, 60_000)
            rig.write(name, rest[name][:size])
            rest[name] = rest[name][size:]
        await asyncio.sleep(chance.random() * 0.1)
        await rig.restart()
    await rig.close()
    for _ in range(6):
        await asyncio.sleep(chance.random() * 0.1)
        await rig.restart()
    await rig.until_complete()
    await rig.stop()
    assert segments(rig.store) == segments(expected.store)
    assert rig.store.changed == []
    told = [(e.payload.segment.track_id, e.payload.segment.index) for e in rig.bus.told(SegmentStored)]
    assert sorted(told) == sorted(set(told)) == sorted(_indices(expected))
    assert len(rig.bus.told(TrackStored)) == 4
    assert len(rig.bus.told(RecordingCompleted)) == 1


def _indices(rig: Rig) -> list[tuple[str, int]]:
    return [(e.payload.segment.track_id, e.payload.segment.index) for e in rig.bus.told(SegmentStored)]


async def test_a_checkpoint_that_is_damaged_costs_nothing_but_time(tmp_path: Path):
    files = call(30)
    expected = await recorded_whole(tmp_path / "whole", files)
    async with Rig(tmp_path / "damaged") as rig:
        await rig.open()
        rig.write_all(files)
        await rig.until(lambda: len(list(rig.recording.folder.path.glob("*.checkpoint"))) == 4)
        await rig.stop()
        kept = sorted(rig.recording.folder.path.glob("*.checkpoint"))
        kept[0].write_bytes(kept[0].read_bytes()[:100])
        kept[1].write_bytes(b"SLCP1\n" + bytes(200))
        kept[2].unlink()
        await rig.start()
        await rig.close()
        await rig.until_complete()
    assert segments(rig.store) == segments(expected.store)
    assert rig.store.changed == []


async def test_while_the_store_is_away_memory_stays_bounded_and_nothing_is_lost(tmp_path: Path):
    files = call(60)
    expected = await recorded_whole(tmp_path / "whole", files)
    store = Store()
    store.is_away = True
    async with Rig(tmp_path / "away", store) as rig:
        await rig.open()
        rig.write_all(files)
        tails = rig.recording.tails
        await rig.until(lambda: len(tails) == 4 and not any(tail.has_room for tail in tails.values()))
        held = {name: len(tail.in_hand) for name, tail in tails.items()}
        await asyncio.sleep(0.2)
        assert held == {name: len(tail.in_hand) for name, tail in tails.items()}
        assert held["customer-video"] < 60 / 2 / 2
        pulse = Proof(rig.recorder, alarm_unconfirmed_s=0.05).pulse()
        assert pulse.alarm
        assert pulse.unconfirmed_bytes == sum(map(len, files.values()))
        growth = recording_message(rig.recording).tracks
        assert all(track.seen_ms > 0 and track.stored_ms == 0 for track in growth)
        store.is_away = False
        await rig.close()
        await rig.until_complete()
        assert Proof(rig.recorder, alarm_unconfirmed_s=0.05).pulse().alarm is False
        assert rig.budget.used_bytes == 0
    assert segments(store) == segments(expected.store)


async def test_segments_of_all_sessions_together_fit_into_the_budget(tmp_path: Path):
    store = Store()
    store.is_away = True
    rig = Rig(tmp_path, store)
    rig.budget.limit_bytes = 100_000
    async with rig:
        await rig.open()
        rig.write(CUSTOMER_PICTURE, picture_file(60, size_bytes=3000))
        await rig.until(lambda: rig.budget.is_spent)
        await asyncio.sleep(0.2)
        assert rig.budget.used_bytes < 100_000 + 2 * 30 * 3100


async def test_while_the_bus_is_away_segments_are_stored_and_told_later(tmp_path: Path):
    bus = Bus()
    bus.is_away = True
    async with Rig(tmp_path, bus=bus) as rig:
        await rig.open()
        rig.write_all(call(12))
        await rig.until(lambda: len(rig.recording.record.untold) >= 16)
        assert bus.keys == []
        await rig.close()
        await asyncio.sleep(0.3)
        assert rig.recording.phase is Phase.CLOSING
        bus.is_away = False
        await rig.until_complete()
    assert len(bus.keys) == len(set(bus.keys)) == len(_indices(rig)) + 4 + 1


async def test_a_participant_who_comes_back_goes_on_in_the_same_track_behind_a_gap(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open()
        rig.write(CUSTOMER_PICTURE, picture_file(6))
        await rig.until(lambda: rig.recording.record.track("customer-video").stored >= 2)
        rig.write("customer~7-video-1.mjr", picture_file(6, ORIGIN_US + 16 * SECOND_US))
        await rig.until(lambda: rig.recording.record.track("customer-video").stored >= 5)
        assert recording_message(rig.recording).tracks[0].connection == 7
        origin_us = rig.recording.record.origin_us or 0
        mark = Mark(
            participant_id="customer",
            cause=GapCause.GAP_CAUSE_RECORDER,
            start_at_us=origin_us + 6 * SECOND_US,
            end_at_us=origin_us + 16 * SECOND_US,
        )
        await rig.close(marks=[mark])
        await rig.until_complete()
        (track,) = (event.payload for event in rig.bus.told(TrackStored))
        (gap,) = track.gaps
        assert gap.cause == GapCause.GAP_CAUSE_RECORDER
        # Arrivals are written in whole milliseconds, rounded down.
        assert (gap.start_ms, gap.end_ms) == pytest.approx((6000, 16_000), abs=1)
        assert track.track.end_ms == pytest.approx(22_000, abs=1)


@pytest.mark.parametrize("step_us", [3600 * SECOND_US, -7 * 24 * 3600 * SECOND_US])
async def test_a_wall_clock_that_is_set_during_the_call_shifts_nothing(tmp_path: Path, step_us: int):
    async with Rig(tmp_path) as rig:
        await rig.open()
        rig.write(CUSTOMER_PICTURE, picture_file(6))
        await rig.until(lambda: rig.recording.record.track("customer-video").stored >= 2)
        # The recorder's clock is behind the wall clock by the step, as after setting the wall clock forward.
        rig.recorder.means.clock.offset_us -= step_us
        rig.write("customer~2-video-1.mjr", picture_file(6, ORIGIN_US + 16 * SECOND_US + step_us))
        await rig.until(lambda: rig.recording.record.track("customer-video").stored >= 5)
        await rig.close()
        await rig.until_complete()
        (track,) = (event.payload for event in rig.bus.told(TrackStored))
        assert (track.gaps[0].start_ms, track.gaps[0].end_ms) == pytest.approx((6000, 16_000), abs=1)


async def test_a_media_server_that_never_stops_writing_holds_no_recording_up(tmp_path: Path):
    rig = Rig(tmp_path)
    rig.pace = Pace(quiet_s=60, settle_s=0.05, seal_s=0.3)
    async with rig:
        await rig.open()
        rig.write(CUSTOMER_SOUND, sound_file(6))
        await rig.close()
        await rig.until_complete()
        (whole,) = (event.payload for event in rig.bus.told(RecordingCompleted))
        assert whole.duration_ms == pytest.approx(6000, abs=1)


async def test_what_is_written_to_a_file_after_its_end_was_noted_changes_nothing(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open()
        whole = picture_file(12)
        rig.write(CUSTOMER_PICTURE, whole[:40_000])
        rig.write("customer~2-video-1.mjr", picture_file(6, ORIGIN_US + 20 * SECOND_US))
        await rig.until(lambda: CUSTOMER_PICTURE in rig.recording.record.track("customer-video").ends)
        rig.write(CUSTOMER_PICTURE, whole[40_000:])
        await rig.until(lambda: rig.recording.record.track("customer-video").stored >= 4)
        before = dict(rig.store.objects)
        (rig.recording.folder.path / "customer-video.checkpoint").unlink(missing_ok=True)
        await rig.restart()
        await rig.close()
        await rig.until_complete()
        assert rig.store.changed == []
        assert before.items() <= rig.store.objects.items()


async def test_a_file_that_is_no_recording_harms_nobody(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open()
        rig.write("agent~1-audio-0.mjr", b"MJR00001 something else entirely" * 300)
        rig.write("agent~1-video-1.mjr", random.Random(1).randbytes(9000))
        rig.write(CUSTOMER_SOUND, sound_file(6))
        rig.write("notes.txt", b"not ours")
        await rig.close()
        await rig.until_complete()
        (whole,) = (event.payload for event in rig.bus.told(RecordingCompleted))
        assert [track.track_id for track in whole.tracks] == ["customer-audio"]


async def test_a_recording_without_a_byte_is_empty_and_nothing_is_told(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open()
        rig.write(CUSTOMER_SOUND, b"")
        await rig.close()
        await rig.until_complete()
        assert rig.recording.phase is Phase.EMPTY
        await rig.restart()
        assert rig.recording.phase is Phase.EMPTY
        assert rig.bus.keys == []


async def test_the_spool_goes_only_after_all_is_told_and_its_time_is_over(tmp_path: Path):
    bus = Bus()
    bus.is_away = True
    async with Rig(tmp_path, bus=bus, keep_s=0) as rig:
        await rig.open()
        folder = rig.recording.folder.path
        stopping = asyncio.Event()
        tidying = asyncio.create_task(rig.recorder.tidy(stopping))
        rig.write_all(call(6))
        await rig.close()
        await rig.until(lambda: len(rig.recording.record.untold) >= 8)
        await asyncio.sleep(1.2)
        assert (folder / CUSTOMER_SOUND).exists()
        bus.is_away = False
        await rig.until(lambda: not rig.recorder.recordings)
        assert not folder.exists()
        stopping.set()
        await tidying
        with pytest.raises(RecordingNotFound):
            rig.recorder.get(TENANT, SESSION)


async def test_opening_again_adds_people_and_closing_again_changes_nothing(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open(PEOPLE[0])
        await rig.open(PEOPLE[0])
        await rig.open(PEOPLE[1])
        await rig.restart()
        assert sorted(rig.recording.people) == ["agent", "customer"]
        await rig.close(5)
        await rig.close(6)
        await rig.restart()
        assert rig.recording.close is not None
        assert rig.recording.close.ended_at_us == 5
        await rig.open(PEOPLE[0])
        stranger = type(PEOPLE[0])(participant_id="witness", role=PEOPLE[0].role)
        with pytest.raises(RecordingClosed):
            await rig.open(stranger)


async def test_no_session_is_opened_on_a_disk_without_room(tmp_path: Path):
    async with Rig(tmp_path, min_free_bytes=1 << 62) as rig:
        with pytest.raises(SpoolFull):
            await rig.open()
        assert Proof(rig.recorder, 8).pulse().alarm is False
    async with Rig(tmp_path, alarm_free_bytes=1 << 62) as rig:
        await rig.open()
        assert Proof(rig.recorder, 8).pulse().alarm


async def test_a_recorder_takes_only_so_many_sessions(tmp_path: Path):
    async with Rig(tmp_path, max_recordings=0) as rig:
        with pytest.raises(RecorderFull):
            await rig.open()


async def test_one_spool_has_one_recorder(tmp_path: Path):
    async with Rig(tmp_path) as rig, Rig(tmp_path) as other:
        assert rig.spool.take()
        assert not other.spool.take()


async def test_an_id_photo_that_is_sealed_during_the_call_travels_with_later_segments(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open()
        rig.store.objects[f"{TENANT}/{SESSION}/sealed/id-photo"] = b"sealed"
        rig.write(CUSTOMER_SOUND, sound_file(6))
        await rig.close()
        await rig.until_complete()
        (whole,) = (event.payload for event in rig.bus.told(RecordingCompleted))
        assert whole.has_id_photo
        photo = rig.bus.told(SegmentStored)[0].payload.id_photo
        assert (photo.size_bytes, photo.sealed) == (6, True)
        rig.store.objects[f"{TENANT}/{SESSION}/sealed/id-photo"] = b"another"
        newest = await IdPhotos(rig.store).find(TENANT, SESSION, photo)
        assert newest is not None
        assert newest.size_bytes == 7
