from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from report_examples import SESSION, TENANT, report, stored, tracks
from report_fakes import FixedSessions, MemoryRows, QueueFeed

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.quality.v1.quality_events_pb2 import Stage
from shuanglu.report.v1 import report_service_pb2 as pb
from shuanglu_common.access import ACCESS, Role
from shuanglu_common.auth import CURRENT, Principal, SessionHidden, TokenMissing
from shuanglu_common.clock import SystemClock
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_report.domain.link import opened
from shuanglu_report.errors import PageTokenInvalid, RecordingNotStored, ReportNotReady, SessionNotFound, TtlInvalid
from shuanglu_report.ports import ReportRow
from shuanglu_report.rpc import ReportRpc
from shuanglu_report.watcher import InspectionWatcher

KEY = bytes(32)
NOW_US = 1_000_000_000
NO_CONTEXT = cast("Any", None)
REVIEWER = Principal(TENANT, "r-1", frozenset({Role.REVIEWER}))


@pytest.fixture
def rows() -> MemoryRows:
    return MemoryRows()


@pytest.fixture
def rpc(rows: MemoryRows) -> ReportRpc:
    sealed = SealedStore(MemoryStore(), Sealer(KEY), SystemClock())
    watcher = InspectionWatcher(rows, FixedSessions(), QueueFeed(), 5)
    return ReportRpc(rows, sealed, FixedSessions(), watcher, KEY, KEY, lambda: NOW_US)


@pytest.fixture(autouse=True)
def reviewer() -> Iterator[None]:
    mark = CURRENT.set(REVIEWER)
    yield
    CURRENT.reset(mark)


async def add(rpc: ReportRpc, report_id: str = "r", created_at_us: int = 5, tenant: str = TENANT) -> ReportRow:
    made = report()
    ref = await rpc.sealed.put(tenant, SESSION, "reports/preliminary/report.pb", made.SerializeToString())
    pdf = await rpc.sealed.put(tenant, SESSION, "reports/preliminary/report.pdf", b"%PDF-1.7")
    row = ReportRow(
        tenant=tenant,
        report_id=report_id,
        session_id=SESSION,
        order_id="order-1",
        stage=Stage.STAGE_PRELIMINARY,
        verdict=Outcome.OUTCOME_FAIL if created_at_us % 2 else Outcome.OUTCOME_PASS,
        failed_count=1,
        unsure_count=2,
        report=ref,
        pdf=pdf,
        created_at_us=created_at_us,
    )
    await rpc.rows.add_report(row)
    return row


async def test_the_newest_report_is_read(rpc: ReportRpc) -> None:
    await add(rpc)
    answer = await rpc.GetReport(pb.GetReportRequest(session_id=SESSION), NO_CONTEXT)
    assert answer.report == report()


async def test_the_final_report_outweighs_the_preliminary_one(rpc: ReportRpc) -> None:
    row = await add(rpc)
    final = await rpc.sealed.put(TENANT, SESSION, "reports/final/report.pdf", b"%PDF-final")
    await rpc.rows.add_report(replace(row, report_id="final", stage=Stage.STAGE_FINAL, pdf=final, created_at_us=1))
    answer = await rpc.GetReportPdf(pb.GetReportPdfRequest(session_id=SESSION), NO_CONTEXT)
    assert (answer.content_type, answer.data) == ("application/pdf", b"%PDF-final")


async def test_a_session_without_a_report_is_told_from_no_session(rpc: ReportRpc) -> None:
    for session_id, error in ((SESSION, ReportNotReady), ("other", SessionNotFound)):
        with pytest.raises(error):
            await rpc.GetReport(pb.GetReportRequest(session_id=session_id), NO_CONTEXT)
        with pytest.raises(error):
            await rpc.GetReportPdf(pb.GetReportPdfRequest(session_id=session_id), NO_CONTEXT)


async def test_another_tenants_report_does_not_exist(rpc: ReportRpc) -> None:
    await add(rpc, tenant="bank-b")
    with pytest.raises(ReportNotReady):
        await rpc.GetReport(pb.GetReportRequest(session_id=SESSION), NO_CONTEXT)
    assert not (await rpc.ListReports(pb.ListReportsRequest(), NO_CONTEXT)).reports


async def test_a_token_of_one_session_opens_no_other(rpc: ReportRpc) -> None:
    await add(rpc)
    CURRENT.set(replace(REVIEWER, session_id="another-session"))
    with pytest.raises(SessionHidden):
        await rpc.GetReport(pb.GetReportRequest(session_id=SESSION), NO_CONTEXT)
    with pytest.raises(SessionHidden):
        await rpc.CreateReplay(pb.CreateReplayRequest(session_id=SESSION), NO_CONTEXT)
    with pytest.raises(SessionHidden):
        await anext(rpc.WatchInspection(pb.WatchInspectionRequest(session_id=SESSION), NO_CONTEXT))


