"""Who may publish and watch, and who is there: what the WHIP and WHEP door and the media servers' events ask."""

from dataclasses import dataclass, field
from functools import partial

from shuanglu_common.errors import DependencyError
from shuanglu_signaling.domain import call_people, guests
from shuanglu_signaling.domain.call import Call, Change, Person
from shuanglu_signaling.domain.call_ports import MediaPlane, Pass, Seat
from shuanglu_signaling.domain.call_stores import CallStore, Recorders, Transition
from shuanglu_signaling.domain.call_table import CAN_PUBLISH, OVER
from shuanglu_signaling.errors import CallNotFound, NotJoined, ParticipantNotFound

MOST_LATE = 10_000


@dataclass(frozen=True, slots=True)
class Late:
    """Something that happened to a connection and could not be written at once."""

    seat: Seat
    up: bool
    at_us: int


@dataclass(slots=True)
class SeatDesk:
    """The port `Seats`."""

    calls: CallStore
    recorders: Recorders
    media: MediaPlane
    grace_us: int
    late: dict[tuple[str, str, str, int], Late] = field(default_factory=dict)
    """The newest thing of each connection that the database was away for."""
    lost_nodes: dict[str, int] = field(default_factory=dict)
    """Nodes that were lost and whose calls do not all know it yet, with the time."""

    async def publisher(self, tenant: str, session_id: str, participant_id: str, admission: Pass | None = None) -> Seat:
        """A fresh connection; older ones of this participant are ended."""
        at_us = self.recorders.now_us((await self.read(tenant, session_id)).node)

        def begin(call: Call) -> Change:
            guests.require_admission(call, participant_id, admission)
            require_opened(call)
            return call_people.publish(call, participant_id, self.grace_us, at_us)

        changed = await self.calls.change(tenant, session_id, begin)
        if changed is None:
            raise CallNotFound("该会话没有通话。The session has no call.")
        seat = seat_of(tenant, changed.after, changed.after.person(participant_id))
        await self.media.drop(seat.node, tenant, session_id, participant_id, older_than=seat.connection)
        await self.media.open_room(seat.node, tenant, session_id)
        return seat

    async def watcher(
        self, tenant: str, session_id: str, participant_id: str, watched: str, admission: Pass | None = None
    ) -> Seat:
        """The watcher's own seat."""
        call = await self.read(tenant, session_id)
        guests.require_admission(call, participant_id, admission)
        call.require_going_on()
        require_opened(call)
        person = call.person(participant_id)
        if person.presence not in CAN_PUBLISH:
            raise NotJoined("该参与人不在通话中。The participant is not in the call.")
        call.person(watched)
        return seat_of(tenant, call, person)

    async def media_up(self, seat: Seat) -> None:
        """Now, or as soon as the database is back."""
        await self.note(Late(seat, True, self.recorders.now_us(seat.node)))

    async def media_down(self, seat: Seat, reason: str) -> None:  # noqa: ARG002 - for the log of who hears it
        """Now, or as soon as the database is back."""
        await self.note(Late(seat, False, self.recorders.now_us(seat.node)))

    async def node_lost(self, node: str) -> None:
        """Now, or as soon as the database is back."""
        self.lost_nodes.setdefault(node, self.recorders.now_us(node))
        await self.catch_up()

    async def note(self, late: Late) -> None:
        """Write what happened, or keep it for later."""
        if len(self.late) < MOST_LATE:
            seat = late.seat
            self.late[seat.tenant, seat.session_id, seat.participant_id, seat.connection] = late
        await self.catch_up()

    async def catch_up(self) -> None:
        """Write all that is kept, oldest first; what cannot be written stays."""
        try:
            for node, at_us in list(self.lost_nodes.items()):
                await self.tell_lost(node, at_us)
                if self.lost_nodes.get(node) == at_us:
                    del self.lost_nodes[node]
            for key, late in list(self.late.items()):
                await self.write(late)
                if self.late.get(key) is late:
                    del self.late[key]
        except DependencyError:
            return

    async def tell_lost(self, node: str, at_us: int) -> None:
        """Every call of a node that was lost."""
        lose = partial(call_people.node_lost, grace_us=self.grace_us, at_us=at_us)
        for tenant, call in await self.calls.going_on():
            if call.node == node and call.state not in OVER:
                await self.calls.change(tenant, call.session_id, lose)

    async def write(self, late: Late) -> None:
        """One thing that happened to a connection."""
        seat = late.seat
        who, number = seat.participant_id, seat.connection
        step: Transition = partial(call_people.media_up, participant_id=who, connection=number, at_us=late.at_us)
        if not late.up:
            step = partial(
                call_people.media_down, participant_id=who, connection=number, grace_us=self.grace_us, at_us=late.at_us
            )
        try:
            await self.calls.change(seat.tenant, seat.session_id, step)
        except ParticipantNotFound:
            return

    async def read(self, tenant: str, session_id: str) -> Call:
        """Raises CallNotFound."""
        call = await self.calls.get(tenant, session_id)
        if call is None:
            raise CallNotFound("该会话没有通话。The session has no call.")
        return call


def require_opened(call: Call) -> None:
    """Raises CallNotFound."""
    if not call.opened and call.end_reason is None:
        raise CallNotFound("尚无人加入。Nobody has joined yet.")


def seat_of(tenant: str, call: Call, person: Person) -> Seat:
    """What a person may do with media, now."""
    return Seat(
        tenant=tenant,
        session_id=call.session_id,
        participant_id=person.participant_id,
        connection=person.connection,
        node=call.node,
        file_prefix=call.file_prefix,
    )
