"""Sessions and their calls, asked of signaling over gRPC on behalf of the caller, or of ourselves at night."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc

from shuanglu.session.v1 import call_pb2 as calls
from shuanglu.session.v1.call_service_pb2 import GetCallRequest
from shuanglu.session.v1.call_service_pb2_grpc import CallServiceStub
from shuanglu.session.v1.session_pb2 import Session
from shuanglu.session.v1.session_service_pb2 import GetSessionRequest, ListSessionsRequest
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceStub
from shuanglu_media_ingest.domain.reconciling import Expected, Stage
from shuanglu_media_ingest.errors import SessionNotFound, SessionsUnavailable

TIMEOUT_S = 10.0
PAGE = 200
Metadata = tuple[tuple[str, str], ...]
GOING_ON = frozenset({calls.CALL_STATE_WAITING, calls.CALL_STATE_ACTIVE, calls.CALL_STATE_HELD})
ABSENT = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions: one, or those made in a stretch of time; 0 is open."""

    session_id: str = ""
    from_us: int = 0
    to_us: int = 0


class SignalingCalls:
    """The port `Calls` of reconciler.py."""

    def __init__(self, channel: grpc.aio.Channel, grace_us: int) -> None:
        """`grace_us`: how long after its end a recording may take to be complete."""
        self._sessions, self._calls = SessionServiceStub(channel), CallServiceStub(channel)
        self._grace_us = grace_us

    async def sessions(self, metadata: Metadata, wanted: Wanted) -> AsyncIterator[list[Session]]:
        """A page at a time, newest first. Raises SessionNotFound (for a named one), SessionsUnavailable."""
        if wanted.session_id:
            try:
                request = GetSessionRequest(session_id=wanted.session_id)
                answer = await self._sessions.GetSession(request, timeout=TIMEOUT_S, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() in ABSENT:
                    raise SessionNotFound from error
                raise SessionsUnavailable(f"signaling answered {error.code().name}") from error
            yield [answer.session]
            return
        token = ""
        while True:
            asked = ListSessionsRequest(
                created_from_us=wanted.from_us, created_to_us=wanted.to_us, page_size=PAGE, page_token=token
            )
            try:
                page = await self._sessions.ListSessions(asked, timeout=TIMEOUT_S, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                raise SessionsUnavailable(f"signaling answered {error.code().name}") from error
            yield list(page.sessions)
            token = page.next_page_token
            if not token:
                return

    async def expected(self, metadata: Metadata, session: Session, now_us: int) -> Expected | None:
        """What a session's call says of its recording; None if there was no call. Raises SessionsUnavailable."""
        request = GetCallRequest(session_id=session.session_id)
        try:
            answer = await self._calls.GetCall(request, timeout=TIMEOUT_S, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() in ABSENT:
                return None
            raise SessionsUnavailable(f"signaling answered {error.code().name}") from error
        quiet_us = now_us - max(session.created_at_us, session.updated_at_us, last_us(answer.call))
        return expected_of(answer.call, overdue=quiet_us > self._grace_us)


def last_us(call: calls.CallView) -> int:
    """When the last node was left, as far as the timeline has begun."""
    return call.started_at_us + max((take.end_ms for take in call.takes), default=0) * 1000


def expected_of(call: calls.CallView, *, overdue: bool) -> Expected:
    """No node is finished before bytes of every needed track are on disk and in the store: those must be there."""
    if call.state == calls.CALL_STATE_ENDED:
        stage = Stage.ENDED
    else:
        stage = Stage.OVERDUE if call.state not in GOING_ON and overdue else Stage.GOING_ON
    until_ms = max((take.end_ms for take in call.takes), default=0)
    needed = tuple(track.track_id for track in call.recording.tracks if track.required) if until_ms else ()
    return Expected(stage, needed, until_ms, bool(call.started_at_us))