async def test_a_token_of_one_session_lists_only_that_sessions_report(rpc: ReportRpc) -> None:
    await add(rpc)
    CURRENT.set(replace(REVIEWER, session_id="another-session"))
    assert not (await rpc.ListReports(pb.ListReportsRequest(), NO_CONTEXT)).reports
    CURRENT.set(replace(REVIEWER, session_id=SESSION))
    assert len((await rpc.ListReports(pb.ListReportsRequest(), NO_CONTEXT)).reports) == 1


async def test_without_a_caller_nothing_is_read(rpc: ReportRpc) -> None:
    await add(rpc)
    CURRENT.set(None)
    with pytest.raises(TokenMissing):
        await rpc.GetReport(pb.GetReportRequest(session_id=SESSION), NO_CONTEXT)


async def test_pages_hold_every_report_once_newest_first(rpc: ReportRpc) -> None:
    for number in range(7):
        await add(rpc, f"r{number}", created_at_us=5 + number // 2)
    seen: list[str] = []
    token = ""
    while True:
        answer = await rpc.ListReports(pb.ListReportsRequest(page_size=3, page_token=token), NO_CONTEXT)
        seen += [item.report_id for item in answer.reports]
        token = answer.next_page_token
        if not token:
            break
    assert seen == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]


async def test_lists_are_filtered_by_verdict_and_time(rpc: ReportRpc) -> None:
    for number in range(6):
        await add(rpc, f"r{number}", created_at_us=10 + number)
    wanted = pb.ListReportsRequest(verdict=Outcome.OUTCOME_FAIL, created_from_us=11, created_to_us=15)
    answer = await rpc.ListReports(wanted, NO_CONTEXT)
    assert [item.report_id for item in answer.reports] == ["r3", "r1"]
    assert (answer.reports[0].failed_count, answer.reports[0].unsure_count) == (1, 2)


async def test_a_page_token_of_other_filters_is_refused(rpc: ReportRpc) -> None:
    for number in range(3):
        await add(rpc, f"r{number}", created_at_us=10 + number)
    token = (await rpc.ListReports(pb.ListReportsRequest(page_size=1), NO_CONTEXT)).next_page_token
    wanted = pb.ListReportsRequest(page_size=1, page_token=token, verdict=Outcome.OUTCOME_FAIL)
    with pytest.raises(PageTokenInvalid):
        await rpc.ListReports(wanted, NO_CONTEXT)


async def test_a_replay_link_opens_this_session_until_it_ends(rpc: ReportRpc, rows: MemoryRows) -> None:
    await rows.save_track(TENANT, SESSION, stored(tracks()[0]), 1)
    answer = await rpc.CreateReplay(pb.CreateReplayRequest(session_id=SESSION, ttl_s=60), NO_CONTEXT)
    assert answer.expires_at_us == NOW_US + 60_000_000
    token = answer.playlist_path.removeprefix("/hls/").removesuffix("/master.m3u8")
    grant = opened(KEY, token, NOW_US)
    assert (grant.tenant, grant.session_id, grant.expires_at_us) == (TENANT, SESSION, answer.expires_at_us)


async def test_there_is_no_replay_without_a_recording_or_a_session(rpc: ReportRpc) -> None:
    with pytest.raises(RecordingNotStored):
        await rpc.CreateReplay(pb.CreateReplayRequest(session_id=SESSION), NO_CONTEXT)
    with pytest.raises(SessionNotFound):
        await rpc.CreateReplay(pb.CreateReplayRequest(session_id="other"), NO_CONTEXT)
    with pytest.raises(TtlInvalid):
        await rpc.CreateReplay(pb.CreateReplayRequest(session_id=SESSION, ttl_s=5), NO_CONTEXT)


async def test_watching_tells_the_verdict_of_a_finished_session(rpc: ReportRpc) -> None:
    await add(rpc)
    stream = rpc.WatchInspection(pb.WatchInspectionRequest(session_id=SESSION), NO_CONTEXT)
    answers = [answer async for answer in stream]
    assert [(item.phase, item.verdict) for item in answers] == [(pb.INSPECTION_PHASE_REPORTED, Outcome.OUTCOME_FAIL)]


def test_every_rpc_is_in_the_table_of_roles() -> None:
    service = pb.DESCRIPTOR.services_by_name["ReportService"]
    assert {f"/{service.full_name}/{method.name}" for method in service.methods} <= set(ACCESS)
