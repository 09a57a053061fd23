"""Reading in child processes: the same segments as in this process, and what becomes of files that end their reader."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Media
from ingest_fakes import INSPECTION, PEOPLE
from ingest_media import KEY_EVERY_SECOND, Recipe, segmented
from PIL import Image
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shuanglu_common.cell.errors import CellKilled, CellMemory
from shuanglu_media_ingest.domain.imports import Plan, SourceFile
from shuanglu_media_ingest.domain.reading import ReadPiece
from shuanglu_media_ingest.errors import (
    IdPhotoInvalid,
    NotARecording,
    ReaderCrashed,
    ReaderOutOfMemory,
    ReaderTooSlow,
    ReaderUnavailable,
    RecordingRefused,
)
from shuanglu_media_ingest.reading import reader as reader_module
from shuanglu_media_ingest.reading.reader import MIB, Reader, ReaderLimits, refusal, typed_errors

BOTH = Recipe("libx264", "aac", seconds=30, options=KEY_EVERY_SECOND)
FOREIGN = Recipe("mpeg4", "", seconds=4)
LIMITS = ReaderLimits(stall_s=20)


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    made = Reader(LIMITS)
    yield made
    await made.close()


@pytest.fixture
def recording(media: Media) -> Path:
    return media("read.mp4", BOTH)


def plan(*offsets_ms: int) -> Plan:
    files = (SourceFile(f"{number:032x}", (PEOPLE[number],), offset) for number, offset in enumerate(offsets_ms))
    return Plan(tuple(files), "", (), INSPECTION)


def children() -> set[int]:
    """Living children of this process."""
    found = [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]
    return {pid for pid in found if "shuanglu_common.cell" in Path(f"/proc/{pid}/cmdline").read_text()}


def failures(reason: str) -> float:
    name = "shuanglu_media_ingest_reader_failures_total"
    return REGISTRY.get_sample_value(name, {"reason": reason}) or 0.0


async def test_a_child_cuts_the_same_segments_as_this_process(reader: Reader, recording: Path):
    expected = segmented(recording, 500)
    async with reader.reading(plan(500), [recording]) as reading:
        assert reading.examined.end_ms == pytest.approx(30_500, abs=50)
        assert 0 < reading.examined.segment_bytes < recording.stat().st_size
        pieces = [piece async for piece in reading.pieces(0)]
        tracks = reading.tracks[0]
    assert [track.track_id for track in tracks] == ["customer-video", "customer-audio"]
    for track, (medium, result) in zip(tracks, expected.items(), strict=True):
        own = [piece for piece in pieces if piece.track is track]
        assert track.medium == medium
        assert [(each.index, each.data, each.start_ms, each.end_ms) for each in own] == [
            (each.index, each.data, each.start_ms, each.end_ms) for each in result.pieces
        ]
        assert track.init == result.track.init
        assert (track.codec, track.start_ms, track.end_ms) == (
            result.track.codec,
            result.track.start_ms,
            result.track.end_ms,
        )
        assert track.segment_count == len(own)


async def test_all_files_of_an_import_are_read_in_one_child_and_names_do_not_collide(reader: Reader, recording: Path):
    async with reader.reading(plan(0, 1000), [recording, recording]) as reading:
        names = {piece.track.track_id for index in (0, 1) async for piece in reading.pieces(index)}
        assert reading.examined.end_ms == pytest.approx(31_000, abs=50)
    assert names == {"customer-video", "customer-audio", "agent-video", "agent-audio"}


async def test_probing_tells_how_long_a_recording_is_and_what_is_none(reader: Reader, recording: Path, tmp_path: Path):
    assert (await reader.probe(recording)).duration_ms == pytest.approx(30_000, abs=50)
    (tmp_path / "text").write_bytes(b"no recording " * 100)
    with pytest.raises(NotARecording):
        await reader.probe(tmp_path / "text")


async def test_photos_are_decoded_in_a_child_too(reader: Reader, tmp_path: Path):
    Image.new("RGB", (200, 300)).save(tmp_path / "photo.jpg")
    await reader.require_photo(tmp_path / "photo.jpg")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(1000))
    with pytest.raises(IdPhotoInvalid):
        await reader.require_photo(tmp_path / "photo.jpg")


async def test_a_child_that_dies_once_is_replaced_and_not_a_segment_is_lost_or_told_twice(
    reader: Reader, recording: Path
):
    async with reader.reading(plan(0), [recording]) as reading:
        whole = [piece async for piece in reading.pieces(0)]
    async with reader.reading(plan(0), [recording]) as reading:
        pieces: list[ReadPiece] = []
        async for piece in reading.pieces(0):
            pieces.append(piece)
            if len(pieces) == 3:
                assert reading.pid is not None
                os.kill(reading.pid, signal.SIGSEGV)
        tracks = reading.tracks[0]
    assert [(each.track.track_id, each.index, each.data) for each in pieces] == [
        (each.track.track_id, each.index, each.data) for each in whole
    ]
    assert [track.segment_count for track in tracks] == [15, 16]


@pytest.mark.parametrize(
    ("number", "refused"),
    [(signal.SIGSEGV, ReaderCrashed), (signal.SIGABRT, ReaderCrashed), (signal.SIGSTOP, ReaderTooSlow)],
)
async def test_a_file_that_ends_its_reader_twice_is_refused_with_words(
    recording: Path, number: signal.Signals, refused: type[RecordingRefused]
):
    reader = Reader(replace(LIMITS, stall_s=1.0))
    before, ended = failures(refused.reason), 0
    with pytest.raises(refused) as told:  # noqa: PT012 - the kills happen inside
        async with reader.reading(plan(0), [recording]) as reading:
            async for _ in reading.pieces(0):
                if reading.pid is not None:
                    ended += 1
                    os.kill(reading.pid, number)
                    await asyncio.sleep(0.05)
    assert ended >= 2
    assert "MP4 with H.264 and AAC" in told.value.diagnostics()
    assert failures(refused.reason) == before + 1
    await reader.close()
    assert not children()


async def test_an_operators_kill_is_not_the_files_fault(reader: Reader, recording: Path):
    killed = 0
    async with reader.reading(plan(0), [recording]) as reading:
        async for _ in reading.pieces(0):
            if killed < 4 and reading.pid is not None:
                killed += 1
                os.kill(reading.pid, signal.SIGKILL)
        assert [track.segment_count for track in reading.tracks[0]] == [15, 16]
    assert killed == 4


async def test_a_file_that_needs_too_much_memory_is_refused_and_the_next_one_is_read(media: Media, recording: Path):
    huge = media("larger.avi", replace(FOREIGN, size=(7680, 4320), seconds=0.2))
    reader = Reader(replace(LIMITS, memory_bytes=160 * MIB))
    with pytest.raises(ReaderOutOfMemory, match="SHUANGLU_READER_MEMORY_MIB"):
        async with reader.reading(plan(0), [huge]) as reading:
            _ = [piece async for piece in reading.pieces(0)]
    async with reader.reading(plan(0), [recording]) as reading:
        assert len([piece async for piece in reading.pieces(0)]) == 31
    await reader.close()


async def test_a_working_copy_of_4k_fits_into_the_memory_that_a_file_may_take(media: Media, reader: Reader):
    huge = media("huge.avi", replace(FOREIGN, size=(3840, 2160), seconds=0.4))
    async with reader.reading(plan(0), [huge]) as reading:
        (piece,) = [piece async for piece in reading.pieces(0)]
        assert (piece.track.width, piece.track.height, piece.track.derived) == (3840, 2160, True)


async def test_a_reader_that_cannot_start_is_no_files_fault(recording: Path):
    reader = Reader(replace(LIMITS, memory_bytes=4 * MIB))
    with pytest.raises(ReaderUnavailable) as told:
        async with reader.reading(plan(0), [recording]):
            pass
    assert told.value.retryable
    with pytest.raises(ReaderUnavailable):
        await reader.probe(recording)
    await reader.close()


async def test_a_caller_is_not_told_the_place_of_our_fault_and_the_log_is(
    recording: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reader_module, "MODULE", "no_such_module")
    reader = Reader(LIMITS)
    with capture_logs() as logs, pytest.raises(ReaderUnavailable) as told:
        await reader.probe(recording)
    assert told.value.diagnostics() == ReaderUnavailable.help
    (line,) = logs
    assert line["reason"] == "CELL_CRASHED"
    assert "ModuleNotFoundError at " in line["error"]
    await reader.close()


async def test_nobody_waits_for_a_start_and_nothing_stays_behind(reader: Reader, recording: Path):
    await reader.prepare()
    async with reader.reading(plan(0), [recording]) as reading:
        async for _ in reading.pieces(0):
            break
    await reader.close()
    assert not children()


async def test_a_cancelled_import_leaves_no_child(reader: Reader, recording: Path):
    begun = asyncio.Event()

    async def read() -> None:
        async with reader.reading(plan(0), [recording]) as reading:
            async for _ in reading.pieces(0):
                begun.set()
                await asyncio.sleep(600)

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await reader.close()
    assert not children()


def test_every_refusal_of_the_child_is_known_to_the_service():
    reasons = [error.reason for error in typed_errors()]
    assert {"NOT_A_RECORDING", "FILE_DAMAGED", "ID_PHOTO_INVALID", "READER_CRASHED"} <= set(reasons)
    assert len(set(reasons)) == len(reasons)


def test_a_kill_that_never_ends_is_a_refusal_at_last():
    assert type(refusal(CellKilled())) is ReaderCrashed
    assert type(refusal(CellMemory())) is ReaderOutOfMemory
    assert reader_module.MODULE == "shuanglu_media_ingest.reading.reader_cell"
