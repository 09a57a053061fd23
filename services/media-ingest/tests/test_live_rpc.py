import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_rig import PEOPLE, SESSION, TENANT, Rig
from live_sender import arrived, fake_sound, mjr, sent

from shuanglu.common.v1.types_pb2 import Participant
from shuanglu.media.v1.recorder_service_pb2 import (
    CloseRecordingRequest,
    GetRecordingRequest,
    OpenRecordingRequest,
    RecordingState,
    WatchRecordingsRequest,
)
from shuanglu_common.access import Role
from shuanglu_common.auth import CURRENT, Principal
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.errors import RecordingInvalid, RecordingNotFound
from shuanglu_media_ingest.live import metrics
from shuanglu_media_ingest.live.proof import Proof
from shuanglu_media_ingest.live.rpc import RecorderRpc

CONTEXT: Any = None
FILE = "customer~1-audio-0.mjr"


@pytest.fixture(autouse=True)
def caller() -> Iterator[None]:
    token = CURRENT.set(Principal(TENANT, "signaling", frozenset({Role.SERVICE})))
    yield
    CURRENT.reset(token)


def rpc_of(rig: Rig) -> RecorderRpc:
    return RecorderRpc(rig.recorder, Proof(rig.recorder, 8))


def sound_file(seconds: float) -> bytes:
    return mjr(arrived(sent(fake_sound(seconds), Medium.AUDIO)), Medium.AUDIO)


async def test_signaling_opens_watches_and_closes_a_recording(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        rpc = rpc_of(rig)
        opened = await rpc.OpenRecording(OpenRecordingRequest(session_id=SESSION, participants=PEOPLE), CONTEXT)
        assert opened.file_prefix == f"{TENANT}/{SESSION}/"
        watching = rpc.WatchRecordings(WatchRecordingsRequest(), CONTEXT)
        first = await anext(watching)
        assert [each.state for each in first.recordings] == [RecordingState.RECORDING_STATE_OPEN]
        assert first.open_recordings == 1
        assert first.now_us >= opened.now_us
        rig.write(FILE, sound_file(8))
        await rig.until(lambda: rig.recording.record.track("customer-audio").stored >= 3)
        grown = (await anext(watching)).recordings[0].tracks[0]
        assert grown.stored_segments >= 3
        assert 0 < grown.stored_ms <= grown.seen_ms + 20
        assert grown.grown_at_us > opened.now_us
        await rpc.CloseRecording(CloseRecordingRequest(session_id=SESSION), CONTEXT)
        await rig.until_complete()
        answer = await rpc.GetRecording(GetRecordingRequest(session_id=SESSION), CONTEXT)
        assert answer.recording.state == RecordingState.RECORDING_STATE_COMPLETE
        assert answer.recording.tracks[0].stored_duration_ms == pytest.approx(8000, abs=20)
        await rig.restart()
        again = await rpc_of(rig).GetRecording(GetRecordingRequest(session_id=SESSION), CONTEXT)
        assert again.recording.tracks[0].stored_segments == answer.recording.tracks[0].stored_segments


async def test_what_did_not_change_is_not_told_again(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        rpc = rpc_of(rig)
        await rig.open()
        watching = rpc.WatchRecordings(WatchRecordingsRequest(), CONTEXT)
        assert len((await anext(watching)).recordings) == 1
        assert len((await anext(watching)).recordings) == 0


async def test_who_watches_does_not_hold_up_the_recorders_end(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        watching = rpc_of(rig).WatchRecordings(WatchRecordingsRequest(), CONTEXT)
        await anext(watching)
        following = asyncio.ensure_future(anext(watching, None))
        await asyncio.sleep(0)
        await rig.stop()
        assert await following is None


async def test_another_tenants_recording_does_not_exist(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open()
        CURRENT.set(Principal("other", "signaling", frozenset({Role.SERVICE})))
        with pytest.raises(RecordingNotFound):
            await rpc_of(rig).GetRecording(GetRecordingRequest(session_id=SESSION), CONTEXT)
        with pytest.raises(RecordingNotFound):
            await rpc_of(rig).CloseRecording(CloseRecordingRequest(session_id=SESSION), CONTEXT)


@pytest.mark.parametrize(
    ("session_id", "people"),
    [
        ("../etc", ["customer"]),
        ("", ["customer"]),
        ("s", []),
        ("s", ["../customer"]),
        ("s", ["a~1-audio-0.mjr"]),
        ("s", ["customer", "customer"]),
        ("s", [f"witness-{number}" for number in range(17)]),
    ],
)
async def test_names_that_cannot_be_files_are_refused(tmp_path: Path, session_id: str, people: list[str]):
    async with Rig(tmp_path) as rig:
        request = OpenRecordingRequest(
            session_id=session_id, participants=[Participant(participant_id=each) for each in people]
        )
        with pytest.raises(RecordingInvalid):
            await rpc_of(rig).OpenRecording(request, CONTEXT)
        assert not rig.recorder.recordings
        assert [path.name for path in tmp_path.iterdir()] == ["clock.json"]


async def test_a_session_that_cannot_be_read_after_a_crash_stops_no_other(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        recording = await rig.open()
        await rig.stop()
        beside = recording.folder.path.parent
        (beside / "half").mkdir()
        (beside / "half" / FILE).write_bytes(sound_file(4))
        (beside / "torn").mkdir()
        (beside / "torn" / "recording.json").write_text('{"sessionId":')
        await rig.start()
        assert list(rig.recorder.recordings) == [(TENANT, SESSION)]
        assert (beside / "half" / FILE).exists()
        rig.write(FILE, sound_file(4))
        await rig.close()
        await rig.until_complete()


async def test_a_session_that_was_being_removed_is_removed_to_its_end(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        recording = await rig.open()
        rig.write(FILE, sound_file(4))
        await rig.close()
        await rig.until_complete()
        await rig.stop()
        (recording.folder.path / "recording.json").unlink()
        await rig.start()
        assert not recording.folder.path.exists()


async def test_the_metrics_tell_what_stands_still_and_what_waits(tmp_path: Path):
    async with Rig(tmp_path) as rig:
        await rig.open()
        rig.store.is_away = True
        rig.write(FILE, sound_file(8))
        await rig.until(lambda: any(tail.in_hand for tail in rig.recording.tails.values()))
        rig.recording.tails["customer-audio"].grown_at_us -= 5_000_000
        stopping = asyncio.Event()
        measuring = asyncio.create_task(Proof(rig.recorder, 0).measure(stopping))
        await rig.until(lambda: metrics.STALLED._value.get() == 1)
        assert metrics.OPEN_RECORDINGS._value.get() == 1
        assert metrics.ALARM._value.get() == 1
        assert metrics.OLDEST_SECONDS._value.get() > 0
        assert metrics.UNCONFIRMED_BYTES._value.get() == len(sound_file(8))
        stopping.set()
        await measuring
