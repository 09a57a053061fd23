"""What the report service needs from outside. Adapters implement these; tests bring small fakes."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shuanglu.common.v1.types_pb2 import ObjectRef, Outcome
from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested, TrackStored
from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed, Stage
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu.report.v1.report_pb2 import Report
from shuanglu.session.v1.session_pb2 import Order, Session
from shuanglu_report.domain.paging import Position, RowFilter
from shuanglu_report.page.choice import WantedStill

InspectionNews = ImportRequested | ImportFailed | InspectionProgressed | ReportReady


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What is known of a report without opening it."""

    tenant: str
    report_id: str
    session_id: str
    order_id: str
    stage: Stage.ValueType
    verdict: Outcome.ValueType
    failed_count: int
    unsure_count: int
    # The sealed report and its sealed PDF.
    report: ObjectRef
    pdf: ObjectRef
    created_at_us: int


class ReportRows(Protocol):
    """Reports and the tracks that prove them. Every method sees one tenant only; all raise DatabaseUnavailable."""

    async def save_track(self, tenant: str, session_id: str, stored: TrackStored, at_us: int) -> None:
        """Keep a track; of two with the same id the one with the later `at_us` stays, in whatever order they come."""
        ...

    async def tracks(self, tenant: str, session_id: str) -> list[TrackStored]:
        """All tracks of a session by id; empty for an unknown session."""
        ...

    async def add_report(self, row: ReportRow) -> bool:
        """Add a report and, in the same transaction, the event that tells of it. False if it is there already."""
        ...

    async def newest(self, tenant: str, session_id: str) -> ReportRow | None:
        """The report of the latest stage."""
        ...

    async def page(self, tenant: str, wanted: RowFilter, after: Position | None, size: int) -> list[ReportRow]:
        """At most `size` rows, newest first, that come after a position."""
        ...


class SessionDirectory(Protocol):
    """Orders and sessions, which are signaling's. Raises SessionNotFound, SessionsAway."""

    async def case(self, tenant: str, session_id: str) -> tuple[Session, Order]:
        """A session and its order, asked by this service itself; the customer is not masked."""
        ...

    async def session(self, session_id: str) -> Session:
        """A session, asked on behalf of the caller: what is hidden from him does not exist."""
        ...


class SealedObjects(Protocol):
    """Sealed objects of a session. Raises ObjectMissing, SealBroken, StoreUnavailable."""

    async def put(self, tenant: str, session_id: str, name: str, data: bytes, expires_at_us: int = 0) -> ObjectRef:
        """Seal and store; the same data under the same name gives the same object."""
        ...

    async def get(self, tenant: str, session_id: str, ref: ObjectRef) -> bytes:
        """Open what a reference names."""
        ...


class ClipSource(Protocol):
    """Brings the piece of the recording that a still is cut from."""

    async def clips(self, wanted: Sequence[WantedStill], tracks: Sequence[TrackStored]) -> list[bytes]:
        """Init and segment for each wanted still; empty where they are damaged or gone. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Printed:
    """What the press gives."""

    pdf: bytes
    # A JPEG for each wanted still, in their order; empty where none could be cut.
    stills: list[bytes]


class Press(Protocol):
    """Cuts the stills and sets the page."""

    async def print_report(self, report: Report, clips: Sequence[bytes]) -> Printed:
        """`clips` belong to `wanted_stills(report.result)`. The same arguments give the same bytes.

        A clip that cannot be read costs its still. Raises RenderingFailed, PressStuck (retried).
        """
        ...


class NewsStream(Protocol):
    """News of one session as they come."""

    async def next(self, timeout_s: float) -> InspectionNews | None:
        """The next news, or None if there were none for `timeout_s`."""
        ...


@dataclass(frozen=True, slots=True)
class LastNews:
    """The last news of each kind that the bus holds of a session; None where there are none."""

    progress: InspectionProgressed | None = None
    # The failure, unless another import was requested after it.
    failure: ImportFailed | None = None
    requested: bool = False


class InspectionFeed(Protocol):
    """What the bus tells of a session. Raises BusUnavailable."""

    def follow(self, tenant: str, session_id: str) -> AbstractAsyncContextManager[NewsStream]:
        """Listen; news that come after entering are not missed while the bus is there."""
        ...

    async def last(self, tenant: str, session_id: str) -> LastNews:
        """What was told before."""
        ...
