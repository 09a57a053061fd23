"""The call service as a participant uses it: gRPC through the gateway."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import grpc

from shuanglu.common.v1.types_pb2 import TrackKind
from shuanglu.session.v1 import call_service_pb2 as pb
from shuanglu.session.v1.call_pb2 import CallView
from shuanglu.session.v1.call_service_pb2_grpc import CallServiceStub
from shuanglu_caller.errors import CallerError, DoorRefused, DoorUnreachable
from shuanglu_cli.gateway import reason_and_help

CALL_TIMEOUT_S = 15.0
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway, and whom to trust. `ca`: none for the system's authorities."""

    gateway: str
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """Who we are in which session. `participant_id` may stay empty for a token that names it."""

    session_id: str
    participant_id: str
    token: str = field(repr=False)


class CallDesk:
    """One caller's line to the call service; a context manager. Every method raises CallerError."""

    def __init__(self, place: Place, token: str = "") -> None:
        parts = urlsplit(place.gateway)
        authority = f"{parts.hostname}:{parts.port or 443}"
        root = place.ca.read_bytes() if place.ca is not None else None
        # A channel of its own: callers of a benchmark must not share a connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.aio.secure_channel(authority, grpc.ssl_channel_credentials(root), options)
        self._stub = CallServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def _call(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, timeout=CALL_TIMEOUT_S, metadata=self._metadata)
        except grpc.RpcError as error:
            raise caller_error(error) from error

    async def ready(self) -> None:
        """Wait for the connection to the gateway."""
        await asyncio.wait_for(self._channel.channel_ready(), CALL_TIMEOUT_S)

    async def accept(self, code: str) -> Seat:
        """What the code of a link opens."""
        answer = await self._call(self._stub.AcceptInvitation, pb.AcceptInvitationRequest(code=code))
        return Seat(answer.session_id, answer.participant.participant_id, answer.token)

    async def invite(self, session_id: str, participant_id: str) -> str:
        """The code for a participant that the session has."""
        request = pb.CreateInvitationRequest(session_id=session_id, participant_id=participant_id)
        answer = await self._call(self._stub.CreateInvitation, request)
        return str(answer.invitation.code)

    async def join(self, seat: Seat) -> pb.JoinCallResponse:
        """Come in, or back."""
        request = pb.JoinCallRequest(session_id=seat.session_id, participant_id=seat.participant_id)
        answer: pb.JoinCallResponse = await self._call(self._stub.JoinCall, request)
        return answer

    async def leave(self, seat: Seat) -> None:
        """Go out."""
        request = pb.LeaveCallRequest(session_id=seat.session_id, participant_id=seat.participant_id)
        await self._call(self._stub.LeaveCall, request)

    async def mute(self, seat: Seat, kind: str, *, muted: bool) -> None:
        """Say that sound (`audio`) or picture (`video`) is switched off or on."""
        number = TrackKind.TRACK_KIND_AUDIO if kind == "audio" else TrackKind.TRACK_KIND_VIDEO
        request = pb.MuteTrackRequest(
            session_id=seat.session_id, participant_id=seat.participant_id, kind=number, muted=muted
        )
        await self._call(self._stub.MuteTrack, request)

    async def start_node(self, session_id: str, node_id: str) -> None:
        """Begin a node; the one before is finished."""
        await self._call(self._stub.StartNode, pb.StartNodeRequest(session_id=session_id, node_id=node_id))

    async def finish_node(self, session_id: str, node_id: str) -> None:
        """End a node."""
        await self._call(self._stub.FinishNode, pb.FinishNodeRequest(session_id=session_id, node_id=node_id))

    async def end(self, session_id: str) -> None:
        """End the call for everybody."""
        await self._call(self._stub.EndCall, pb.EndCallRequest(session_id=session_id))

    async def look(self, session_id: str) -> CallView:
        """The call as it is now."""
        answer = await self._call(self._stub.GetCall, pb.GetCallRequest(session_id=session_id))
        view: CallView = answer.call
        return view

    async def watch(self, session_id: str) -> AsyncGenerator[CallView, None]:
        """Every change until the stream ends; the caller asks again."""
        stream = self._stub.WatchSession(pb.WatchSessionRequest(session_id=session_id), metadata=self._metadata)
        try:
            async for answer in stream:
                yield answer.call
        except grpc.RpcError as error:
            raise caller_error(error) from error
        finally:
            stream.cancel()


def caller_error(error: grpc.RpcError) -> CallerError:
    """What the service said."""
    call: Any = error
    reason, _ = reason_and_help(call)
    kind = DoorUnreachable if call.code() in AWAY and not reason else DoorRefused
    return kind(f"{call.code().name}: {call.details()}", reason or call.code().name)
