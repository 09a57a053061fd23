import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from live_rig import PEOPLE, SESSION, TENANT, Rig
from live_sender import arrived, fake_sound, mjr, sent

from shuanglu.common.v1.types_pb2 import Participant
from shuanglu.media.v1.recorder_service_pb2 import OpenRecordingRequest
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.errors import MediaNodeDraining
from shuanglu_media_ingest.live import draining, metrics
from shuanglu_media_ingest.live.draining import ASKED, DRAINED, DRAINING, Draining, drain_command
from shuanglu_media_ingest.live.proof import Proof

SOUND = mjr(arrived(sent(fake_sound(4), Medium.AUDIO)), Medium.AUDIO)


@asynccontextmanager
async def watched(rig: Rig) -> AsyncIterator[None]:
    """The recorder looks for what is asked."""
    stopping = asyncio.Event()
    task = asyncio.create_task(Draining(rig.recorder).run(stopping))
    yield
    stopping.set()
    await task


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(draining, "EVERY_S", 0.02)
    monkeypatch.setenv("SHUANGLU_LIVE_SPOOL_DIR", str(tmp_path))


async def drain(*arguments: str) -> int:
    return await asyncio.to_thread(drain_command, list(arguments))


async def test_a_draining_node_keeps_its_sessions_and_takes_no_new_one(tmp_path: Path):
    async with Rig(tmp_path) as rig, watched(rig):
        await rig.open()
        assert await drain("--no-wait") == 0
        with pytest.raises(MediaNodeDraining):
            await rig.recorder.open(TENANT, OpenRecordingRequest(session_id="live-2", participants=PEOPLE))
        await rig.open(*PEOPLE, Participant(participant_id="witness"))
        assert len(rig.recording.request.participants) == 3
        message = Proof(rig.recorder, 8, "zone-a").pulse().message([])
        assert (message.draining, message.zone, message.open_recordings) == (True, "zone-a", 1)


async def test_the_drain_ends_when_the_last_session_is_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    async with Rig(tmp_path) as rig, watched(rig):
        await rig.open()
        rig.write("customer~1-audio-0.mjr", SOUND)
        waiting = asyncio.create_task(drain())
        await rig.until(lambda: rig.recorder.draining and (tmp_path / DRAINING).exists())
        assert not (tmp_path / DRAINED).exists()
        rig.store.is_away = True
        await rig.close()
        await rig.until(lambda: '"open": 0, "storing": 1' in (tmp_path / DRAINING).read_text())
        assert not waiting.done()
        assert not (tmp_path / DRAINED).exists()
        rig.store.is_away = False
        assert await waiting == 0
        await rig.until_complete()
        assert (tmp_path / DRAINED).exists()
    assert "waits for 1 open and 0 being stored" in capsys.readouterr().out


async def test_when_time_is_up_the_sessions_are_left_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    async with Rig(tmp_path) as rig, watched(rig):
        await rig.open()
        assert await drain("--no-wait") == 0
        assert await drain("--seconds", "0") == draining.EXIT_TIME_UP
        assert "left: 1 open and 0 being stored" in capsys.readouterr().out
        assert not (tmp_path / DRAINED).exists()
        rig.write("customer~1-audio-0.mjr", SOUND)
        await rig.restart()
        Draining(rig.recorder)
        assert not rig.recorder.draining
        assert not (tmp_path / ASKED).exists()
        await rig.close()
        await rig.until_complete()
        assert rig.recording.record.track("customer-audio").stored_duration_ms == pytest.approx(4000, abs=20)


async def test_a_drain_can_be_taken_back(tmp_path: Path):
    async with Rig(tmp_path) as rig, watched(rig):
        await rig.open()
        waiting = asyncio.create_task(drain())
        await rig.until(lambda: rig.recorder.draining)
        assert await drain("--cancel") == 0
        assert await waiting == draining.EXIT_CANCELLED
        await rig.until(lambda: not rig.recorder.draining)
        await rig.recorder.open(TENANT, OpenRecordingRequest(session_id="live-2", participants=PEOPLE))
        assert {name for _, name in rig.recorder.recordings} == {SESSION, "live-2"}


async def test_the_metric_tells_of_a_drain(tmp_path: Path):
    async with Rig(tmp_path) as rig, watched(rig):
        stopping = asyncio.Event()
        measuring = asyncio.create_task(Proof(rig.recorder, 8).measure(stopping))
        assert await drain() == 0
        await rig.until(lambda: metrics.DRAINING._value.get() == 1)
        stopping.set()
        await measuring


async def test_without_a_recorder_the_drain_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(draining, "SILENT_S", 0.2)
    assert await drain() == draining.EXIT_NO_RECORDER
    monkeypatch.setenv("SHUANGLU_LIVE_SPOOL_DIR", str(tmp_path / "nowhere"))
    assert await drain() == draining.EXIT_NOT_ASKED
    assert "no recorder runs here" in capsys.readouterr().out


def test_the_command_tells_what_its_exit_codes_mean():
    argv = (sys.executable, "-m", "shuanglu_media_ingest.live", "drain", "--help")
    told = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "SHUANGLU_LIVE_DRAIN_S" in told
    assert "exit codes" in told
