"""Looking in a child process: the same observations as in this process, and what is told when the child fails."""

import asyncio
import os
import resource
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from face_check_bench import Bench
from face_check_media import MODELS, Cmaf
from local_eyes import LocalEyes
from prometheus_client import REGISTRY

from shuanglu_common.bus.events import NewEvent
from shuanglu_common.cell.models import InferenceFailed, ModelCell, ModelsAway
from shuanglu_common.clock import SystemClock
from shuanglu_common.cmaf import SegmentUnreadable
from shuanglu_face_check.domain.examiner import Templates
from shuanglu_face_check.errors import PhotoUnreadable
from shuanglu_face_check.eyes import CellEyes, eyes_cell
from shuanglu_face_check.handlers import FaceCheck
from shuanglu_face_check.segments import SegmentReader
from shuanglu_face_check.settings import FaceCheckSettings
from shuanglu_face_check.templates import TemplateKeeper
from shuanglu_face_check.worker import Worker

pytestmark = pytest.mark.models


@pytest.fixture
async def cell() -> AsyncIterator[ModelCell]:
    made = eyes_cell(FaceCheckSettings(models_dir=MODELS, models_retry_s=0.2))
    yield made
    await made.close()


def failures(reason: str) -> float:
    return REGISTRY.get_sample_value("shuanglu_face_check_failures_total", {"reason": reason}) or 0.0


def handler(bench: Bench, eyes: CellEyes | LocalEyes) -> FaceCheck:
    segments = SegmentReader(bench.store)
    return FaceCheck(segments, TemplateKeeper(bench.sealed, segments, eyes, SystemClock(), 3600), eyes)


async def test_observations_are_byte_for_byte_those_of_this_process(
    worker: Worker, cell: ModelCell, customer_track: Cmaf
):
    told: list[list[NewEvent]] = []
    for eyes in (LocalEyes(worker), CellEyes(cell)):
        bench = Bench(worker)
        photo = await bench.photo("id_photo.jpg")
        events = await bench.events(customer_track, "customer", count=3, photo=photo)
        if isinstance(eyes, CellEyes):
            await cell.load()
        told.append([new for event in events for new in await handler(bench, eyes).segment_stored(event)])
    here, there = ([each.payload.SerializeToString(deterministic=True) for each in events] for events in told)
    assert here == there
    assert any(face.id_photo_similarity for frame in told[1][2].payload.frames for face in frame.faces)  # type: ignore[attr-defined]


async def test_what_cannot_be_read_is_told_by_its_own_reason(cell: ModelCell):
    eyes = CellEyes(cell)
    with pytest.raises(SegmentUnreadable):
        await eyes.examine(b"a text file called .m4s", [0], Templates())
    with pytest.raises(PhotoUnreadable):
        await eyes.from_photo(b"a text file called .jpg")
    assert cell.cell.epoch == 1


async def test_time_in_the_models_is_counted_in_the_service(cell: ModelCell, customer_track: Cmaf):
    name, label = "shuanglu_face_check_inference_seconds_total", {"model": "yunet"}
    before = REGISTRY.get_sample_value(name, label) or 0.0
    await CellEyes(cell).from_segment(customer_track.init + customer_track.segments[0].data)
    assert (REGISTRY.get_sample_value(name, label) or 0.0) > before


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGSEGV, "INFERENCE_CRASHED"), (signal.SIGSTOP, "INFERENCE_TIMEOUT")]
)
async def test_a_segment_that_ends_its_child_twice_is_reported_and_the_next_one_is_looked_at(
    worker: Worker, customer_track: Cmaf, number: signal.Signals, reason: str
):
    bench = Bench(worker)
    cell = eyes_cell(FaceCheckSettings(models_dir=MODELS, face_check_timeout_s=1.5))
    first, second = await bench.events(customer_track, "customer", "agent", count=2)
    ended, before = 0, failures(reason)

    async def end_children() -> None:
        nonlocal ended
        while ended < 2:
            pid = cell.cell.pid
            if pid is not None:
                os.kill(pid, number)
                ended += 1
                while cell.cell.pid == pid:  # noqa: ASYNC110 - until it is found dead
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.01)

    await cell.load()
    ending = asyncio.create_task(end_children())
    face_check = handler(bench, CellEyes(cell))
    (new,) = await face_check.segment_stored(first)
    await ending
    assert new.payload.failure_reason == reason  # type: ignore[attr-defined]
    assert len(new.payload.frames) == 0  # type: ignore[attr-defined]
    assert failures(reason) == before + 1
    (new,) = await face_check.segment_stored(second)
    assert new.payload.failure_reason == ""  # type: ignore[attr-defined]
    assert len(new.payload.frames) > 0  # type: ignore[attr-defined]
    await cell.close()


async def test_a_picture_that_needs_too_much_memory_is_reported(customer_track: Cmaf):
    cell = eyes_cell(FaceCheckSettings(models_dir=MODELS, face_check_memory_mib=1024))
    eyes = CellEyes(cell)
    data = customer_track.init + customer_track.segments[0].data
    await eyes.from_segment(data)
    assert cell.cell.pid is not None
    shrink(cell.cell.pid)
    task = asyncio.create_task(eyes.from_segment(data))
    first = cell.cell.pid
    while not task.done():
        if cell.cell.pid not in (None, first):
            first = cell.cell.pid
            shrink(first)
        await asyncio.sleep(0.005)
    with pytest.raises(InferenceFailed) as told:
        await task
    assert told.value.reason in {"INFERENCE_OUT_OF_MEMORY", "INFERENCE_CRASHED"}
    await cell.close()


def shrink(pid: int) -> None:
    """From now on the process gets no more memory."""
    resource.prlimit(pid, resource.RLIMIT_DATA, (1, 1))


async def test_a_worker_whose_models_are_put_right_recovers_by_itself(tmp_path: Path):
    for name in ("models.json", "yunet.onnx"):
        shutil.copy(MODELS / name, tmp_path / name)
    (tmp_path / "sface.onnx").write_bytes(b"not the model")
    cell = eyes_cell(FaceCheckSettings(models_dir=tmp_path, models_retry_s=0.2))
    stopping, before = asyncio.Event(), failures("MODEL_UNUSABLE")
    keeping = asyncio.create_task(cell.keep(stopping))
    with pytest.raises(ModelsAway):
        await CellEyes(cell).from_segment(b"")
    assert not await cell.ready()
    assert failures("MODEL_UNUSABLE") > before
    shutil.copy(MODELS / "sface.onnx", tmp_path / "sface.onnx")
    async with asyncio.timeout(20):
        while not await cell.ready():  # noqa: ASYNC110 - as a probe does
            await asyncio.sleep(0.05)
    assert [model.name for model in cell.models] == ["yunet", "sface"]
    stopping.set()
    await keeping
    await cell.close()
