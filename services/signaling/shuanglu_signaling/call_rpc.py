"""CallService: contracts in, the desk does the work, contracts out. The door has checked token and role already."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Any

import grpc

from shuanglu.session.v1 import call_pb2
from shuanglu.session.v1 import call_service_pb2 as pb
from shuanglu.session.v1.call_service_pb2_grpc import CallServiceServicer
from shuanglu_common.access import Role
from shuanglu_common.auth import current_principal
from shuanglu_common.clock import Clock
from shuanglu_common.errors import DependencyError
from shuanglu_signaling import call_wire, wire
from shuanglu_signaling.call_metrics import INVITATIONS
from shuanglu_signaling.call_news import CallNews
from shuanglu_signaling.call_wire import Viewer
from shuanglu_signaling.domain.call import Call
from shuanglu_signaling.domain.call_desk import CallCaller, CallDesk
from shuanglu_signaling.domain.call_ports import IceServers
from shuanglu_signaling.domain.call_table import CallState
from shuanglu_signaling.domain.guests import Wanted
from shuanglu_signaling.tokens import pass_of

Context = grpc.aio.ServicerContext[Any, Any]
STAFF = frozenset({Role.BANK_APP, Role.AGENT, Role.REVIEWER, Role.AUDITOR, Role.ADMIN, Role.OPS, Role.SERVICE})
COOKIE = "shuanglu_seat"
# The whole path: `/v1/invitations` would not match it (RFC 6265 §5.1.4 wants a `/` behind the prefix).
COOKIE_PATH = "/v1/invitations:accept"
COOKIE_DAYS = 14
# A watcher hears of every change at once, of a growing recording once a second, and of nothing every few seconds.
LOOK_S, GROWTH_S, POLL_S, BEAT_S = 0.5, 1.0, 2.0, 5.0


def caller() -> CallCaller:
    """Who made this call."""
    principal = current_principal()
    return CallCaller(
        principal.tenant, principal.participant_id or "", pass_of(principal), bool(STAFF & principal.roles)
    )


def brought_secret(context: Context) -> str:
    """The secret in the caller's cookie; empty without one."""
    for key, value in context.invocation_metadata() or ():
        if key == "cookie" and isinstance(value, str):
            with suppress(CookieError):
                morsel = SimpleCookie(value).get(COOKIE)
                if morsel is not None:
                    return morsel.value
    return ""


def cookie_of(secret: str) -> str:
    """What the browser is to keep: no script reads it, no other site sends it (RFC 6265)."""
    age_s = COOKIE_DAYS * 86_400
    return f"{COOKIE}={secret}; Path={COOKIE_PATH}; Max-Age={age_s}; HttpOnly; Secure; SameSite=Strict"


