"""The words of calls and their tables: who is there, and where a call stands.

Presence moves from step to step. A step that a row does not have is not possible there: for what a person asks it is
refused (NOT_JOINED), for what a media server or a clock tells it says nothing new.

    EXPECTED ──join──► JOINED ──up──► LIVE ──down, publish──► AWAY ──lapse──► LEFT ──join──► JOINED
                                       ▲ ─────────────── up ──┘
    leave: from everywhere but EXPECTED to LEFT

The call's own state moves nowhere: it is read off facts by the first line of `STATES` (domain/call.py) that holds.
"""

from collections.abc import Mapping
from enum import StrEnum


class CallState(StrEnum):
    """Where a call stands."""

    WAITING = "WAITING"
    ACTIVE = "ACTIVE"
    HELD = "HELD"
    ENDING = "ENDING"
    ENDED = "ENDED"


class EndReason(StrEnum):
    """Why a call ended."""

    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    ABANDONED = "ABANDONED"
    TIME_LIMIT = "TIME_LIMIT"
    RECORDING_LOST = "RECORDING_LOST"
    NEVER_JOINED = "NEVER_JOINED"


class Presence(StrEnum):
    """Whether a participant is there."""

    EXPECTED = "EXPECTED"
    JOINED = "JOINED"
    LIVE = "LIVE"
    AWAY = "AWAY"
    LEFT = "LEFT"


class Step(StrEnum):
    """What happens to a participant."""

    JOIN = "JOIN"
    PUBLISH = "PUBLISH"
    """Begins a new connection: what was sent on the one before is over."""
    UP = "UP"
    DOWN = "DOWN"
    LAPSE = "LAPSE"
    """The grace time is over."""
    LEAVE = "LEAVE"


PRESENCES: Mapping[Presence, Mapping[Step, Presence]] = {
    Presence.EXPECTED: {Step.JOIN: Presence.JOINED},
    Presence.JOINED: {
        Step.JOIN: Presence.JOINED,
        Step.PUBLISH: Presence.JOINED,
        Step.UP: Presence.LIVE,
        Step.LEAVE: Presence.LEFT,
    },
    Presence.LIVE: {
        Step.JOIN: Presence.LIVE,
        Step.PUBLISH: Presence.AWAY,
        Step.DOWN: Presence.AWAY,
        Step.LEAVE: Presence.LEFT,
    },
    Presence.AWAY: {
        Step.JOIN: Presence.AWAY,
        Step.PUBLISH: Presence.AWAY,
        Step.UP: Presence.LIVE,
        Step.LAPSE: Presence.LEFT,
        Step.LEAVE: Presence.LEFT,
    },
    Presence.LEFT: {Step.JOIN: Presence.JOINED, Step.LEAVE: Presence.LEFT},
}

CAN_PUBLISH = frozenset(presence for presence, row in PRESENCES.items() if Step.PUBLISH in row)
OVER = frozenset({CallState.ENDING, CallState.ENDED})


class TrackKind(StrEnum):
    """What a track of a call carries; its id is the participant's and this word in small letters."""

    AUDIO = "AUDIO"
    VIDEO = "VIDEO"


class AbsenceCause(StrEnum):
    """Why media was absent for a while."""

    MUTED = "MUTED"
    HELD = "HELD"
    AWAY = "AWAY"
    RECORDER = "RECORDER"


class StallAction(StrEnum):
    """What happens to a call whose recording stands still."""

    WARN = "WARN"
    HOLD = "HOLD"
    END = "END"


class ProofState(StrEnum):
    """What is known of a recording, never what was asked for."""

    PENDING = "PENDING"
    PROVEN = "PROVEN"
    STALLED = "STALLED"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"


class NetworkQuality(StrEnum):
    """How well a participant's media arrives."""

    UNSPECIFIED = "UNSPECIFIED"
    GOOD = "GOOD"
    FAIR = "FAIR"
    POOR = "POOR"
    LOST = "LOST"
