"""A call: the live part of a session.

Values are immutable; each thing that happens is a function from a call to a `Change`: the call behind it and what is
told. The same thing again changes nothing. All times are microseconds since the epoch on one clock, the recorder's:
a caller's clock never matters.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from shuanglu_signaling.domain import call_events as events
from shuanglu_signaling.domain.call_events import CallEvent
from shuanglu_signaling.domain.call_table import (
    CAN_PUBLISH,
    OVER,
    PRESENCES,
    AbsenceCause,
    CallState,
    EndReason,
    Presence,
    StallAction,
    Step,
    TrackKind,
)
from shuanglu_signaling.domain.invitations import Invitation
from shuanglu_signaling.domain.script import RecordingPolicy, ScriptNode
from shuanglu_signaling.domain.session import Participant
from shuanglu_signaling.errors import CallEnded, CallHeld, NodeNotFound, NodeNotRunning, NotJoined, ParticipantNotFound

# More than any person does in the longest call; what lies beyond is not kept, so that no row grows without end.
MAX_MARKS = 2000


@dataclass(frozen=True, slots=True)
class Mark:
    """Why media was absent for a while. No participant: of all; no kind: sound and picture."""

    participant_id: str
    kind: TrackKind | None
    cause: AbsenceCause
    start_at_us: int
    end_at_us: int


@dataclass(frozen=True, slots=True)
class Take:
    """One attempt at a node; the end is 0 while it goes on."""

    node_id: str
    take: int
    start_at_us: int
    end_at_us: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """A participant of a call.

    `original`: the session was made with this person. `connection`: of the newest publication, 0 before the first.
    `lost_connection`: the newest one that is over. `seat`: number of the newest acceptance of an invitation.
    `absent_since_us`: since when there is no media that was there before, else 0.
    """

    participant: Participant
    original: bool = True
    presence: Presence = Presence.EXPECTED
    connection: int = 0
    lost_connection: int = 0
    seat: int = 0
    absent_since_us: int = 0
    absent_cause: AbsenceCause = AbsenceCause.AWAY
    away_until_us: int = 0
    audio_muted_since_us: int = 0
    video_muted_since_us: int = 0

    @property
    def participant_id(self) -> str:
        """Who."""
        return self.participant.participant_id

    @property
    def due_connection(self) -> int:
        """Number of the connection there is, or that must be made: who published under a lower one does so anew."""
        return self.connection if self.connection != self.lost_connection else self.connection + 1

    def muted_since_us(self, kind: TrackKind) -> int:
        """Since when it is switched off; 0 if it is not."""
        return self.audio_muted_since_us if kind is TrackKind.AUDIO else self.video_muted_since_us


@dataclass(frozen=True, slots=True)
class Call:
    """The live part of one session. `node` and `file_prefix` are empty until somebody has joined."""

    session_id: str
    people: tuple[Person, ...]
    script: tuple[ScriptNode, ...]
    policy: RecordingPolicy
    invitations: tuple[Invitation, ...] = ()
    takes: tuple[Take, ...] = ()
    marks: tuple[Mark, ...] = ()
    node: str = ""
    file_prefix: str = ""
    recorded: tuple[str, ...] = ()  # participants whom the recorder knows of
    opened_at_us: int = 0
    started_at_us: int = 0  # of the timeline: the recorder's first byte
    nobody_since_us: int = 0  # since when nobody is LIVE; 0 while somebody is
    held_since_us: int = 0  # by the agent
    stalled_since_us: int = 0
    proven: bool = False
    end_reason: EndReason | None = None
    ended_at_us: int = 0
    closed: bool = False  # the recorder knows that nothing more comes
    complete: bool = False  # all is stored, or there is nothing to store
    empty: bool = False  # not one byte was recorded
    revision: int = 0

    @property
    def state(self) -> CallState:
        """Where the call stands."""
        return next(state for state, holds in STATES if holds(self))

    @property
    def current(self) -> Take | None:
        """The take that goes on."""
        return self.takes[-1] if self.takes and not self.takes[-1].end_at_us else None

    @property
    def needed(self) -> tuple[Person, ...]:
        """Whose sound and picture must be recorded."""
        roles = self.policy.required_roles
        return tuple(p for p in self.people if (p.participant.role in roles if roles else p.original))

    @property
    def opened(self) -> bool:
        """Whether somebody has joined."""
        return bool(self.file_prefix)

    def person(self, participant_id: str) -> Person:
        """Raises ParticipantNotFound."""
        for each in self.people:
            if each.participant_id == participant_id:
                return each
        raise ParticipantNotFound("会话没有此参与人。The session has no such participant.")

    def require_going_on(self) -> None:
        """Raises CallEnded."""
        if self.state in OVER:
            raise CallEnded("通话已结束。The call is over.")


def is_held(call: Call) -> bool:
    """By the agent, or because the recording stands still and the strategy does not go on without."""
    return bool(call.held_since_us or (call.stalled_since_us and call.policy.on_stall is not StallAction.WARN))


STATES: tuple[tuple[CallState, Callable[[Call], bool]], ...] = (
    (CallState.ENDED, lambda call: call.complete),
    (CallState.ENDING, lambda call: call.end_reason is not None),
    (CallState.HELD, is_held),
    (CallState.ACTIVE, lambda call: bool(call.needed) and all(p.presence is Presence.LIVE for p in call.needed)),
    (CallState.WAITING, lambda _: True),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A call behind a thing that happened, and what is told of it."""

    call: Call
    events: tuple[CallEvent, ...] = ()

    def then(self, step: Callable[[Call], "Change"]) -> "Change":
        """One thing after the other."""
        after = step(self.call)
        return Change(after.call, self.events + after.events)

    def numbered(self, revision: int) -> "Change":
        """With the call's next revision."""
        return Change(replace(self.call, revision=revision), self.events)


