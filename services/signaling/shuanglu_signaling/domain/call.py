"""A call: the live part of a session.

Values are immutable; each thing that happens is a function from a call to a `Change`: the call behind it and what is
told. The same thing again changes nothing. All times are microseconds since the epoch on one clock, the recorder's:
a caller's clock never matters.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from shuanglu_signaling.domain.call_events import CallEvent
from shuanglu_signaling.domain.call_table import (
    OVER,
    AbsenceCause,
    CallState,
    EndReason,
    Presence,
    StallAction,
    TrackKind,
)
from shuanglu_signaling.domain.invitations import Invitation
from shuanglu_signaling.domain.script import RecordingPolicy, ScriptNode
from shuanglu_signaling.domain.session import Participant
from shuanglu_signaling.errors import CallEnded, ParticipantNotFound

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
