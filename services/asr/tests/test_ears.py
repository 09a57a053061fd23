"""Listening in a child process: the same observations as in this process, and what is told when the child fails."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from asr_bench import Bench, listen
from asr_media import MODELS, Cmaf, encoded, tone
from local_ears import LocalEars
from prometheus_client import REGISTRY

from shuanglu_asr.ears import STEP_SEGMENTS, CellEars, Ears, batches, ears_cell
from shuanglu_asr.errors import SoundUnreadable
from shuanglu_asr.handlers import Asr
from shuanglu_asr.settings import AsrSettings
from shuanglu_asr.worker import Worker
from shuanglu_common.cell.models import ModelCell
from shuanglu_common.cmaf import SegmentUnreadable

pytestmark = pytest.mark.models


@pytest.fixture
async def cell() -> AsyncIterator[ModelCell]:
    made = ears_cell(AsrSettings(models_dir=MODELS, models_retry_s=0.2))
    await made.load()
    yield made
    await made.close()


def failures(reason: str) -> float:
    return REGISTRY.get_sample_value("shuanglu_asr_failures_total", {"reason": reason}) or 0.0


async def told(worker: Worker, ears: Ears, track: Cmaf) -> list[bytes]:
    """Every event, byte for byte, and every transcript in clear."""
    bench = Bench(worker)
    bench.ears = ears
    handler = bench.handler()
    stored = await bench.event(track, "customer", until_ms=20_000)
    found, windows = await listen(handler, stored)
    events = [found, *(window.payload for window in windows)]
    said = []
    for window in windows:
        (new,) = await handler.window_found(window)
        said.append(await bench.sealed.get("bank", "s1", new.payload.transcript))  # type: ignore[attr-defined]
    assert said
    return [event.SerializeToString(deterministic=True) for event in events] + said


async def test_observations_are_byte_for_byte_those_of_this_process(
    worker: Worker, cell: ModelCell, customer_track: Cmaf
):
    assert await told(worker, CellEars(cell), customer_track) == await told(worker, LocalEars(worker), customer_track)


async def test_what_cannot_be_read_is_told_by_its_own_reason(cell: ModelCell):
    ears = CellEars(cell)
    with pytest.raises(SegmentUnreadable):
        await ears.recognise(b"a text file called .m4s", (), ["zh"])

    async def nonsense() -> AsyncIterator[bytes]:
        yield b"a text file called .m4s"

    async def sound_then_nonsense() -> AsyncIterator[bytes]:
        media = encoded(tone(4))
        yield media.init + media.segments[0].data
        yield b"a text file called .m4s"

    with pytest.raises((SegmentUnreadable, SoundUnreadable)):
        await ears.listen(nonsense)
    assert (await ears.listen(sound_then_nonsense)).unread == (1,)
    assert cell.cell.epoch == 1


async def test_a_track_and_a_window_take_turns_in_one_child(worker: Worker, cell: ModelCell, customer_track: Cmaf):
    bench = Bench(worker)
    bench.ears = CellEars(cell)
    handler = bench.handler()
    stored = await bench.event(customer_track, "customer", until_ms=20_000)
    alone, windows = await listen(handler, stored)
    together, *_ = await asyncio.gather(handler.track_stored(stored), *map(handler.window_found, windows))
    assert together[0].payload == alone
    assert cell.cell.epoch == 1


async def test_a_child_that_dies_in_the_middle_of_a_track_changes_nothing(
    worker: Worker, cell: ModelCell, customer_track: Cmaf
):
    bench = Bench(worker)
    bench.ears = CellEars(cell)
    stored = await bench.event(customer_track, "customer", until_ms=20_000)
    alone, _ = await listen(bench.handler(), stored)
    media = [customer_track.init + one.data for one in customer_track.segments if one.start_ms < 20_000]
    deaths = 0

    async def deadly() -> AsyncIterator[bytes]:
        nonlocal deaths
        for number, data in enumerate(media):
            if number == len(media) - 1 and deaths == 0:
                deaths += 1
                assert cell.cell.pid is not None
                os.kill(cell.cell.pid, signal.SIGSEGV)
            yield data

    listened = await bench.ears.listen(deadly)
    assert deaths == 1
    assert cell.cell.epoch == 2
    assert [(turn.start_ms, turn.end_ms) for turn in listened.turns] == [
        (turn.start_ms, turn.end_ms) for turn in alone.turns
    ]


async def ended_twice(cell: ModelCell, number: signal.Signals, work: Callable[[], Awaitable[object]]) -> object:
    """What becomes of work whose child ends twice."""
    ended = 0

    async def end() -> None:
        nonlocal ended
        while ended < 2:
            pid = cell.cell.pid
            if pid is not None:
                os.kill(pid, number)
                ended += 1
                while cell.cell.pid == pid:  # noqa: ASYNC110 - until it is found dead
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.01)

    ending = asyncio.create_task(end())
    answer = await work()
    await ending
    return answer


async def test_a_track_and_a_window_that_end_their_child_twice_are_reported_and_the_next_one_is_heard(
    worker: Worker, cell: ModelCell, customer_track: Cmaf
):
    bench = Bench(worker)
    bench.ears = CellEars(cell)
    handler: Asr = bench.handler()
    stored = await bench.event(customer_track, "customer", until_ms=20_000)
    _, windows = await listen(handler, stored)
    before = failures("INFERENCE_CRASHED")
    (found,) = await ended_twice(cell, signal.SIGSEGV, lambda: handler.track_stored(stored))  # type: ignore[misc]
    assert (found.payload.failure_reason, found.payload.window_count) == ("INFERENCE_CRASHED", 0)
    (said,) = await ended_twice(cell, signal.SIGABRT, lambda: handler.window_found(windows[0]))  # type: ignore[misc]
    assert said.payload.failure_reason == "INFERENCE_CRASHED"
    assert not said.payload.HasField("transcript")
    assert failures("INFERENCE_CRASHED") == before + 2
    (said,) = await handler.window_found(windows[0])
    assert said.payload.failure_reason == ""


async def test_a_window_that_hangs_is_reported_when_its_time_is_over(worker: Worker, customer_track: Cmaf):
    cell = ears_cell(AsrSettings(models_dir=MODELS, asr_timeout_s=3))
    await cell.load()
    bench = Bench(worker)
    _, windows = await listen(bench.handler(), await bench.event(customer_track, "customer", until_ms=12_000))
    bench.ears = CellEars(cell)
    handler = bench.handler()
    (said,) = await ended_twice(cell, signal.SIGSTOP, lambda: handler.window_found(windows[0]))  # type: ignore[misc]
    assert said.payload.failure_reason == "INFERENCE_TIMEOUT"
    await cell.close()


async def test_a_step_is_never_more_than_a_few_segments():
    async def many() -> AsyncIterator[bytes]:
        for _ in range(2 * STEP_SEGMENTS + 1):
            yield b"small"
        for _ in range(3):
            yield bytes(5 << 20)

    sizes = [[len(data) for data in batch] async for batch in batches(many())]
    assert [len(batch) for batch in sizes] == [STEP_SEGMENTS, STEP_SEGMENTS, 2, 1, 1]
