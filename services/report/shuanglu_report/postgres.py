"""ReportRows in PostgreSQL, schema `report`."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shuanglu.common.v1.types_pb2 import ObjectRef, Outcome
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.quality.v1.quality_events_pb2 import Stage
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.database import Database
from shuanglu_report.domain.paging import Position, RowFilter
from shuanglu_report.ports import ReportRow

SCHEMA = "report"

_metadata = sa.MetaData(schema=SCHEMA)
REPORTS = sa.Table(
    "reports",
    _metadata,
    sa.Column("tenant", sa.String(39), primary_key=True),
    sa.Column("report_id", sa.String(32), primary_key=True),
    sa.Column("session_id", sa.String(64), nullable=False),
    sa.Column("order_id", sa.String(64), nullable=False),
    sa.Column("stage", sa.SmallInteger, nullable=False),
    sa.Column("verdict", sa.SmallInteger, nullable=False),
    sa.Column("failed_count", sa.Integer, nullable=False),
    sa.Column("unsure_count", sa.Integer, nullable=False),
    sa.Column("report_ref", sa.LargeBinary, nullable=False),
    sa.Column("pdf_ref", sa.LargeBinary, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
)
TRACKS = sa.Table(
    "tracks",
    _metadata,
    sa.Column("tenant", sa.String(39), primary_key=True),
    sa.Column("session_id", sa.String(64), primary_key=True),
    sa.Column("track_id", sa.String(64), primary_key=True),
    sa.Column("stored", sa.LargeBinary, nullable=False),
    sa.Column("occurred_at_us", sa.BigInteger, nullable=False),
)


class PostgresReportRows:
    """See ReportRows."""

    def __init__(self, database: Database) -> None:
        """`database`: the schema of this service."""
        self._database = database

    async def save_track(self, tenant: str, session_id: str, stored: TrackStored, at_us: int) -> None:
        """See ReportRows."""
        new = insert(TRACKS).values(
            tenant=tenant,
            session_id=session_id,
            track_id=stored.track.track_id,
            stored=stored.SerializeToString(deterministic=True),
            occurred_at_us=at_us,
        )
        upsert = new.on_conflict_do_update(
            index_elements=["tenant", "session_id", "track_id"],
            set_={"stored": new.excluded.stored, "occurred_at_us": new.excluded.occurred_at_us},
            where=TRACKS.c.occurred_at_us <= new.excluded.occurred_at_us,
        )
        async with self._database.transaction() as connection:
            await connection.execute(upsert)

    async def tracks(self, tenant: str, session_id: str) -> list[TrackStored]:
        """See ReportRows."""
        query = (
            sa.select(TRACKS.c.stored)
            .where(TRACKS.c.tenant == tenant, TRACKS.c.session_id == session_id)
            .order_by(TRACKS.c.track_id)
        )
        async with self._database.transaction() as connection:
            return [TrackStored.FromString(data) for data in (await connection.execute(query)).scalars()]

    async def add_report(self, row: ReportRow) -> bool:
        """See ReportRows. The event is relayed by the outbox."""
        values = {
            "tenant": row.tenant,
            "report_id": row.report_id,
            "session_id": row.session_id,
            "order_id": row.order_id,
            "stage": row.stage,
            "verdict": row.verdict,
            "failed_count": row.failed_count,
            "unsure_count": row.unsure_count,
            "report_ref": row.report.SerializeToString(),
            "pdf_ref": row.pdf.SerializeToString(),
            "created_at_us": row.created_at_us,
        }
        event = NewEvent(
            tenant=row.tenant,
            session_id=row.session_id,
            payload=ReportReady(report_id=row.report_id, stage=row.stage, verdict=row.verdict),
            key=row.report_id,
        )
        async with self._database.transaction() as connection:
            done = await connection.execute(insert(REPORTS).values(**values).on_conflict_do_nothing())
            if done.rowcount == 0:
                return False
            await self._database.outbox.add(connection, event)
        return True

    async def newest(self, tenant: str, session_id: str) -> ReportRow | None:
        """See ReportRows."""
        query = (
            sa.select(REPORTS)
            .where(REPORTS.c.tenant == tenant, REPORTS.c.session_id == session_id)
            .order_by(REPORTS.c.stage.desc(), REPORTS.c.created_at_us.desc())
            .limit(1)
        )
        async with self._database.transaction() as connection:
            found = (await connection.execute(query)).one_or_none()
        return report_row(found) if found else None

    async def page(self, tenant: str, wanted: RowFilter, after: Position | None, size: int) -> list[ReportRow]:
        """See ReportRows. Keyset pagination: a page costs the same wherever it is."""
        query = sa.select(REPORTS).where(REPORTS.c.tenant == tenant)
        if wanted.verdict:
            query = query.where(REPORTS.c.verdict == wanted.verdict)
        if wanted.session_id:
            query = query.where(REPORTS.c.session_id == wanted.session_id)
        if wanted.from_us:
            query = query.where(REPORTS.c.created_at_us >= wanted.from_us)
        if wanted.to_us:
            query = query.where(REPORTS.c.created_at_us < wanted.to_us)
        if after:
            place = sa.tuple_(REPORTS.c.created_at_us, REPORTS.c.report_id)
            query = query.where(place < (after.created_at_us, after.report_id))
        query = query.order_by(REPORTS.c.created_at_us.desc(), REPORTS.c.report_id.desc()).limit(size)
        async with self._database.transaction() as connection:
            return [report_row(found) for found in await connection.execute(query)]


def report_row(found: "sa.Row[Any]") -> ReportRow:
    """A row of `reports`."""
    values = found._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
    return ReportRow(
        tenant=values["tenant"],
        report_id=values["report_id"],
        session_id=values["session_id"],
        order_id=values["order_id"],
        stage=Stage.ValueType(values["stage"]),
        verdict=Outcome.ValueType(values["verdict"]),
        failed_count=values["failed_count"],
        unsure_count=values["unsure_count"],
        report=ObjectRef.FromString(values["report_ref"]),
        pdf=ObjectRef.FromString(values["pdf_ref"]),
        created_at_us=values["created_at_us"],
    )