def with_person(call: Call, person: Person, at_us: int) -> Call:
    """With a person as he is now, and since when nobody is there."""
    people = tuple(person if each.participant_id == person.participant_id else each for each in call.people)
    someone = any(each.presence is Presence.LIVE for each in people)
    return replace(call, people=people, nobody_since_us=0 if someone else call.nobody_since_us or at_us)


def with_mark(call: Call, mark: Mark) -> Call:
    """With a mark, unless it is empty."""
    if mark.end_at_us <= mark.start_at_us or len(call.marks) >= MAX_MARKS:
        return call
    return replace(call, marks=(*call.marks, mark))


def place(call: Call, node: str) -> Change:
    """The first one who comes decides for a media node; later ones find it."""
    call.require_going_on()
    return Change(call if call.node else replace(call, node=node))


def unplace(call: Call, node: str) -> Change:
    """The node could not be opened: the next one who comes may choose another."""
    return Change(replace(call, node="") if call.node == node and not call.opened else call)


def open_call(call: Call, file_prefix: str, at_us: int) -> Change:
    """The recorder is ready."""
    if call.opened or call.state in OVER:
        return Change(call)
    opened = replace(call, file_prefix=file_prefix, opened_at_us=at_us, nobody_since_us=at_us)
    return Change(opened, (events.CallOpened(call.node),))


def recorded(call: Call, participant_ids: tuple[str, ...]) -> Change:
    """The recorder knows of these people."""
    return Change(replace(call, recorded=tuple(dict.fromkeys((*call.recorded, *participant_ids)))))


def join(call: Call, participant_id: str, seat: int, at_us: int) -> Change:
    """Come in, or back. `seat` 0: the caller's token is not of an invitation. Raises CallEnded, ParticipantNotFound."""
    call.require_going_on()
    person = call.person(participant_id)
    presence = PRESENCES[person.presence][Step.JOIN]
    after = with_person(call, replace(person, presence=presence, seat=max(person.seat, seat)), at_us)
    told = () if presence is person.presence else (events.ParticipantJoined(person.participant),)
    return Change(after, told)


def publish(call: Call, participant_id: str, grace_us: int, at_us: int) -> Change:
    """Begin a new connection. Raises CallEnded, ParticipantNotFound, NotJoined."""
    call.require_going_on()
    person = call.person(participant_id)
    presence = PRESENCES[person.presence].get(Step.PUBLISH)
    if presence is None:
        raise NotJoined("该参与人不在通话中。The participant is not in the call.")
    fresh = replace(person, presence=presence, connection=person.connection + 1)
    if presence is Presence.AWAY:
        since = person.absent_since_us or at_us
        fresh = replace(fresh, absent_since_us=since, away_until_us=at_us + grace_us)
    told: tuple[CallEvent, ...] = ()
    if person.presence is Presence.LIVE:
        fresh = replace(fresh, absent_cause=AbsenceCause.AWAY)
        told = (events.ParticipantAway(participant_id, person.connection),)
    return Change(with_person(call, fresh, at_us), told)


