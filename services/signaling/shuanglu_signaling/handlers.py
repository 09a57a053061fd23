"""What other services tell about a session, and how far it is because of that."""

from collections.abc import Sequence
from typing import Any

import structlog
from google.protobuf.message import Message

from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested, RecordingCompleted
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.subscription import Handler, Subscription
from shuanglu_signaling.domain.call_course import completed
from shuanglu_signaling.domain.call_stores import CallStore
from shuanglu_signaling.domain.ports import ProgressStore, Transition
from shuanglu_signaling.errors import SessionNotFound
from shuanglu_signaling.metrics import STATES_REACHED

log = structlog.get_logger()
IN_HAND = 4


class SessionHandlers:
    """Adds facts to sessions. Order and repeats do not matter: the lifecycle takes care of both."""

    def __init__(self, store: ProgressStore, calls: CallStore) -> None:
        """`store` keeps where sessions stand, `calls` their calls."""
        self.store = store
        self.calls = calls

    def subscriptions(self) -> tuple[Subscription, ...]:
        """One for each stream."""
        media: dict[type[Message], Handler] = {
            ImportRequested: self.import_requested,
            ImportFailed: self.import_failed,
            RecordingCompleted: self.recording_completed,
        }
        return (
            Subscription("signaling-media", media, in_hand=IN_HAND),
            Subscription("signaling-reports", {ReportReady: self.report_ready}, in_hand=IN_HAND),
        )

    async def import_requested(self, event: Event[ImportRequested]) -> Sequence[NewEvent]:
        """A recording comes in."""
        import_id = event.payload.import_id
        return await self.advance(event, lambda now: now.import_requested(import_id, event.occurred_at_us))

    async def import_failed(self, event: Event[ImportFailed]) -> Sequence[NewEvent]:
        """A recording could not be taken in."""
        failed = event.payload
        return await self.advance(
            event, lambda now: now.import_failed(failed.import_id, failed.reason, event.occurred_at_us)
        )

    async def recording_completed(self, event: Event[RecordingCompleted]) -> Sequence[NewEvent]:
        """All is stored; models look and listen. If there was a call, it has ended for good."""
        told = await self.advance(event, lambda now: now.recording_completed(event.occurred_at_us))
        await self.calls.change(event.tenant, event.session_id, completed)
        return told

    async def report_ready(self, event: Event[ReportReady]) -> Sequence[NewEvent]:
        """A report can be read."""
        return await self.advance(event, lambda now: now.report_ready(event.occurred_at_us))

    async def advance(self, event: Event[Any], transition: Transition) -> Sequence[NewEvent]:
        """Apply; raises SessionNotFound for a session that was never made: its event goes to DEADLETTER."""
        changed = await self.store.advance(event.tenant, event.session_id, transition)
        if changed is None:
            raise SessionNotFound("an event came for a session that does not exist")
        before, after = changed
        if after.state is not before.state:
            STATES_REACHED.labels(after.state.value).inc()
            log.info("session.state", state=after.state.value, before=before.state.value)
        return ()
