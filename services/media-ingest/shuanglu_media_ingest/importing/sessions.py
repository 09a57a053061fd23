"""Sessions, asked of signaling over gRPC with the caller's own token: signaling decides what the caller may see."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc

from shuanglu.common.v1.types_pb2 import ParticipantRole
from shuanglu.session.v1.session_pb2 import SessionState
from shuanglu.session.v1.session_service_pb2 import GetSessionRequest
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceStub
from shuanglu_media_ingest.domain.imports import Inspection, Person
from shuanglu_media_ingest.errors import SessionNotFound, SessionsUnavailable

TIMEOUT_S = 5.0
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Session:
    """What an import needs to know of a session. `state` without its prefix, such as `CREATED`."""

    order_id: str
    state: str
    people: tuple[Person, ...]
    inspection: Inspection


class SignalingSessions:
    """The port `Sessions` of rpc.py."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Callable[[], Metadata]) -> None:
        """`metadata`: of a call on behalf of the caller."""
        self._stub, self._metadata = SessionServiceStub(channel), metadata

    async def get(self, session_id: str) -> Session:
        """See Sessions."""
        request = GetSessionRequest(session_id=session_id)
        try:
            answer = await self._stub.GetSession(request, timeout=TIMEOUT_S, metadata=self._metadata())
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
                raise SessionNotFound from error
            raise SessionsUnavailable(f"signaling answered {error.code().name}") from error
        session = answer.session
        return Session(
            order_id=session.order_id,
            state=SessionState.Name(session.state).removeprefix("SESSION_STATE_"),
            people=tuple(
                Person(each.participant_id, ParticipantRole.Name(each.role).removeprefix("PARTICIPANT_ROLE_"))
                for each in session.participants
            ),
            inspection=Inspection(session.inspection.face_frames_per_kilosecond, tuple(session.inspection.languages)),
        )
