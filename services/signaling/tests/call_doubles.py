"""Small classes that keep the ports of calls, and builders."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shuanglu_signaling.domain.call import Call
from shuanglu_signaling.domain.call_desk import CallDesk
from shuanglu_signaling.domain.call_events import CallEvent
from shuanglu_signaling.domain.call_proof import UNSEEN, RecordingState, Sight, TrackSight
from shuanglu_signaling.domain.call_stores import Changed, Transition
from shuanglu_signaling.domain.call_table import StallAction, TrackKind
from shuanglu_signaling.domain.call_watch import Limits
from shuanglu_signaling.domain.script import RecordingPolicy, ScriptNode
from shuanglu_signaling.domain.seat_desk import SeatDesk
from shuanglu_signaling.domain.session import Inspection, Participant
from shuanglu_signaling.domain.words import ParticipantRole
from shuanglu_signaling.errors import RecorderUnavailable, RecordingGone

S = 1_000_000
T0 = 1_760_000_000 * S
LIMITS = Limits(grace_us=60 * S, abandon_us=120 * S, longest_us=7200 * S)
SCRIPT = (
    ScriptNode("consent", "知情同意", "Consent", ParticipantRole.AGENT, "请问您是否同意？"),
    ScriptNode("answer", "客户确认", "Answer", ParticipantRole.CUSTOMER, "我已知悉。"),
    ScriptNode("risk", "风险揭示", "Risk", ParticipantRole.AGENT, "逾期将影响您的征信。"),
)
POLICY = RecordingPolicy((), StallAction.HOLD, 30)


@dataclass
class MemoryCalls:
    """Calls in a dictionary, and what would be told of them."""

    sessions: Any
    rows: dict[tuple[str, str], Call] = field(default_factory=dict)
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    told: list[CallEvent] = field(default_factory=list)

    async def add(self, tenant: str, call: Call) -> Call:
        return self.rows.setdefault((tenant, call.session_id), call)

    async def get(self, tenant: str, session_id: str) -> Call | None:
        return self.rows.get((tenant, session_id))

    async def by_code(self, code_hash: str) -> tuple[str, str] | None:
        return self.codes.get(code_hash)

    async def change(self, tenant: str, session_id: str, transition: Transition) -> Changed | None:
        before = self.rows.get((tenant, session_id))
        if before is None:
            return None
        change = transition(before)
        if change.call == before:
            return Changed(before, before)
        after = replace(change.call, revision=before.revision + 1)
        self.rows[tenant, session_id] = after
        for each in after.invitations[len(before.invitations) :]:
            self.codes[each.code_hash] = (tenant, session_id)
        self.told.extend(change.events)
        await self.follow(tenant, before, after)
        return Changed(before, after)

    async def follow(self, tenant: str, before: Call, after: Call) -> None:
        """What the call means for its session."""
        row = self.sessions.rows.get((tenant, after.session_id))
        if row is None:
            return
        progress = row.progress
        if after.started_at_us and not before.started_at_us:
            progress = progress.call_recording(T0)
        if after.empty and not before.empty:
            progress = progress.call_empty(T0)
        people = tuple(each.participant for each in after.people)
        self.sessions.rows[tenant, after.session_id] = replace(row, progress=progress, participants=people)

    async def going_on(self) -> Sequence[tuple[str, Call]]:
        return [(tenant, call) for (tenant, _), call in self.rows.items() if not call.complete]


@dataclass
class HandRecorders:
    """Recorders whose clock and whose recordings a test moves by hand."""

    now: int = T0
    sights: dict[tuple[str, str], Sight] = field(default_factory=dict)
    opened: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    closed: list[Call] = field(default_factory=list)
    away: bool = False
    gone: bool = False

    async def open(
        self, node: str, tenant: str, session_id: str, people: Sequence[Participant], inspection: Inspection
    ) -> str:
        if self.away:
            raise RecorderUnavailable("away")
        self.opened.append((node, session_id, tuple(person.participant_id for person in people)))
        return f"{tenant}/{session_id}/"

    async def close(self, node: str, tenant: str, call: Call) -> None:
        if self.away:
            raise RecorderUnavailable("away")
        if self.gone:
            raise RecordingGone("gone")
        self.closed.append(call)

    def sight(self, node: str, tenant: str, session_id: str) -> Sight:
        return self.sights.get((tenant, session_id), UNSEEN)

    def now_us(self, node: str) -> int:
        return self.now

    def grow(self, tenant: str, call: Call, *who: str) -> None:
        """Bytes of the newest connections of these people (of all by default) are on disk and in the store."""
        old = self.sights.get((tenant, call.session_id), UNSEEN)
        people = [person for person in call.people if person.connection]
        fresh = [
            track(person.participant_id, kind, self.now, person.connection)
            for person in people
            if not who or person.participant_id in who
            for kind in TrackKind
        ]
        ids = {each.track_id for each in fresh}
        rest = [each for each in old.tracks if each.track_id not in ids]
        self.sights[tenant, call.session_id] = Sight(
            RecordingState.OPEN, old.started_at_us or self.now, (*rest, *fresh), heard_at_us=self.now
        )

    def hear(self, tenant: str, call: Call) -> None:
        """The recorder speaks, and nothing has grown."""
        key = (tenant, call.session_id)
        self.sights[key] = replace(self.sights.get(key, UNSEEN), heard_at_us=self.now)


def track(who: str, kind: TrackKind, grown_at_us: int, connection: int = 1, stored_ms: int = 1000) -> TrackSight:
    """What a recorder tells of a track that grows."""
    name = f"{who}-{kind.value.lower()}"
    return TrackSight(name, who, kind, connection, stored_ms + 500, stored_ms, stored_ms, grown_at_us)


@dataclass
class HandMedia:
    """Media servers that do as told, and what was asked of them."""

    nodes: list[str] = field(default_factory=lambda: ["media-1"])
    rooms: set[tuple[str, str]] = field(default_factory=set)
    dropped: list[tuple[str, int | None]] = field(default_factory=list)
    away: bool = False

    def place(self) -> str:
        if not self.nodes:
            raise RecorderUnavailable("none")
        return self.nodes[0]

    async def open_room(self, node: str, tenant: str, session_id: str) -> None:
        if self.away:
            raise RecorderUnavailable("away")
        self.rooms.add((node, session_id))

    async def close_room(self, node: str, tenant: str, session_id: str) -> None:
        if self.away:
            raise RecorderUnavailable("away")
        self.rooms.discard((node, session_id))

    async def drop(
        self, node: str, tenant: str, session_id: str, participant_id: str, older_than: int | None = None
    ) -> None:
        self.dropped.append((participant_id, older_than))


class PlainTokens:
    """Tokens that anybody can read."""

    ttl_us = 4 * 3600 * S

    def mint(self, tenant: str, session_id: str, participant: Participant, invitation_id: str, seat: int) -> str:
        return f"{tenant}/{session_id}/{participant.participant_id}/{invitation_id}/{seat}"


@dataclass
class Calls:
    """The desks over the same doubles."""

    desk: CallDesk
    seats: SeatDesk
    store: Any
    recorders: HandRecorders
    media: HandMedia
    sessions: Any

    async def call(self, session_id: str = "session-0001") -> Call:
        found = await self.store.get("demo", session_id)
        assert found is not None
        return found  # type: ignore[no-any-return]


def secrets_that_count() -> Any:
    """Secrets of the right shape: 32 characters."""
    count = iter(range(1, 10_000))
    return lambda: f"secret_{next(count):025}"


def build_calls(sessions: Any, store: Any, new_id: Any) -> Calls:
    """All of it."""
    recorders, media = HandRecorders(), HandMedia()
    desk = CallDesk(sessions, store, recorders, media, PlainTokens(), new_id, secrets_that_count())
    return Calls(desk, SeatDesk(store, recorders, media, LIMITS.grace_us), store, recorders, media, sessions)
