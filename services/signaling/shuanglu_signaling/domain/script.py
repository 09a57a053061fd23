"""What a strategy gives to a call: its script, and what is asked of the recording."""

from dataclasses import dataclass

from shuanglu_signaling.domain.call_table import StallAction
from shuanglu_signaling.domain.words import ParticipantRole

STALL_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class ScriptNode:
    """One step of a script. `read_by`: None if nobody reads."""

    node_id: str
    title_zh: str
    title_en: str
    read_by: ParticipantRole | None
    text: str


@dataclass(frozen=True, slots=True)
class RecordingPolicy:
    """What is asked of a live recording. No roles: everybody whom the session was made with is required."""

    required_roles: tuple[ParticipantRole, ...] = ()
    on_stall: StallAction = StallAction.HOLD
    stall_patience_s: int = STALL_PATIENCE_S


HOLD_ON_STALL = RecordingPolicy()
