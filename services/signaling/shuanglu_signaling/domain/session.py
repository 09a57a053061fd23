"""Sessions: one dual recording of one order under one strategy version (双录会话)."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shuanglu_signaling.domain.lifecycle import Progress
from shuanglu_signaling.domain.script import HOLD_ON_STALL, RecordingPolicy, ScriptNode
from shuanglu_signaling.domain.words import Channel, ParticipantRole
from shuanglu_signaling.errors import SessionInvalid

MAX_PARTICIPANTS = 16
PARTICIPANT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
STRATEGY_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{8,64}")


@dataclass(frozen=True, slots=True)
class Participant:
    """A person in a session, by id and role only."""

    participant_id: str
    role: ParticipantRole


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the strategy asks of the workers: frames per 1000 s, languages (BCP 47)."""

    face_frames_per_kilosecond: int
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """One dual recording. `script` and `recording` are what its strategy version asks of a call."""

    session_id: str
    order_id: str
    channel: Channel
    strategy_id: str
    strategy_version: str
    participants: tuple[Participant, ...]
    inspection: Inspection
    created_at_us: int
    progress: Progress
    script: tuple[ScriptNode, ...] = ()
    recording: RecordingPolicy = HOLD_ON_STALL


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What a caller asks for. `strategy_id` and `idempotency_key` may be empty."""

    order_id: str
    channel: Channel
    strategy_id: str
    participants: tuple[Participant, ...]
    idempotency_key: str


def demand(holds: bool, field: str, zh: str, en: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raises SessionInvalid."""
    if not holds:
        raise SessionInvalid(f"字段 {field} {zh}。The field {field} {en}.", field=field)


def name_participants(people: Sequence[tuple[str, ParticipantRole]]) -> tuple[Participant, ...]:
    """Who takes part, from (id, role); an empty id is made from the role (`customer`, `co-signer-2`).

    Nobody at all means one customer and one agent. Raises SessionInvalid for ids that repeat or have a wrong shape, for
    too many people, and for a session without a customer.
    """
    people = people or (("", ParticipantRole.CUSTOMER), ("", ParticipantRole.AGENT))
    limit = (f"最多 {MAX_PARTICIPANTS} 人", f"may have {MAX_PARTICIPANTS} people at most")
    demand(len(people) <= MAX_PARTICIPANTS, "participants", *limit)
    seen: Counter[ParticipantRole] = Counter()
    named: list[Participant] = []
    for given, role in people:
        seen[role] += 1
        made = role.value.lower().replace("_", "-") + (f"-{seen[role]}" if seen[role] > 1 else "")
        named.append(Participant(given or made, role))
    ids = [person.participant_id for person in named]
    shape = ("只能含小写字母、数字、- 和 _", "may have lower-case letters, digits, - and _ only, 32 at most")
    demand(all(PARTICIPANT_ID.fullmatch(each) for each in ids), "participants.participant_id", *shape)
    demand(len(set(ids)) == len(ids), "participants.participant_id", "不可重复", "must not repeat")
    customer = ("必须包含客户", "must include a customer")
    demand(seen[ParticipantRole.CUSTOMER] > 0, "participants", *customer)
    return tuple(named)


def validate(request: SessionRequest) -> None:
    """Raises SessionInvalid for what can be seen without looking anything up."""
    demand(bool(request.order_id), "order_id", "必填", "is required")
    strategy = ("格式不正确", "must be lower-case letters, digits and -, 64 at most")
    demand(not request.strategy_id or bool(STRATEGY_ID.fullmatch(request.strategy_id)), "strategy_id", *strategy)
    key = request.idempotency_key
    keys = ("应为 8 至 64 个可见 ASCII 字符", "must be 8..64 visible ASCII characters")
    demand(not key or bool(IDEMPOTENCY_KEY.fullmatch(key)), "idempotency_key", *keys)
