"""What is told of a call when it changes. Ids only."""

from dataclasses import dataclass

from shuanglu_signaling.domain.call_table import EndReason, StallAction
from shuanglu_signaling.domain.session import Participant


@dataclass(frozen=True, slots=True)
class CallOpened:
    """Somebody came first: the call has a media node and a recorder."""

    node: str


@dataclass(frozen=True, slots=True)
class ParticipantInvited:
    """An invitation was made."""

    participant: Participant
    invitation_id: str


@dataclass(frozen=True, slots=True)
class InvitationRevoked:
    """An invitation was taken back."""

    invitation_id: str


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Came in, or back."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantLive:
    """Media arrives."""

    participant_id: str
    connection: int


@dataclass(frozen=True, slots=True)
class ParticipantAway:
    """The connection is lost."""

    participant_id: str
    connection: int


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Left, or did not come back in time."""

    participant_id: str


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """A take began; microseconds since the epoch."""

    node_id: str
    take: int
    started_at_us: int


@dataclass(frozen=True, slots=True)
class NodeFinished:
    """A take ended; microseconds since the epoch."""

    node_id: str
    take: int
    started_at_us: int
    finished_at_us: int


@dataclass(frozen=True, slots=True)
class CallHeld:
    """On hold by the agent."""


@dataclass(frozen=True, slots=True)
class CallResumed:
    """Taken up again by the agent."""


@dataclass(frozen=True, slots=True)
class RecordingProven:
    """Bytes of every required track have been seen on disk and in the store."""


@dataclass(frozen=True, slots=True)
class RecordingStalled:
    """A required track does not grow; what the strategy does about it."""

    action: StallAction


@dataclass(frozen=True, slots=True)
class RecordingResumed:
    """It grows again."""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """Over for the participants."""

    reason: EndReason


CallEvent = (
    CallOpened
    | ParticipantInvited
    | InvitationRevoked
    | ParticipantJoined
    | ParticipantLive
    | ParticipantAway
    | ParticipantLeft
    | NodeStarted
    | NodeFinished
    | CallHeld
    | CallResumed
    | RecordingProven
    | RecordingStalled
    | RecordingResumed
    | CallEnded
)
