"""The queue in PostgreSQL: claims, leases, what comes back."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from ingest_fakes import INSPECTION, PEOPLE
from sqlalchemy import text
from test_records import url  # noqa: F401 - a fixture: one server for both

from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.database import Database
from shuanglu_media_ingest.domain.batches import BatchPlace
from shuanglu_media_ingest.domain.imports import Import, ImportState, Plan, SourceFile
from shuanglu_media_ingest.domain.queue import Answer, faults
from shuanglu_media_ingest.errors import BatchNotFound, SessionNotOpen
from shuanglu_media_ingest.importing.postgres import SCHEMA, PostgresImports
from shuanglu_media_ingest.importing.postgres_batches import PostgresBatches
from shuanglu_media_ingest.importing.postgres_queue import LONGEST_DELAY_US, PostgresQueue

MIB = 1 << 20


class StepClock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def now_us(self) -> int:
        self.now += 1
        return self.now


class Kept:
    """Records, queue and batches over one database."""

    def __init__(self, database: Database, clock: StepClock) -> None:
        self.clock, self.made = clock, 0
        self.records = PostgresImports(database, clock)
        self.queue = PostgresQueue(database, clock)
        self.batches = PostgresBatches(database, clock)

    async def add(self, tenant: str = "a", size: int = MIB, *, small: bool = True, batch_id: str = "") -> Import:
        self.made += 1
        name = f"{self.made:032x}"
        record = Import(
            tenant=tenant,
            import_id=name,
            session_id=f"s-{self.made}",
            state=ImportState.ACCEPTED,
            plan=Plan((SourceFile(name, PEOPLE),), "", (), INSPECTION),
            created_at_us=self.clock.now_us(),
            batch_id=batch_id,
            content_key=name,
            upload_bytes=size,
            small=small,
        )
        return await self.records.create(record, requested(record))

    async def claim(self, lease: str = "one", *, small_only: bool = False) -> Import:
        record = await self.queue.claim(lease, small_only=small_only)
        assert record is not None
        return record


def requested(record: Import) -> NewEvent:
    return NewEvent(record.tenant, record.session_id, ImportRequested(import_id=record.run_id), record.run_id)


def ended(record: Import) -> NewEvent:
    return NewEvent(record.tenant, record.session_id, ImportFailed(import_id=record.run_id), record.run_id)


@pytest.fixture
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    clock = StepClock()
    database = Database(request.getfixturevalue("url"), SCHEMA, clock, "media-ingest")
    yield Kept(database, clock)
    tables = ("imports", "outbox", "shares", "batches", "batch_items")
    async with database.transaction() as connection:
        await connection.execute(text("truncate " + ", ".join(f"{SCHEMA}.{table}" for table in tables)))
    await database.close()


async def test_what_waits_is_claimed_once_and_in_turns_of_tenants(kept: Kept):
    first, second = await kept.add("a"), await kept.add("a")
    other = await kept.add("b")
    taken = [await kept.claim() for _ in range(3)]
    assert [record.import_id for record in taken] == [first.import_id, other.import_id, second.import_id]
    assert {(record.state, record.lease, record.attempts) for record in taken} == {(ImportState.STORING, "one", 1)}
    assert await kept.queue.claim("one", small_only=False) is None


async def test_the_small_lane_leaves_large_ones_alone(kept: Kept):
    large = await kept.add(size=900 * MIB, small=False)
    assert await kept.queue.claim("one", small_only=True) is None
    small = await kept.add()
    assert (await kept.claim(small_only=True)).import_id == small.import_id
    assert (await kept.claim()).import_id == large.import_id


async def test_shares_outlive_the_process(kept: Kept):
    for _ in range(3):
        await kept.add("a", 60 * MIB)
    for _ in range(3):
        await kept.claim()
    await kept.add("a")
    late = await kept.add("b")
    assert (await kept.claim()).import_id == late.import_id


async def test_a_beat_hears_of_cancels_and_of_other_workers(kept: Kept):
    await kept.add()
    record = await kept.claim()
    assert await kept.queue.beat(record) is Answer.GO_ON
    await kept.records.request_cancel(record)
    assert await kept.queue.beat(record) is Answer.CANCEL
    (beat,) = (await kept.queue.look()).beats
    taken = await kept.queue.take_over(beat, "two")
    assert taken is not None
    assert await kept.queue.beat(record) is Answer.LOST
    assert await kept.queue.take_over(beat, "three") is None


async def test_a_worker_that_lost_its_import_can_end_nothing(kept: Kept):
    await kept.add()
    record = await kept.claim()
    (beat,) = (await kept.queue.look()).beats
    taken = await kept.queue.take_over(beat, "two")
    assert taken is not None
    assert not await kept.records.progress(record, 1, 2)
    assert not await kept.records.stored(record, [], 2, ended(record))
    assert not await kept.records.failed(record, "X", "", ended(record))
    assert not await kept.queue.give_back(record, "", 0, excused=True)
    assert await kept.records.progress(taken, 1, 2)
    assert await kept.records.stored(taken, [b"t"], 2, ended(record))


async def test_an_outage_excuses_and_delays(kept: Kept):
    await kept.add()
    record = await kept.claim()
    assert await kept.queue.give_back(record, "STORE_UNAVAILABLE", 30, excused=True)
    waiting = await kept.records.get("a", record.import_id)
    assert (waiting.state, waiting.waiting_for, faults(waiting)) == (ImportState.ACCEPTED, "STORE_UNAVAILABLE", 0)
    assert await kept.queue.claim("one", small_only=False) is None
    assert (await kept.queue.look()).waiting
    kept.clock.now += 31_000_000
    again = await kept.claim()
    assert (faults(again), again.outages, again.waiting_for) == (1, 1, "")


async def test_a_clock_that_was_put_back_delays_nobody_for_hours(kept: Kept):
    await kept.add()
    record = await kept.claim()
    await kept.queue.give_back(record, "STORE_UNAVAILABLE", 60, excused=True)
    kept.clock.now -= LONGEST_DELAY_US
    assert (await kept.claim()).import_id == record.import_id


async def test_what_waits_to_be_cancelled_is_taken_for_that_alone(kept: Kept):
    record = await kept.add()
    await kept.records.request_cancel(record)
    assert (await kept.queue.look()).to_cancel
    assert await kept.queue.claim("one", small_only=False) is None
    taken = await kept.queue.claim_cancelled("one")
    assert taken is not None
    assert await kept.records.cancelled(taken, ended(taken))
    assert not (await kept.queue.look()).to_cancel
    assert await kept.queue.claim_cancelled("one") is None


async def test_a_retry_is_another_try_with_a_name_of_its_own(kept: Kept):
    await kept.add()
    record = await kept.claim()
    assert await kept.records.failed(record, "IMPORT_GAVE_UP", "help", ended(record))
    failed = await kept.records.get("a", record.import_id)
    assert await kept.records.retry(failed, requested(failed))
    assert not await kept.records.retry(failed, requested(failed))
    again = await kept.claim()
    assert (again.tries, again.attempts, again.failure_reason) == (2, 1, "")
    assert again.run_id != record.run_id


async def test_a_retry_does_not_push_another_import_out(kept: Kept):
    record = await kept.add()
    assert await kept.records.cancelled(record, ended(record))
    other = replace(record, import_id="f" * 32, content_key="other")
    await kept.records.create(other, requested(other))
    cancelled = await kept.records.get("a", record.import_id)
    with pytest.raises(SessionNotOpen):
        await kept.records.retry(cancelled, requested(cancelled))


async def test_the_same_recording_is_the_import_that_is_there(kept: Kept):
    record = await kept.add()
    twin = replace(record, import_id="f" * 32, session_id="another")
    assert (await kept.records.create(twin, requested(twin))).import_id == record.import_id
    assert (await kept.records.of_content("a", record.content_key)) == record
    assert await kept.records.of_content("b", record.content_key) is None
    assert await kept.records.of_content("a", "") is None


async def test_lengths_tell_small_from_large_and_the_place_in_the_line(kept: Kept):
    for _ in range(3):
        await kept.add()
    last = await kept.add(size=900 * MIB, small=False)
    lengths = {waiting.small: waiting.length for waiting in await kept.queue.lengths()}
    assert lengths == {True: 3, False: 1}
    assert await kept.records.position(last) == 4
    assert await kept.records.position(await kept.claim()) == 0


async def test_batches_count_and_page_what_is_theirs(kept: Kept):
    mine = [await kept.add(batch_id="one") for _ in range(3)]
    old = await kept.add()
    await kept.batches.open("a", "one", 4)
    await kept.batches.add("a", "one", [record.import_id for record in (*mine, old, mine[0])])
    await kept.batches.open("a", "two", 1)
    await kept.records.cancelled(mine[0], ended(mine[0]))
    batch = await kept.batches.get("a", "one")
    assert batch.counts == {ImportState.ACCEPTED: 3, ImportState.CANCELLED: 1}
    assert (batch.upload_bytes, batch.stored_upload_bytes) == (4 * MIB, 0)
    first = await kept.batches.items("a", "one", 0, 2)
    rest = await kept.batches.items("a", "one", first[-1].position, 10)
    assert [item.record.import_id for item in (*first, *rest)] == [each.import_id for each in (*mine, old)]
    (gone,) = await kept.batches.items("a", "one", 0, 10, [ImportState.CANCELLED])
    assert gone.record.import_id == mine[0].import_id
    ids = [record.import_id for record in await kept.batches.made_here("a", "one", ended=False)]
    assert ids == [mine[1].import_id, mine[2].import_id]
    newest, older = await kept.batches.page("a", None, 10)
    assert (newest.batch_id, older.batch_id) == ("two", "one")
    assert [each.batch_id for each in await kept.batches.page("a", BatchPlace(newest.created_at_us, "two"), 10)] == [
        "one"
    ]
    with pytest.raises(BatchNotFound):
        await kept.batches.get("b", "one")
