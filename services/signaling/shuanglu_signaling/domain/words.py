"""Words of the house that orders and sessions share."""

from enum import StrEnum


class Channel(StrEnum):
    """How customer and agent meet."""

    REMOTE = "REMOTE"
    COUNTER = "COUNTER"
    FIELD = "FIELD"
    IMPORT = "IMPORT"


class ParticipantRole(StrEnum):
    """What a person is in a session."""

    CUSTOMER = "CUSTOMER"
    AGENT = "AGENT"
    CO_SIGNER = "CO_SIGNER"
    WITNESS = "WITNESS"
    SUPERVISOR = "SUPERVISOR"


class SessionState(StrEnum):
    """Where a session stands."""

    CREATED = "CREATED"
    RECORDING = "RECORDING"
    INSPECTING = "INSPECTING"
    REPORTED = "REPORTED"
    FAILED = "FAILED"
