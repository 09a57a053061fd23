"""Rows in memory and on a real PostgreSQL keep the same promises: one contract, both run it."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from report_examples import SESSION, TENANT, stored, tracks
from report_fakes import MemoryRows
from sqlalchemy import select, text

from shuanglu.bus.v1.envelope_pb2 import Envelope
from shuanglu.common.v1.types_pb2 import ObjectRef, Outcome
from shuanglu.quality.v1.quality_events_pb2 import Stage
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_common import migrations
from shuanglu_common.clock import SystemClock
from shuanglu_common.database import Database
from shuanglu_report.domain.paging import Position, RowFilter
from shuanglu_report.ports import ReportRow, ReportRows
from shuanglu_report.postgres import SCHEMA, PostgresReportRows
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.postgres_server import database_url, ensure_database, is_ready, postgres_command
from shuanglu_stack.process import ManagedProcess, Spawner

START_TIMEOUT_S = 60
ALL = RowFilter(Outcome.OUTCOME_UNSPECIFIED, 0, 0)
ROW = ReportRow(
    tenant=TENANT,
    report_id="aa",
    session_id=SESSION,
    order_id="order-1",
    stage=Stage.STAGE_PRELIMINARY,
    verdict=Outcome.OUTCOME_FAIL,
    failed_count=3,
    unsure_count=1,
    report=ObjectRef(key="k", size_bytes=7, sha256="a" * 64, sealed=True),
    pdf=ObjectRef(key="p", size_bytes=8, sha256="b" * 64, sealed=True),
    created_at_us=1_795_399_351_000_000,
)


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
            thread.submit(migrations.upgrade, address, "shuanglu_report", SCHEMA).result()
            thread.submit(migrations.upgrade, address, "shuanglu_report", SCHEMA).result()
        yield address
    finally:
        server.stop()
        spawner.close()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database(url, SCHEMA, SystemClock(), "report")
    async with opened.transaction() as connection:
        await connection.execute(text("truncate report.reports, report.tracks, report.outbox"))
    yield opened
    await opened.close()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.integration)])
def rows(request: pytest.FixtureRequest) -> ReportRows:
    if request.param == "memory":
        return MemoryRows()
    return PostgresReportRows(request.getfixturevalue("database"))


async def test_a_report_comes_back_as_it_went_in(rows: ReportRows) -> None:
    assert await rows.newest(TENANT, SESSION) is None
    assert await rows.add_report(ROW)
    assert await rows.newest(TENANT, SESSION) == ROW


async def test_a_report_is_added_once(rows: ReportRows) -> None:
    assert await rows.add_report(ROW)
    assert not await rows.add_report(replace(ROW, failed_count=99))
    assert await rows.newest(TENANT, SESSION) == ROW


async def test_many_at_once_add_one_report(rows: ReportRows) -> None:
    added = await asyncio.gather(*(rows.add_report(ROW) for _ in range(6)))
    assert added.count(True) == 1


async def test_the_latest_stage_is_the_newest(rows: ReportRows) -> None:
    final = replace(ROW, report_id="ab", stage=Stage.STAGE_FINAL, created_at_us=1)
    await rows.add_report(final)
    await rows.add_report(ROW)
    assert await rows.newest(TENANT, SESSION) == final


async def test_a_tenant_sees_only_its_own(rows: ReportRows) -> None:
    await rows.add_report(ROW)
    await rows.save_track(TENANT, SESSION, stored(tracks()[0]), 1)
    assert await rows.newest("bank-b", SESSION) is None
    assert await rows.page("bank-b", ALL, None, 10) == []
    assert await rows.tracks("bank-b", SESSION) == []
    assert await rows.add_report(replace(ROW, tenant="bank-b"))


async def test_tracks_come_by_id_and_the_later_one_stays(rows: ReportRows) -> None:
    late, early = stored(tracks()[0]), stored(tracks()[0])
    early.track.codec = "early"
    for item in tracks()[1:]:
        await rows.save_track(TENANT, SESSION, stored(item), 5)
    await rows.save_track(TENANT, SESSION, late, 9)
    await rows.save_track(TENANT, SESSION, early, 3)
    known = await rows.tracks(TENANT, SESSION)
    assert [item.track.track_id for item in known] == sorted(item.track_id for item in tracks())
    assert late in known
    assert early not in known


async def test_pages_go_on_where_they_ended(rows: ReportRows) -> None:
    for number in range(5):
        await rows.add_report(
            replace(ROW, report_id=f"r{number}", session_id=f"s{number}", created_at_us=10 + number // 2)
        )
    first = await rows.page(TENANT, ALL, None, 3)
    assert [row.report_id for row in first] == ["r4", "r3", "r2"]
    rest = await rows.page(TENANT, ALL, Position(first[-1].created_at_us, first[-1].report_id), 3)
    assert [row.report_id for row in rest] == ["r1", "r0"]


async def test_pages_are_filtered(rows: ReportRows) -> None:
    for number in range(6):
        verdict = Outcome.OUTCOME_PASS if number % 2 else Outcome.OUTCOME_FAIL
        row = replace(ROW, report_id=f"r{number}", session_id=f"s{number}", created_at_us=10 + number, verdict=verdict)
        await rows.add_report(row)
    wanted = RowFilter(Outcome.OUTCOME_PASS, 11, 15)
    assert [row.report_id for row in await rows.page(TENANT, wanted, None, 9)] == ["r3", "r1"]
    wanted = RowFilter(Outcome.OUTCOME_UNSPECIFIED, 0, 0, session_id="s4")
    assert [row.report_id for row in await rows.page(TENANT, wanted, None, 9)] == ["r4"]


@pytest.mark.integration
async def test_the_event_of_a_report_is_in_the_outbox_once(database: Database) -> None:
    rows = PostgresReportRows(database)
    await rows.add_report(ROW)
    await rows.add_report(ROW)
    async with database.transaction() as connection:
        messages = list((await connection.execute(select(database.outbox.table.c.message))).scalars())
    assert len(messages) == 1
    envelope = Envelope.FromString(messages[0])
    assert (envelope.tenant, envelope.session_id, envelope.producer) == (TENANT, SESSION, "report")
    assert ReportReady.FromString(envelope.payload) == ReportReady(
        report_id="aa", stage=Stage.STAGE_PRELIMINARY, verdict=Outcome.OUTCOME_FAIL
    )
