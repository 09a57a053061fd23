"""Imports in memory and on a real PostgreSQL keep the same promises: one contract, both run it."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ingest_fakes import INSPECTION, PEOPLE, TENANT, MemoryImports
from sqlalchemy import select, text

from shuanglu.bus.v1.envelope_pb2 import Envelope
from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested, RecordingCompleted
from shuanglu_common import migrations
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.clock import SystemClock
from shuanglu_common.database import Database
from shuanglu_media_ingest.domain.imports import Import, ImportState, Node, Plan, SourceFile
from shuanglu_media_ingest.errors import ImportNotFound, SessionNotOpen
from shuanglu_media_ingest.importing.importer import Imports
from shuanglu_media_ingest.importing.postgres import SCHEMA, PostgresImports
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.postgres_server import database_url, ensure_database, is_ready, postgres_command
from shuanglu_stack.process import ManagedProcess, Spawner

START_TIMEOUT_S = 60
PLAN = Plan((SourceFile("a" * 32, PEOPLE, 500),), "b" * 32, (Node("consent", 0, 3000, 1),), INSPECTION)
RECORD = Import(TENANT, "c" * 32, "session-1", ImportState.ACCEPTED, PLAN, 1_700_000_000_000_000)
REQUESTED = NewEvent(TENANT, "session-1", ImportRequested(import_id=RECORD.import_id), RECORD.import_id)
FAILED = NewEvent(TENANT, "session-1", ImportFailed(import_id=RECORD.import_id, reason="NO_MEDIA"), RECORD.import_id)
COMPLETED = NewEvent(TENANT, "session-1", RecordingCompleted(duration_ms=5000), "completed")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, password = tmp_path_factory.mktemp("postgres"), secrets.token_hex(8)
    port = choose_ports(["postgres"], "free", 0, 0)["postgres"]
    spawner = Spawner()
    server = ManagedProcess(postgres_command(folder, folder / "logs", port, password), spawner)
    server.start()
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        address = database_url(port, password)
        # Both run an event loop of their own, and this thread may have one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(ensure_database, port, password).result()
            thread.submit(migrations.upgrade, address, "shuanglu_media_ingest", SCHEMA).result()
        yield address
    finally:
        server.stop()
        spawner.close()


@dataclass
class Kept:
    """The port, and how to look at what waits to be published."""

    records: Imports
    database: Database | None = None

    async def outbox(self) -> list[str]:
        if self.database is None:
            assert isinstance(self.records, MemoryImports)
            return [event.event_id for event in self.records.outbox]
        table = self.database.outbox.table
        async with self.database.transaction() as connection:
            rows = (await connection.execute(select(table).order_by(table.c.id))).all()
        return [Envelope.FromString(row.message).event_id for row in rows]


@pytest.fixture(params=["memory", "postgres"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    if request.param == "memory":
        yield Kept(MemoryImports())
        return
    clock = SystemClock()
    database = Database(request.getfixturevalue("url"), SCHEMA, clock, "media-ingest")
    yield Kept(PostgresImports(database, clock), database)
    async with database.transaction() as connection:
        await connection.execute(text(f"truncate {SCHEMA}.imports, {SCHEMA}.outbox"))
    await database.close()


async def test_an_import_is_kept_with_its_event(kept: Kept):
    assert await kept.records.create(RECORD, REQUESTED) == RECORD
    assert await kept.records.get(TENANT, RECORD.import_id) == RECORD
    assert await kept.outbox() == [REQUESTED.event_id]


async def test_the_same_import_again_is_the_one_that_is_there(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    await kept.records.progress(RECORD, 10, 100)
    again = await kept.records.create(replace(RECORD, created_at_us=1), REQUESTED)
    assert (again.state, again.created_at_us) == (ImportState.STORING, RECORD.created_at_us)
    assert len(await kept.outbox()) == 1


async def test_a_session_takes_one_import_until_that_fails(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    other = replace(RECORD, import_id="d" * 32)
    with pytest.raises(SessionNotOpen):
        await kept.records.create(other, REQUESTED)
    assert len(await kept.outbox()) == 1
    await kept.records.failed(RECORD, "NO_MEDIA", "help", FAILED)
    assert await kept.records.create(other, REQUESTED) == other


async def test_of_many_at_once_one_fills_the_session(kept: Kept):
    attempts = [kept.records.create(replace(RECORD, import_id=f"{number:032}"), REQUESTED) for number in range(6)]
    results: list[Any] = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(result) for result in results if isinstance(result, Exception)] == [SessionNotOpen] * 5
    assert len(await kept.outbox()) == 1


async def test_unknown_and_foreign_imports_are_not_found(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    for tenant, import_id in ((TENANT, "0" * 32), ("bank-b", RECORD.import_id)):
        with pytest.raises(ImportNotFound):
            await kept.records.get(tenant, import_id)


async def test_tenants_do_not_meet(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    foreign = replace(RECORD, tenant="bank-b")
    await kept.records.create(foreign, replace(REQUESTED, tenant="bank-b"))
    await kept.records.failed(foreign, "NO_MEDIA", "help", replace(FAILED, tenant="bank-b"))
    assert (await kept.records.get(TENANT, RECORD.import_id)).state is ImportState.ACCEPTED


async def test_progress_shows(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    assert await kept.records.progress(RECORD, 40, 100)
    found = await kept.records.get(TENANT, RECORD.import_id)
    assert (found.state, found.stored_bytes, found.total_bytes) == (ImportState.STORING, 40, 100)


async def test_a_stored_import_has_its_tracks_and_is_told(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    await kept.records.progress(RECORD, 40, 100)
    assert await kept.records.stored(RECORD, [b"track one", b"track two"], 99, COMPLETED)
    found = await kept.records.get(TENANT, RECORD.import_id)
    assert (found.state, found.tracks, found.stored_bytes) == (ImportState.STORED, (b"track one", b"track two"), 99)
    assert await kept.outbox() == [REQUESTED.event_id, COMPLETED.event_id]


async def test_a_failed_import_says_why(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    assert await kept.records.failed(RECORD, "NO_MEDIA", "help", FAILED)
    found = await kept.records.get(TENANT, RECORD.import_id)
    assert (found.state, found.failure_reason, found.failure_help) == (ImportState.FAILED, "NO_MEDIA", "help")


async def test_an_end_is_an_end(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    await kept.records.progress(RECORD, 0, 100)
    await kept.records.stored(RECORD, [], 100, COMPLETED)
    assert not await kept.records.failed(RECORD, "NO_MEDIA", "help", FAILED)
    assert not await kept.records.progress(RECORD, 1, 100)
    assert not await kept.records.stored(RECORD, [], 100, COMPLETED)
    assert (await kept.records.get(TENANT, RECORD.import_id)).state is ImportState.STORED
    assert len(await kept.outbox()) == 2


async def test_nothing_is_stored_before_it_was_begun(kept: Kept):
    await kept.records.create(RECORD, REQUESTED)
    assert not await kept.records.stored(RECORD, [], 100, COMPLETED)
    assert await kept.outbox() == [REQUESTED.event_id]