class CallRpc(CallServiceServicer):
    """The public door for calls."""

    def __init__(self, desk: CallDesk, news: CallNews, ice: IceServers, clock: Clock, max_video_bitrate: int) -> None:
        """`max_video_bitrate`: bits per second that the media servers let through."""
        self.desk = desk
        self.news = news
        self.ice = ice
        self.clock = clock
        self.max_video_bitrate = max_video_bitrate

    async def CreateInvitation(  # noqa: N802
        self,
        request: pb.CreateInvitationRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.CreateInvitationResponse:
        """A link for one participant."""
        who = caller()
        wanted = Wanted(request.participant_id, wire.ROLE_OF.get(request.role), request.ttl_s)
        made, code = await self.desk.invite(who, request.session_id, wanted, self.clock.now_us())
        call = await self.desk.read(who, request.session_id)
        return pb.CreateInvitationResponse(
            invitation=call_pb2.Invitation(
                invitation_id=made.invitation_id,
                participant=wire.write_participant(call.person(made.participant_id).participant),
                code=code,
                link=f"/call#{code}",
                expires_at_us=made.expires_at_us,
            )
        )

    async def RevokeInvitation(  # noqa: N802
        self,
        request: pb.RevokeInvitationRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.RevokeInvitationResponse:
        """Take it back, and every token that came of it."""
        await self.desk.revoke(caller(), request.session_id, request.invitation_id)
        return pb.RevokeInvitationResponse()

    async def AcceptInvitation(  # noqa: N802
        self,
        request: pb.AcceptInvitationRequest,
        context: Context,
    ) -> pb.AcceptInvitationResponse:
        """Let a browser in. Needs no token: the code is the authority."""
        accepted = await self.desk.accept(request.code, brought_secret(context), self.clock.now_us())
        await context.send_initial_metadata((("set-cookie", cookie_of(accepted.secret)),))
        INVITATIONS.labels("accepted").inc()
        return pb.AcceptInvitationResponse(
            token=accepted.token,
            expires_at_us=accepted.expires_at_us,
            session_id=accepted.session_id,
            participant=wire.write_participant(accepted.participant),
        )

    async def JoinCall(self, request: pb.JoinCallRequest, context: Context) -> pb.JoinCallResponse:  # noqa: N802, ARG002
        """Come in, or back."""
        who = caller()
        call, person = await self.desk.join(who, request.session_id, request.participant_id)
        return pb.JoinCallResponse(
            call=self.view(who, call, person.participant_id),
            publish_path=f"/whip/{call.session_id}",
            watch_path=f"/whep/{call.session_id}/{{participant_id}}",
            ice_servers=[
                call_wire.write_ice_server(server)
                for server in self.ice.servers(f"{call.session_id}/{person.participant_id}")
            ],
            max_video_bitrate=self.max_video_bitrate,
        )

    async def LeaveCall(self, request: pb.LeaveCallRequest, context: Context) -> pb.LeaveCallResponse:  # noqa: N802, ARG002
        """Go out."""
        await self.desk.leave(caller(), request.session_id, request.participant_id)
        return pb.LeaveCallResponse()

    async def MuteTrack(self, request: pb.MuteTrackRequest, context: Context) -> pb.MuteTrackResponse:  # noqa: N802, ARG002
        """Switch sound or picture off or on."""
        who, kind = caller(), call_wire.read_kind(request.kind)
        call = await self.desk.mute(who, request.session_id, request.participant_id, kind, request.muted)
        return pb.MuteTrackResponse(call=self.view(who, call))

    async def HoldCall(self, request: pb.HoldCallRequest, context: Context) -> pb.HoldCallResponse:  # noqa: N802, ARG002
        """Put on hold, or take up again."""
        who = caller()
        return pb.HoldCallResponse(call=self.view(who, await self.desk.hold(who, request.session_id, request.held)))

    async def StartNode(self, request: pb.StartNodeRequest, context: Context) -> pb.StartNodeResponse:  # noqa: N802, ARG002
        """Begin a take."""
        who = caller()
        call = await self.desk.start_node(who, request.session_id, request.node_id)
        return pb.StartNodeResponse(call=self.view(who, call))

    async def FinishNode(self, request: pb.FinishNodeRequest, context: Context) -> pb.FinishNodeResponse:  # noqa: N802, ARG002
        """End a take."""
        who = caller()
        call = await self.desk.finish_node(who, request.session_id, request.node_id)
        return pb.FinishNodeResponse(call=self.view(who, call))

    async def EndCall(self, request: pb.EndCallRequest, context: Context) -> pb.EndCallResponse:  # noqa: N802, ARG002
        """End for everybody."""
        who = caller()
        call = await self.desk.end(who, request.session_id, request.cancelled)
        return pb.EndCallResponse(call=self.view(who, call))

    async def GetCall(self, request: pb.GetCallRequest, context: Context) -> pb.GetCallResponse:  # noqa: N802, ARG002
        """Read a call once."""
        who = caller()
        return pb.GetCallResponse(call=self.view(who, await self.desk.get(who, request.session_id)))

    async def WatchSession(  # noqa: N802
        self,
        request: pb.WatchSessionRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.WatchSessionResponse]:
        """Every change, until the call has ended. A database that is away for a while does not end it."""
        who, loop = caller(), asyncio.get_running_loop()
        call = await self.desk.get(who, request.session_id)
        async with self.news.listening(who.tenant, request.session_id) as changed:
            told, told_at, read_at = call_pb2.CallView(), 0.0, loop.time()
            while True:
                view, now = self.view(who, call), loop.time()
                if is_due(told, view, now - told_at):
                    yield pb.WatchSessionResponse(call=view)
                    told, told_at = view, now
                if call.state is CallState.ENDED:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), LOOK_S)
                if changed.is_set() or loop.time() - read_at >= POLL_S:
                    changed.clear()
                    with suppress(DependencyError):
                        call = await self.desk.get(who, request.session_id)
                    read_at = loop.time()

    def view(self, who: CallCaller, call: Call, participant_id: str = "") -> call_pb2.CallView:
        """The call as this caller may see it."""
        viewer = Viewer(who.participant_id or participant_id, who.staff)
        sight = self.desk.sight(who.tenant, call)
        return call_wire.write_call(call, sight, viewer, self.desk.recorders.now_us(call.node))


def is_due(told: call_pb2.CallView, view: call_pb2.CallView, age_s: float) -> bool:
    """Whether a watcher should hear of this: a change at once, growth once a second, nothing new at times."""
    if told.revision != view.revision or proof_states(told) != proof_states(view) or age_s >= BEAT_S:
        return True
    growing = told.recording != view.recording or told.participants != view.participants
    return growing and age_s >= GROWTH_S


def proof_states(view: call_pb2.CallView) -> tuple[object, ...]:
    """What must be told at once."""
    recording = view.recording
    return (
        view.started_at_us,
        recording.state,
        recording.storage_alarm,
        tuple(track.state for track in recording.tracks),
    )