def media_up(call: Call, participant_id: str, connection: int, at_us: int) -> Change:
    """Media flows on a connection; older ones and those that are over do not count."""
    person = call.person(participant_id)
    presence = PRESENCES[person.presence].get(Step.UP)
    if presence is None or not is_current(person, connection) or call.state in OVER:
        return Change(call)
    live = replace(person, presence=presence, absent_since_us=0, away_until_us=0, absent_cause=AbsenceCause.AWAY)
    after = with_mark(with_person(call, live, at_us), absence(person, at_us))
    return Change(after, (events.ParticipantLive(participant_id, connection),))


def is_current(person: Person, connection: int) -> bool:
    """Whether a connection is the person's newest and not over."""
    return connection == person.connection != person.lost_connection


def absence(person: Person, at_us: int) -> Mark:
    """Why a person's media was absent until now; empty if it was not."""
    since = person.absent_since_us or at_us
    return Mark(person.participant_id, None, person.absent_cause, since, at_us)


def media_down(
    call: Call,
    participant_id: str,
    connection: int,
    grace_us: int,
    at_us: int,
    cause: AbsenceCause = AbsenceCause.AWAY,
) -> Change:
    """A connection is over, also one that never came up: another one must be begun. Older ones do not count."""
    person = call.person(participant_id)
    if not is_current(person, connection) or person.presence not in CAN_PUBLISH or call.state in OVER:
        return Change(call)
    lost = replace(person, lost_connection=connection)
    return quiet(with_person(call, lost, at_us), participant_id, grace_us, at_us, cause=cause)


def quiet(
    call: Call,
    participant_id: str,
    grace_us: int,
    at_us: int,
    since_us: int = 0,
    cause: AbsenceCause = AbsenceCause.AWAY,
) -> Change:
    """No media comes any more; the connection may get well again. `since_us`: when it stopped, if that is known."""
    person = call.person(participant_id)
    presence = PRESENCES[person.presence].get(Step.DOWN)
    if presence is None or call.state in OVER:
        return Change(call)
    away = replace(
        person,
        presence=presence,
        absent_since_us=min(since_us or at_us, at_us),
        absent_cause=cause,
        away_until_us=at_us + grace_us,
    )
    return Change(with_person(call, away, at_us), (events.ParticipantAway(participant_id, person.connection),))


def node_lost(call: Call, grace_us: int, at_us: int) -> Change:
    """The media server is gone: everybody on it must publish anew."""
    change = Change(call)
    for person in call.people:
        if person.connection:
            lost = partial(
                media_down,
                participant_id=person.participant_id,
                connection=person.connection,
                grace_us=grace_us,
                at_us=at_us,
                cause=AbsenceCause.RECORDER,
            )
            change = change.then(lost)
    return change


def leave(call: Call, participant_id: str, at_us: int, step: Step = Step.LEAVE) -> Change:
    """Go out, or be taken for gone. Who has not come or has left already stays so. Raises ParticipantNotFound."""
    person = call.person(participant_id)
    presence = PRESENCES[person.presence].get(step, person.presence)
    if presence is person.presence or call.state in OVER:
        return Change(call)
    since = (person.absent_since_us or at_us) if person.connection else 0
    left = replace(person, presence=presence, lost_connection=person.connection, absent_since_us=since, away_until_us=0)
    return Change(with_person(call, left, at_us), (events.ParticipantLeft(participant_id),))


def mute(call: Call, participant_id: str, kind: TrackKind, muted: bool, at_us: int) -> Change:  # noqa: FBT001 - as asked
    """Switch sound or picture off or on. Raises CallEnded, ParticipantNotFound."""
    call.require_going_on()
    person = call.person(participant_id)
    since = person.muted_since_us(kind)
    if bool(since) is muted:
        return Change(call)
    now = at_us if muted else 0
    audio = kind is TrackKind.AUDIO
    after = replace(person, audio_muted_since_us=now) if audio else replace(person, video_muted_since_us=now)
    changed = with_person(call, after, at_us)
    if since:
        changed = with_mark(changed, Mark(participant_id, kind, AbsenceCause.MUTED, since, at_us))
    return Change(changed)


