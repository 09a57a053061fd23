"""What signaling does for those who take part in a call."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from shuanglu_signaling.domain import call_course, call_people, guests
from shuanglu_signaling.domain.call import Call, Change, Person
from shuanglu_signaling.domain.call_ports import MediaPlane, Pass
from shuanglu_signaling.domain.call_proof import Proof, Sight, prove
from shuanglu_signaling.domain.call_stores import CallStore, Recorders, Tokens, Transition
from shuanglu_signaling.domain.call_table import EndReason, TrackKind
from shuanglu_signaling.domain.guests import Wanted
from shuanglu_signaling.domain.invitations import Invitation, code_hash_of
from shuanglu_signaling.domain.ports import SessionStore
from shuanglu_signaling.domain.session import Participant, Session
from shuanglu_signaling.domain.words import Channel, ParticipantRole, SessionState
from shuanglu_signaling.errors import (
    CallNotFound,
    CallRequestInvalid,
    InvitationNotFound,
    NotOwnSeat,
    RecorderUnavailable,
    RecordingNotProven,
    SessionNotFound,
    SessionNotLive,
)

CUSTOMER_SIDE = frozenset({ParticipantRole.CUSTOMER, ParticipantRole.CO_SIGNER, ParticipantRole.WITNESS})
OPEN_TRIES = 2


@dataclass(frozen=True, slots=True)
class CallCaller:
    """Who asks. `participant_id`: the token's own, else empty; `staff`: of the agent's side, not the customer's."""

    tenant: str
    participant_id: str = ""
    admission: Pass | None = None
    staff: bool = False

    def seat_in(self, call: Call, asked: str) -> Person:
        """As whom the caller acts.

        Raises NotOwnSeat, CallRequestInvalid, ParticipantNotFound and what `require_admission` does.
        """
        if self.participant_id and asked and asked != self.participant_id:
            raise NotOwnSeat("令牌属于另一参与人。The token stands for another participant.")
        who = self.participant_id or asked
        if not who:
            raise CallRequestInvalid("字段 participant_id 必填。participant_id is required.", field="participant_id")
        self.require_admission(call)
        person = call.person(who)
        if not self.staff and person.participant.role not in CUSTOMER_SIDE:
            raise NotOwnSeat("令牌不能代表此参与人。The token cannot stand for this participant.")
        return person

    def require_admission(self, call: Call) -> None:
        """Raises InvitationRevoked, SeatTaken if the caller's token does not count any more."""
        guests.require_admission(call, self.participant_id, self.admission)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Somebody was let in. `secret` is for the browser to keep."""

    tenant: str
    session_id: str
    participant: Participant
    token: str
    expires_at_us: int
    secret: str


def new_call(session: Session) -> Call:
    """A call of a session that nobody has joined yet."""
    people = tuple(Person(participant) for participant in session.participants)
    return Call(session.session_id, people, session.script, session.recording)


def require_live(session: Session) -> None:
    """Raises SessionNotLive for another channel, and for a session that has its recording already."""
    if session.channel is not Channel.REMOTE or session.progress.state is not SessionState.CREATED:
        raise SessionNotLive("该会话不能通话。The session cannot have a call.")


@dataclass(frozen=True, slots=True)
class CallDesk:
    """Serves the callers of calls. Time is the recorder's as soon as there is one."""

    sessions: SessionStore
    calls: CallStore
    recorders: Recorders
    media: MediaPlane
    tokens: Tokens
    new_id: Callable[[int], str]
    new_secret: Callable[[], str]

    async def invite(self, caller: CallCaller, session_id: str, wanted: Wanted, now_us: int) -> tuple[Invitation, str]:
        """Make an invitation: also its code, which is not kept.

        Raises SessionNotFound, SessionNotLive, CallEnded, ParticipantNotFound, CallRequestInvalid, TooManyInvitations,
        SeatTaken, InvitationRevoked.
        """
        # A token that was taken back must not make itself a new one.
        caller.require_admission(await self.ensure(caller, session_id))
        code, invitation_id = self.new_secret(), self.new_id(now_us)
        make = partial(guests.invite, wanted=wanted, invitation_id=invitation_id, code=code, now_us=now_us)
        call = await self.change(caller, session_id, make)
        return guests.find(call, invitation_id), code

    async def revoke(self, caller: CallCaller, session_id: str, invitation_id: str) -> None:
        """Take an invitation back; who came by it goes. Raises CallNotFound, InvitationNotFound."""
        call = await self.read(caller, session_id)
        person = call.person(guests.find(call, invitation_id).participant_id)
        came_by_it = bool(person.seat) and person.seat == guests.find(call, invitation_id).seat
        now_us = self.recorders.now_us(call.node)

        def take_back(now: Call) -> Change:
            change = guests.revoke(now, invitation_id)
            leave = partial(call_people.leave, participant_id=person.participant_id, at_us=now_us)
            return change.then(leave) if came_by_it else change

        await self.change(caller, session_id, take_back)
        if came_by_it and call.opened:
            await self.media.drop(call.node, caller.tenant, session_id, person.participant_id)

    async def accept(self, code: str, secret: str, now_us: int) -> Accepted:
        """Let a browser in. `secret`: what it brought from before, or empty.

        Raises InvitationNotFound, InvitationUsed, CallEnded, TokensNotSetUp.
        """
        code_hash, fresh = code_hash_of(code), self.new_secret()
        place = await self.calls.by_code(code_hash)
        if place is None:
            raise InvitationNotFound("没有此邀请。There is no such invitation.")
        tenant, session_id = place
        kept: list[tuple[Invitation, str]] = []

        def let_in(call: Call) -> Change:
            change, invitation, to_keep = guests.accept(call, code_hash, secret, fresh, now_us)
            kept[:] = [(invitation, to_keep)]
            return change

        call = await self.change(CallCaller(tenant), session_id, let_in)
        invitation, to_keep = kept[0]
        participant = call.person(invitation.participant_id).participant
        token = self.tokens.mint(tenant, session_id, participant, invitation.invitation_id, invitation.seat)
        return Accepted(tenant, session_id, participant, token, now_us + self.tokens.ttl_us, to_keep)

    async def join(self, caller: CallCaller, session_id: str, participant_id: str) -> tuple[Call, Person]:
        """Come in, or back; the first one opens the call.

        Raises SessionNotFound, SessionNotLive, CallEnded, RecorderUnavailable, and what `CallCaller.seat_in` does.
        """
        call = await self.ensure(caller, session_id)
        call.require_going_on()
        who = caller.seat_in(call, participant_id).participant_id
        if not call.opened or who not in call.recorded:
            call = await self.open(caller, call)
        seat = caller.admission.seat if caller.admission else 0
        at_us = self.recorders.now_us(call.node)

        def come(now: Call) -> Change:
            caller.require_admission(now)
            return call_people.join(now, who, seat, at_us)

        seat_before = call.person(who).seat
        call = await self.change(caller, session_id, come)
        if seat > seat_before > 0:
            # Somebody came in anew: the tab before neither sends nor sees any more.
            await self.media.drop(call.node, caller.tenant, session_id, who)
        return call, call.person(who)

    async def open(self, caller: CallCaller, call: Call) -> Call:
        """Have a recorder and a room ready for everybody. Raises RecorderUnavailable."""
        session = await self.sessions.get(caller.tenant, call.session_id)
        if session is None:
            raise SessionNotFound("没有此会话。There is no such session.")
        for attempt in range(OPEN_TRIES):
            chosen = call.node or self.media.place()
            call = await self.change(caller, call.session_id, partial(call_course.place, node=chosen))
            try:
                return await self.open_on(caller, call, session)
            except RecorderUnavailable:
                call = await self.change(caller, call.session_id, partial(call_course.unplace, node=call.node))
                if call.opened or attempt + 1 == OPEN_TRIES:
                    raise
        raise RecorderUnavailable("没有可用的录制节点。No media node can record.")

    async def open_on(self, caller: CallCaller, call: Call, session: Session) -> Call:
        """Recorder first, then the room: nobody can send what would not be recorded. Raises RecorderUnavailable."""
        people = guests.participants_of(call)
        prefix = await self.recorders.open(call.node, caller.tenant, call.session_id, people, session.inspection)
        await self.media.open_room(call.node, caller.tenant, call.session_id)
        at_us, ids = self.recorders.now_us(call.node), tuple(person.participant_id for person in people)
        return await self.change(
            caller,
            call.session_id,
            lambda now: call_course.open_call(now, prefix, at_us).then(
                partial(call_course.recorded, participant_ids=ids)
            ),
        )

    async def leave(self, caller: CallCaller, session_id: str, participant_id: str) -> None:
        """Go out. Raises CallNotFound and what `CallCaller.seat_in` does."""
        call = await self.read(caller, session_id)
        who = caller.seat_in(call, participant_id).participant_id
        out = partial(call_people.leave, participant_id=who, at_us=self.recorders.now_us(call.node))
        await self.change(caller, session_id, out)
        if call.opened:
            await self.media.drop(call.node, caller.tenant, session_id, who)

    async def mute(
        self,
        caller: CallCaller,
        session_id: str,
        participant_id: str,
        kind: TrackKind,
        muted: bool,  # noqa: FBT001 - as asked
    ) -> Call:
        """Switch sound or picture off or on. Raises CallNotFound, CallEnded and what `CallCaller.seat_in` does."""
        call = await self.read(caller, session_id)
        who = caller.seat_in(call, participant_id).participant_id
        at_us = self.recorders.now_us(call.node)
        switch = partial(call_people.mute, participant_id=who, kind=kind, muted=muted, at_us=at_us)
        return await self.change(caller, session_id, switch)

    async def hold(self, caller: CallCaller, session_id: str, held: bool) -> Call:  # noqa: FBT001 - as asked
        """Put on hold, or take up again. Raises CallNotFound, CallEnded."""
        call = await self.read(caller, session_id)
        return await self.change(
            caller, session_id, partial(call_course.hold, held=held, at_us=self.recorders.now_us(call.node))
        )

    async def start_node(self, caller: CallCaller, session_id: str, node_id: str) -> Call:
        """Begin a take. Raises CallNotFound, CallEnded, CallHeld, NodeNotFound, RecordingNotProven."""
        call = await self.read(caller, session_id)
        at_us, proof = self.recorders.now_us(call.node), self.proof(caller.tenant, call)

        def start(now: Call) -> Change:
            change = call_course.start_node(now, node_id, at_us)
            # The first node may begin: it cannot be passed before the proof.
            if now.takes and change.call is not now:
                require_proven(now, proof)
            return change

        return await self.change(caller, session_id, start)

    async def finish_node(self, caller: CallCaller, session_id: str, node_id: str) -> Call:
        """End a take. Raises CallNotFound, CallEnded, CallHeld, NodeNotRunning, RecordingNotProven."""
        call = await self.read(caller, session_id)
        at_us, proof = self.recorders.now_us(call.node), self.proof(caller.tenant, call)

        def finish(now: Call) -> Change:
            change = call_course.finish_node(now, node_id, at_us)
            if change.call is not now:
                require_proven(now, proof)
            return change

        return await self.change(caller, session_id, finish)

    async def end(self, caller: CallCaller, session_id: str, cancelled: bool) -> Call:  # noqa: FBT001 - as asked
        """End for everybody; again changes nothing. Raises CallNotFound."""
        call = await self.read(caller, session_id)
        reason = EndReason.CANCELLED if cancelled else EndReason.COMPLETED
        at_us = self.recorders.now_us(call.node)
        return await self.change(caller, session_id, partial(call_course.end, reason=reason, at_us=at_us))

    async def get(self, caller: CallCaller, session_id: str) -> Call:
        """Read. Raises CallNotFound also before anybody has joined, SeatTaken, InvitationRevoked."""
        call = await self.read(caller, session_id)
        if not call.opened and call.end_reason is None:
            raise CallNotFound("尚无人加入。Nobody has joined yet.")
        return call

    def sight(self, tenant: str, call: Call) -> Sight:
        """What the recorder says of a call."""
        return self.recorders.sight(call.node, tenant, call.session_id)

    def proof(self, tenant: str, call: Call) -> Proof:
        """The proof of a call's recording, now."""
        return prove(call, self.sight(tenant, call), self.recorders.now_us(call.node))

    async def ensure(self, caller: CallCaller, session_id: str) -> Call:
        """The session's call, made if there is none. Raises SessionNotFound, SessionNotLive."""
        call = await self.calls.get(caller.tenant, session_id)
        if call is not None:
            return call
        session = await self.sessions.get(caller.tenant, session_id)
        if session is None:
            raise SessionNotFound("没有此会话。There is no such session.")
        require_live(session)
        return await self.calls.add(caller.tenant, new_call(session))

    async def read(self, caller: CallCaller, session_id: str) -> Call:
        """A call as it is. Raises CallNotFound, SeatTaken, InvitationRevoked."""
        call = await self.calls.get(caller.tenant, session_id)
        if call is None:
            raise CallNotFound("该会话没有通话。The session has no call.")
        caller.require_admission(call)
        return call

    async def change(self, caller: CallCaller, session_id: str, transition: Transition) -> Call:
        """Apply; the call behind it. Raises CallNotFound and what the transition raises."""
        changed = await self.calls.change(caller.tenant, session_id, transition)
        if changed is None:
            raise CallNotFound("该会话没有通话。The session has no call.")
        return changed.after


def require_proven(call: Call, proof: Proof) -> None:
    """Raises RecordingNotProven, naming the tracks. What was proven once is: bytes in the store do not go away."""
    if not call.proven and (proof.unproven or not proof.tracks):
        raise RecordingNotProven("录制尚未得到确认。The recording is not proven yet.", tracks=",".join(proof.unproven))
