"""What becomes of an import in hand: its end, an outage, a fault, a cancel, a stop, a worker that died."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from ingest_bench import NoPressure
from ingest_fakes import INSPECTION, PEOPLE, TENANT

from shuanglu_common.database import DatabaseUnavailable
from shuanglu_common.store import StoreUnavailable
from shuanglu_media_ingest.domain.imports import Import, ImportState, Plan, SourceFile
from shuanglu_media_ingest.domain.leases import Beat
from shuanglu_media_ingest.domain.queue import MAX_ABANDONED, MAX_ATTEMPTS, Answer, Sight, Waiting
from shuanglu_media_ingest.importing.worker import ImportWorker, Lanes

PATIENCE_S = 8.0


@dataclass
class MemoryQueue:
    """Waiting imports in a list; `answers` are what beats hear, in order."""

    waiting: list[Import] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    returned: list[tuple[Import, str, bool]] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    cancelled: list[Import] = field(default_factory=list)
    away: int = 0

    async def claim(self, lease: str, *, small_only: bool) -> Import | None:
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable
        for record in self.waiting:
            if record.small or not small_only:
                self.waiting.remove(record)
                return replace(record, lease=lease, state=ImportState.STORING, attempts=record.attempts + 1)
        return None

    async def claim_cancelled(self, lease: str) -> Import | None:
        return replace(self.cancelled.pop(), lease=lease) if self.cancelled else None

    async def look(self) -> Sight:
        return Sight(list(self.beats), bool(self.waiting), bool(self.cancelled))

    async def take_over(self, abandoned: Beat, lease: str) -> Import | None:
        self.beats.remove(abandoned)
        return replace(record_of(), import_id=abandoned.import_id, lease=lease, attempts=abandoned.count)

    async def beat(self, record: Import) -> Answer:
        return self.answers.pop(0) if self.answers else Answer.GO_ON

    async def give_back(self, record: Import, waiting_for: str, delay_s: float, *, excused: bool) -> bool:
        self.returned.append((record, waiting_for, excused))
        return True

    async def lengths(self) -> Sequence[Waiting]:
        return []


@dataclass
class Work:
    """Does what it is told; remembers what it was asked."""

    does: Callable[[Import], Awaitable[None]]
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def run(self, record: Import) -> None:
        self.asked.append(("run", record.import_id))
        await self.does(record)

    async def give_up(self, record: Import) -> None:
        self.asked.append(("give_up", record.import_id))

    async def cancel(self, record: Import) -> None:
        self.asked.append(("cancel", record.import_id))


def record_of(import_id: str = "i", **more: object) -> Import:
    plan = Plan((SourceFile("u", PEOPLE),), "", (), INSPECTION)
    return replace(Import(TENANT, import_id, "s", ImportState.ACCEPTED, plan, 1), **more)  # type: ignore[arg-type]


async def well(_record: Import) -> None:
    return


async def for_ever(_record: Import) -> None:
    await asyncio.sleep(3600)


def failing(error: Exception) -> Callable[[Import], Awaitable[None]]:
    async def fail(_record: Import) -> None:
        raise error

    return fail


@asynccontextmanager
async def running(queue: MemoryQueue, work: Work, in_hand: int = 1, pressure: object = None):
    stopping = asyncio.Event()
    worker = ImportWorker(queue, work, pressure or NoPressure(), Lanes(in_hand, 0.1))  # type: ignore[arg-type]
    task = asyncio.create_task(worker.run(stopping))
    try:
        yield worker
    finally:
        stopping.set()
        await asyncio.wait_for(task, PATIENCE_S)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - whatever it is
            await asyncio.sleep(0.02)


async def test_everything_that_waits_is_worked_on_and_a_wake_is_heard_at_once() -> None:
    queue, work = MemoryQueue([record_of("a"), record_of("b")]), Work(well)
    async with running(queue, work) as worker:
        await until(lambda: len(work.asked) == 2)
        queue.waiting.append(record_of("c"))
        worker.wake()
        await until(lambda: ("run", "c") in work.asked)
    assert queue.returned == []


async def test_one_of_several_lanes_is_kept_for_small_imports() -> None:
    queue = MemoryQueue([record_of("large-1", small=False), record_of("large-2", small=False)])
    work = Work(for_ever)
    async with running(queue, work, in_hand=2):
        await until(lambda: len(work.asked) == 1)
        queue.waiting.append(record_of("small"))
        await until(lambda: ("run", "small") in work.asked)
        assert ("run", "large-2") not in work.asked


async def test_an_outage_gives_the_import_back_with_its_name_and_without_blame() -> None:
    queue, work = MemoryQueue([record_of()]), Work(failing(StoreUnavailable("away")))
    async with running(queue, work):
        await until(lambda: bool(queue.returned))
    ((_, waiting_for, excused),) = queue.returned
    assert (waiting_for, excused) == ("STORE_UNAVAILABLE", True)
    assert work.asked == [("run", "i")]


async def test_an_unforeseen_error_counts_and_the_last_one_gives_up() -> None:
    queue = MemoryQueue([record_of("young"), record_of("old", attempts=MAX_ATTEMPTS - 1)])
    work = Work(failing(ValueError("a fault of ours")))
    async with running(queue, work):
        await until(lambda: ("give_up", "old") in work.asked)
    assert [(record.import_id, excused) for record, _, excused in queue.returned] == [("young", False)]


async def test_outages_do_not_count_however_many() -> None:
    queue = MemoryQueue([record_of(attempts=500, outages=500)])
    work = Work(failing(ValueError("a fault of ours")))
    async with running(queue, work):
        await until(lambda: bool(queue.returned))
    assert ("give_up", "i") not in work.asked


async def test_a_cancel_stops_the_work_and_cleans_up() -> None:
    queue, work = MemoryQueue([record_of()], answers=[Answer.GO_ON, Answer.CANCEL]), Work(for_ever)
    async with running(queue, work):
        await until(lambda: ("cancel", "i") in work.asked)
    assert queue.returned == []


async def test_what_waits_to_be_cancelled_does_not_wait_for_a_lane() -> None:
    queue, work = MemoryQueue([record_of("busy")]), Work(for_ever)
    async with running(queue, work):
        await until(lambda: bool(work.asked))
        queue.cancelled.append(record_of("unwanted"))
        await until(lambda: ("cancel", "unwanted") in work.asked)


async def test_an_import_that_another_worker_has_is_left_alone() -> None:
    queue, work = MemoryQueue([record_of()], answers=[Answer.LOST]), Work(for_ever)
    async with running(queue, work):
        await until(lambda: not queue.answers)
        queue.waiting.append(record_of("next"))
        await until(lambda: ("run", "next") in work.asked)
        assert queue.returned == []


async def test_a_stop_gives_back_what_does_not_end_in_time() -> None:
    queue, work = MemoryQueue([record_of()]), Work(for_ever)
    async with running(queue, work):
        await until(lambda: bool(work.asked))
    assert [(waiting_for, excused) for _, waiting_for, excused in queue.returned] == [("", True)]


async def test_a_database_that_is_away_is_waited_for() -> None:
    queue, work = MemoryQueue([record_of()], away=1), Work(well)
    async with running(queue, work):
        await until(lambda: bool(work.asked))


class Closed:
    """Workers that are behind."""

    def __init__(self) -> None:
        self.open = False

    async def admits(self) -> bool:
        return self.open

    async def wait(self) -> None:
        return


async def test_nothing_is_begun_while_the_workers_are_behind() -> None:
    queue, work, pressure = MemoryQueue([record_of()]), Work(well), Closed()
    async with running(queue, work, pressure=pressure):
        await asyncio.sleep(1.5)
        assert work.asked == []
        pressure.open = True
        await until(lambda: bool(work.asked))


@pytest.mark.parametrize(("kills", "ends"), [(2, "returned"), (MAX_ABANDONED + 1, "gave up")])
async def test_what_a_dead_worker_left_is_taken_over_until_it_has_killed_too_many(kills: int, ends: str) -> None:
    queue, work = MemoryQueue(), Work(well)
    worker = ImportWorker(queue, work, NoPressure(), Lanes(1, 0.1))
    queue.beats.append(Beat(TENANT, "left", "dead", kills))
    await worker._take_over(queue.beats[0])
    if ends == "returned":
        assert [(record.import_id, excused) for record, _, excused in queue.returned] == [("left", True)]
    else:
        assert work.asked == [("give_up", "left")]
