"""Fakes of the ports: small, in memory, with the contract of the real ones."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from report_examples import SESSION, order

from shuanglu.common.v1.types_pb2 import Channel
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.report.v1.report_pb2 import Report
from shuanglu.session.v1.session_pb2 import Order, Session, SessionState
from shuanglu_report.domain.paging import Position, RowFilter
from shuanglu_report.errors import SessionNotFound
from shuanglu_report.frames import unpack
from shuanglu_report.page.choice import WantedStill
from shuanglu_report.ports import InspectionNews, LastNews, Printed, ReportRow
from shuanglu_report.press import done
from shuanglu_report.press_job import PressSettings, job


@dataclass
class MemoryRows:
    """ReportRows in memory."""

    reports: dict[tuple[str, str], ReportRow] = field(default_factory=dict)
    stored: dict[tuple[str, str, str], tuple[int, TrackStored]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    async def save_track(self, tenant: str, session_id: str, stored: TrackStored, at_us: int) -> None:
        key = (tenant, session_id, stored.track.track_id)
        if key not in self.stored or self.stored[key][0] <= at_us:
            self.stored[key] = (at_us, stored)

    async def tracks(self, tenant: str, session_id: str) -> list[TrackStored]:
        return [item for key, (_, item) in sorted(self.stored.items()) if key[:2] == (tenant, session_id)]

    async def add_report(self, row: ReportRow) -> bool:
        if (row.tenant, row.report_id) in self.reports:
            return False
        self.reports[row.tenant, row.report_id] = row
        self.told.append(row.report_id)
        return True

    async def newest(self, tenant: str, session_id: str) -> ReportRow | None:
        own = [row for row in self.reports.values() if (row.tenant, row.session_id) == (tenant, session_id)]
        return max(own, key=lambda row: (row.stage, row.created_at_us), default=None)

    async def page(self, tenant: str, wanted: RowFilter, after: Position | None, size: int) -> list[ReportRow]:
        rows = [
            row
            for row in self.reports.values()
            if row.tenant == tenant
            and wanted.verdict in (0, row.verdict)
            and wanted.session_id in ("", row.session_id)
            and row.created_at_us >= wanted.from_us
            and (not wanted.to_us or row.created_at_us < wanted.to_us)
            and (after is None or (row.created_at_us, row.report_id) < (after.created_at_us, after.report_id))
        ]
        return sorted(rows, key=lambda row: (row.created_at_us, row.report_id), reverse=True)[:size]


@dataclass
class FixedSessions:
    """SessionDirectory that knows one session."""

    state: SessionState.ValueType = SessionState.SESSION_STATE_INSPECTING
    failure_reason: str = ""

    async def case(self, tenant: str, session_id: str) -> tuple[Session, Order]:
        return await self.session(session_id), order()

    async def session(self, session_id: str) -> Session:
        if session_id != SESSION:
            raise SessionNotFound("there is no such session")
        return Session(
            session_id=SESSION,
            order_id="order-1",
            channel=Channel.CHANNEL_REMOTE,
            state=self.state,
            failure_reason=self.failure_reason,
            created_at_us=1_795_399_351_000_000,
        )


@dataclass
class GivenClips:
    """ClipSource with one clip for all tracks but the unreadable ones."""

    clip: bytes
    unreadable: frozenset[str] = frozenset()

    async def clips(self, wanted: Sequence[WantedStill], tracks: Sequence[TrackStored]) -> list[bytes]:
        return [b"" if still.frame.track_id in self.unreadable else self.clip for still in wanted]


@dataclass
class DirectPress:
    """The press without a process of its own."""

    settings: PressSettings

    async def print_report(self, report: Report, clips: Sequence[bytes]) -> Printed:
        reason, pdf, *stills = unpack(done(job(self.settings, report, clips)))
        assert not reason
        return Printed(pdf, stills)


@dataclass
class QueueFeed:
    """InspectionFeed that tells what a test puts in."""

    before: LastNews = field(default_factory=LastNews)
    queue: "asyncio.Queue[InspectionNews]" = field(default_factory=asyncio.Queue)
    open: int = 0

    @asynccontextmanager
    async def follow(self, tenant: str, session_id: str) -> "AsyncIterator[QueueFeed]":
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    async def last(self, tenant: str, session_id: str) -> LastNews:
        return self.before

    async def next(self, timeout_s: float) -> InspectionNews | None:
        try:
            return await asyncio.wait_for(self.queue.get(), timeout_s)
        except TimeoutError:
            return None
