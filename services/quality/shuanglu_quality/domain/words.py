"""Words of the house that every rule uses. Values equal the names in the protos without their prefix."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is in a session."""

    CUSTOMER = "CUSTOMER"
    AGENT = "AGENT"
    CO_SIGNER = "CO_SIGNER"
    WITNESS = "WITNESS"
    SUPERVISOR = "SUPERVISOR"


class Outcome(StrEnum):
    """Result of a check and of a session."""

    PASS = "PASS"  # noqa: S105 - a result, not a password
    FAIL = "FAIL"
    UNSURE = "UNSURE"


class Severity(StrEnum):
    """How much a finding weighs: minor is shown only, major can prevent a PASS, critical can make a FAIL."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class TrackKind(StrEnum):
    """What a track carries."""

    AUDIO = "AUDIO"
    VIDEO = "VIDEO"
    SCREEN = "SCREEN"


class GapCause(StrEnum):
    """Why a stretch of a track has no media."""

    MISSING = "MISSING"  # nothing was recorded: a pause, a late start, an early end
    DAMAGED = "DAMAGED"  # recorded, and not readable any more
    DISCONTINUITY = "DISCONTINUITY"  # the file's clock jumps; what lies between is not known
    MUTED = "MUTED"  # live: switched off by the participant
    LOST = "LOST"  # live: sent, and lost on the way
    AWAY = "AWAY"  # live: not connected
    HELD = "HELD"  # live: the call was on hold
    RECORDER = "RECORDER"  # live: our media server or recorder was down


@dataclass(frozen=True, slots=True)
class Text:
    """The same sentence in both languages of the house."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, order=True)
class ModelRef:
    """Which model saw or heard, and which version of it."""

    name: str
    version: str


ROLE_NAMES = {
    Role.CUSTOMER: Text("客户", "customer"),
    Role.AGENT: Text("客户经理", "agent"),
    Role.CO_SIGNER: Text("共同签署人", "co-signer"),
    Role.WITNESS: Text("见证人", "witness"),
    Role.SUPERVISOR: Text("主管", "supervisor"),
}


def role_name(role: Role | None) -> Text:
    """A role's name for people; of nobody in particular where no role is known."""
    return Text("参与人", "participant") if role is None else ROLE_NAMES[role]


def clock_text(at_ms: int) -> str:
    """A position for people: minutes, seconds and tenths, such as `01:07.5`."""
    tenths = round(at_ms / 100)
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"