def hold(call: Call, held: bool, at_us: int) -> Change:  # noqa: FBT001 - as asked
    """Put on hold, or take up again. Raises CallEnded."""
    call.require_going_on()
    if bool(call.held_since_us) is held:
        return Change(call)
    if held:
        return Change(replace(call, held_since_us=at_us), (events.CallHeld(),))
    mark = Mark("", None, AbsenceCause.HELD, call.held_since_us, at_us)
    return Change(with_mark(replace(call, held_since_us=0), mark), (events.CallResumed(),))


def start_node(call: Call, node_id: str, at_us: int) -> Change:
    """Begin a take; the one that goes on is finished. The same node again while it goes on changes nothing.

    Raises CallEnded, CallHeld, NodeNotFound. Whether the recording is proven is for the caller to ask first.
    """
    call.require_going_on()
    require_not_held(call)
    if node_id not in {node.node_id for node in call.script}:
        raise NodeNotFound("话术中没有此环节。The script has no such node.")
    if call.current and call.current.node_id == node_id:
        return Change(call)
    take = Take(node_id, 1 + sum(each.node_id == node_id for each in call.takes), at_us)
    started = events.NodeStarted(node_id, take.take, at_us)
    change = finish_current(call, at_us)
    return Change(replace(change.call, takes=(*change.call.takes, take)), (*change.events, started))


def finish_node(call: Call, node_id: str, at_us: int) -> Change:
    """End the take that goes on. The node whose take ended last may be finished again: it changes nothing.

    Raises CallEnded, CallHeld, NodeNotRunning.
    """
    call.require_going_on()
    if call.current is None and call.takes and call.takes[-1].node_id == node_id:
        return Change(call)
    require_not_held(call)
    if call.current is None or call.current.node_id != node_id:
        raise NodeNotRunning("该环节未在进行。The node is not being performed.")
    return finish_current(call, at_us)


def require_not_held(call: Call) -> None:
    """Raises CallHeld."""
    if is_held(call):
        raise CallHeld("通话保持中。The call is on hold.")


def finish_current(call: Call, at_us: int) -> Change:
    """End the take that goes on, if any."""
    take = call.current
    if take is None:
        return Change(call)
    # One microsecond at least: a clock that was set back must not make a take end before it began.
    done = replace(take, end_at_us=max(at_us, take.start_at_us + 1))
    told = events.NodeFinished(take.node_id, take.take, take.start_at_us, done.end_at_us)
    return Change(replace(call, takes=(*call.takes[:-1], done)), (told,))


def end(call: Call, reason: EndReason, at_us: int) -> Change:
    """Over for everybody; the first reason stays. What goes on is finished, and every absence gets its end."""
    if call.state in OVER:
        return Change(call)
    change = finish_current(call, at_us)
    ended = change.call
    if ended.held_since_us:
        ended = with_mark(ended, Mark("", None, AbsenceCause.HELD, ended.held_since_us, at_us))
    for person in ended.people:
        for kind in TrackKind:
            if since := person.muted_since_us(kind):
                ended = with_mark(ended, Mark(person.participant_id, kind, AbsenceCause.MUTED, since, at_us))
        ended = with_mark(ended, absence(person, at_us))
    people = tuple(
        replace(
            person,
            presence=PRESENCES[person.presence].get(Step.LEAVE, person.presence),
            absent_since_us=0,
            away_until_us=0,
            audio_muted_since_us=0,
            video_muted_since_us=0,
        )
        for person in ended.people
    )
    over = replace(
        ended,
        people=people,
        held_since_us=0,
        stalled_since_us=0,
        nobody_since_us=0,
        end_reason=reason,
        ended_at_us=at_us,
        # Nobody came: there is no recorder to wait for.
        closed=not ended.opened,
        complete=not ended.opened,
        empty=not ended.opened,
    )
    return Change(over, (*change.events, events.CallEnded(reason)))


def closed(call: Call) -> Change:
    """The recorder knows that nothing more comes."""
    return Change(replace(call, closed=True) if call.end_reason else call)


def completed(call: Call, *, empty: bool = False) -> Change:
    """All is stored, or there is nothing to store."""
    if call.end_reason is None or call.complete:
        return Change(call)
    return Change(replace(call, closed=True, complete=True, empty=empty))
