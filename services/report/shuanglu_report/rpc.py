"""ReportService: thin. Every call asks for the caller's tenant only, and for the token's session if it names one."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from typing_extensions import override

from shuanglu.report.v1 import report_service_pb2 as pb
from shuanglu.report.v1.report_pb2 import Report, ReportSummary
from shuanglu.report.v1.report_service_pb2_grpc import ReportServiceServicer
from shuanglu_common.auth import current_principal
from shuanglu_report.domain.link import Grant, life_s, sign
from shuanglu_report.domain.paging import Position, RowFilter, checked, page_size, page_token, position_of
from shuanglu_report.errors import RecordingNotStored, ReportNotReady
from shuanglu_report.ports import ReportRow, ReportRows, SealedObjects, SessionDirectory
from shuanglu_report.watcher import InspectionWatcher

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class ReportRpc(ReportServiceServicer):
    """Errors leave as ShuangluError; the door translates them."""

    rows: ReportRows
    sealed: SealedObjects
    sessions: SessionDirectory
    watcher: InspectionWatcher
    link_key: bytes
    page_key: bytes
    now_us: Callable[[], int]

    @override
    async def GetReport(self, request: pb.GetReportRequest, context: Context) -> pb.GetReportResponse:
        """See the proto."""
        row = await self._newest(request.session_id)
        data = await self.sealed.get(row.tenant, row.session_id, row.report)
        return pb.GetReportResponse(report=Report.FromString(data))

    @override
    async def GetReportPdf(self, request: pb.GetReportPdfRequest, context: Context) -> HttpBody:
        """See the proto."""
        row = await self._newest(request.session_id)
        data = await self.sealed.get(row.tenant, row.session_id, row.pdf)
        return HttpBody(content_type="application/pdf", data=data)

    @override
    async def ListReports(self, request: pb.ListReportsRequest, context: Context) -> pb.ListReportsResponse:
        """See the proto."""
        principal = current_principal()
        tenant = principal.tenant
        wanted = checked(
            RowFilter(request.verdict, request.created_from_us, request.created_to_us, principal.session_id or "")
        )
        size = page_size(request.page_size)
        start = position_of(self.page_key, request.page_token, tenant, wanted)
        rows = await self.rows.page(tenant, wanted, start, size + 1)
        shown = rows[:size]
        token = ""
        if len(rows) > size:
            token = page_token(self.page_key, tenant, wanted, Position(shown[-1].created_at_us, shown[-1].report_id))
        return pb.ListReportsResponse(reports=[_summary(row) for row in shown], next_page_token=token)

    @override
    async def WatchInspection(
        self, request: pb.WatchInspectionRequest, context: Context
    ) -> AsyncIterator[pb.WatchInspectionResponse]:
        """See the proto."""
        principal = current_principal()
        principal.require_session(request.session_id)
        async for progress in self.watcher.watch(principal.tenant, request.session_id):
            yield pb.WatchInspectionResponse(
                phase=progress.phase,
                observed=progress.observed,
                expected=progress.expected,
                verdict=progress.verdict,
                failure_reason=progress.failure_reason,
            )

    @override
    async def CreateReplay(self, request: pb.CreateReplayRequest, context: Context) -> pb.CreateReplayResponse:
        """See the proto."""
        principal = current_principal()
        principal.require_session(request.session_id)
        life = life_s(request.ttl_s)
        if not await self.rows.tracks(principal.tenant, request.session_id):
            await self.sessions.session(request.session_id)
            raise RecordingNotStored("no track of the session is complete")
        expires_at_us = self.now_us() + life * 1_000_000
        token = sign(self.link_key, Grant(principal.tenant, request.session_id, expires_at_us))
        return pb.CreateReplayResponse(playlist_path=f"/hls/{token}/master.m3u8", expires_at_us=expires_at_us)

    async def _newest(self, session_id: str) -> ReportRow:
        """Raises SessionNotFound, ReportNotReady."""
        principal = current_principal()
        principal.require_session(session_id)
        row = await self.rows.newest(principal.tenant, session_id)
        if row is None:
            await self.sessions.session(session_id)
            raise ReportNotReady("the session has no report yet")
        return row


def _summary(row: ReportRow) -> ReportSummary:
    return ReportSummary(
        report_id=row.report_id,
        session_id=row.session_id,
        order_id=row.order_id,
        stage=row.stage,
        verdict=row.verdict,
        failed_count=row.failed_count,
        unsure_count=row.unsure_count,
        created_at_us=row.created_at_us,
    )
