"""Report examines itself for `shuanglu doctor`: reports, the tracks that prove them, and their objects."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import sqlalchemy as sa
from google.protobuf.message import DecodeError
from typing_extensions import override

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.ops.v1 import doctor_service_pb2 as pb
from shuanglu.ops.v1.doctor_service_pb2_grpc import ReportDoctorServiceServicer
from shuanglu.quality.v1.quality_events_pb2 import Stage
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_common.ailments import Ailment, Code
from shuanglu_common.auth import current_principal
from shuanglu_common.database import Database
from shuanglu_common.doctor import (
    DatabaseDoctor,
    ObjectReader,
    RemedyUnknown,
    ahead,
    ailment_message,
    checked,
    named,
    session_pages,
)
from shuanglu_common.errors import DamagedData
from shuanglu_common.store import ObjectMissing
from shuanglu_report.maker import FOLDER, stage_name
from shuanglu_report.ports import ReportRow
from shuanglu_report.postgres import REPORTS, TRACKS, report_row

SEALED = "sealed/"
Context = grpc.aio.ServicerContext[Any, Any]
Examined = tuple[pb.Holding, list[Ailment]]


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """A track as it was told."""

    session_id: str
    stored: TrackStored
    told_at_us: int


@dataclass(frozen=True, slots=True)
class ReportDoctor(ReportDoctorServiceServicer):
    """See protos/shuanglu/ops/v1/doctor_service.proto."""

    database: Database
    common: DatabaseDoctor
    reader: ObjectReader

    @override
    async def ExamineReports(
        self, request: pb.ExamineReportsRequest, context: Context
    ) -> AsyncIterator[pb.ExamineReportsResponse]:
        """See the proto."""
        tenant, wanted = current_principal().tenant, checked(request.examination)
        if not wanted.session_id:
            for ailment in await self.common.examine(tenant, at_rest=wanted.at_rest):
                yield pb.ExamineReportsResponse(ailment=ailment_message(ailment))
        columns = [REPORTS.c.session_id, TRACKS.c.session_id]
        async for page in session_pages(self.database, columns, tenant, wanted.session_id):
            rows = await self._rows(tenant, page)
            work = (self._session(tenant, each, rows.get(each, []), deep=wanted.deep) for each in page)
            async for holdings, ailments in ahead(work):
                for ailment in ailments:
                    yield pb.ExamineReportsResponse(ailment=ailment_message(ailment))
                for holding in holdings:
                    yield pb.ExamineReportsResponse(holding=holding)

    @override
    async def MendReports(self, request: pb.MendReportsRequest, context: Context) -> pb.MendReportsResponse:
        """See the proto."""
        if request.treatment.remedy != pb.REMEDY_RELAY_OUTBOX:
            raise RemedyUnknown
        return pb.MendReportsResponse(treated=await self.common.relay())

    async def _session(
        self, tenant: str, session_id: str, rows: Sequence[ReportRow], *, deep: bool
    ) -> tuple[list[pb.Holding], list[Ailment]]:
        """All that is kept of one session."""
        examined = [await self._report(tenant, row, deep=deep) for row in rows]
        examined += [await self._track(tenant, track, deep=deep) for track in await self._tracks(tenant, session_id)]
        ailments = [ailment for _, found in examined for ailment in found]
        return [holding for holding, _ in examined], [*doubles(session_id, rows), *ailments]

    async def _rows(self, tenant: str, session_ids: Sequence[str]) -> dict[str, list[ReportRow]]:
        query = sa.select(REPORTS).where(REPORTS.c.tenant == tenant, REPORTS.c.session_id.in_(session_ids))
        found: dict[str, list[ReportRow]] = {}
        async with self.database.transaction() as connection:
            for row in await connection.execute(query.order_by(REPORTS.c.stage)):
                found.setdefault(row.session_id, []).append(report_row(row))
        return found

    async def _tracks(self, tenant: str, session_id: str) -> list[StoredTrack]:
        """One session at a time: the tracks of a long recording are large."""
        query = sa.select(TRACKS.c.stored, TRACKS.c.occurred_at_us).where(
            TRACKS.c.tenant == tenant, TRACKS.c.session_id == session_id
        )
        async with self.database.transaction() as connection:
            rows = (await connection.execute(query.order_by(TRACKS.c.track_id))).all()
        return [StoredTrack(session_id, TrackStored.FromString(row.stored), row.occurred_at_us) for row in rows]

    async def _report(self, tenant: str, row: ReportRow, *, deep: bool) -> Examined:
        """The report is always opened: it names the stills."""
        refs = [row.report, row.pdf]
        ailments: list[Ailment] = []
        places = [f"{SEALED}{FOLDER}/{stage_name(row.stage)}/"]
        try:
            report = Report.FromString(await self.reader.sealed.get(tenant, row.session_id, row.report))
            refs += [still.object for still in report.stills]
        except ObjectMissing:
            places = []  # The list of objects tells; which stills there should be nobody knows.
        except (DamagedData, DecodeError):
            ailments = await self.reader.examine(tenant, row.session_id, [row.report])
            places = []
        if deep:
            ailments += await self.reader.examine(tenant, row.session_id, refs[1:])
        holding = pb.Holding(
            session_id=row.session_id,
            kind=pb.HOLDING_KIND_REPORT,
            id=row.report_id,
            state=Stage.Name(row.stage),
            changed_at_us=row.created_at_us,
            objects=named(refs),
            places=places,
        )
        return holding, ailments

    async def _track(self, tenant: str, track: StoredTrack, *, deep: bool) -> Examined:
        whole = track.stored.track
        # A call has no file that it came from.
        refs = [whole.init, *([whole.original] if whole.HasField("original") else [])]
        index = [] if whole.HasField("original") else [ObjectRef(key=index_key(whole.init.key))]
        refs += [segment.object for segment in track.stored.segments]
        holding = pb.Holding(
            session_id=track.session_id,
            kind=pb.HOLDING_KIND_TRACK,
            id=track.stored.track.track_id,
            changed_at_us=track.told_at_us,
            objects=named([*refs, *index]),
        )
        return holding, await self.reader.examine(tenant, track.session_id, refs) if deep else []


def index_key(init_key: str) -> str:
    """Where the recorder keeps the list of a live track's segments: beside its init segment."""
    return init_key.rpartition("/")[0] + "/track.binpb"


def doubles(session_id: str, rows: Sequence[ReportRow]) -> list[Ailment]:
    """Two reports of one stage: the index `reports_session` forbids it, should it be there."""
    stages = Counter(Stage.Name(row.stage) for row in rows)
    return [Ailment(Code.REPORT_DOUBLE, session_id, stage, f"{n} reports") for stage, n in stages.items() if n > 1]
