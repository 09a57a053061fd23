"""The proof of a call's recording: what recorder and store have confirmed, never what was asked for."""

from dataclasses import dataclass
from enum import StrEnum

from shuanglu_signaling.domain.call import Call, Person
from shuanglu_signaling.domain.call_table import (
    AbsenceCause,
    CallState,
    NetworkQuality,
    Presence,
    ProofState,
    TrackKind,
)

STALL_US = 2_000_000
"""A track that has not grown for so long stands still."""
FAIR_PERMILLE, POOR_PERMILLE = 20, 80


class RecordingState(StrEnum):
    """Where a recording stands, as its recorder says."""

    UNKNOWN = "UNKNOWN"
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    COMPLETE = "COMPLETE"
    EMPTY = "EMPTY"


@dataclass(frozen=True, slots=True)
class TrackSight:
    """How far one track is; positions and durations in milliseconds, `grown_at_us` on the recorder's clock."""

    track_id: str
    participant_id: str
    kind: TrackKind
    connection: int
    seen_ms: int
    stored_ms: int
    stored_duration_ms: int
    grown_at_us: int
    lost_permille: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of one session's recording. `heard_at_us`: when the recorder last spoke, on its clock."""

    state: RecordingState = RecordingState.UNKNOWN
    started_at_us: int = 0
    tracks: tuple[TrackSight, ...] = ()
    heard_at_us: int = 0
    alarm: bool = False

    def track(self, participant_id: str, kind: TrackKind) -> TrackSight | None:
        """One track, if it was seen."""
        for each in self.tracks:
            if each.participant_id == participant_id and each.kind is kind:
                return each
        return None


UNSEEN = Sight()


@dataclass(frozen=True, slots=True)
class TrackProof:
    """What is known of one track."""

    track_id: str
    participant_id: str
    kind: TrackKind
    state: ProofState
    seen_ms: int
    stored_ms: int
    stored_duration_ms: int
    required: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of a call's recording: the worst of the required tracks."""

    state: ProofState
    stored_duration_ms: int
    tracks: tuple[TrackProof, ...]
    alarm: bool

    @property
    def unproven(self) -> tuple[str, ...]:
        """Required tracks of which no byte is on disk and in the store."""
        return tuple(each.track_id for each in self.tracks if each.required and each.state is ProofState.PENDING)

    @property
    def stalled(self) -> tuple[str, ...]:
        """Required tracks that stand still."""
        return tuple(each.track_id for each in self.tracks if each.required and each.state is ProofState.STALLED)


WORST_FIRST = (ProofState.STALLED, ProofState.PENDING, ProofState.PAUSED, ProofState.PROVEN, ProofState.CLOSED)


def prove(call: Call, sight: Sight, now_us: int) -> Proof:
    """The proof now. Nobody required means that everything seen is; nothing at all is PENDING, never PROVEN."""
    needed = {person.participant_id for person in call.needed}
    tracks = []
    for person in call.people:
        for kind in TrackKind:
            required = person.participant_id in needed
            seen = sight.track(person.participant_id, kind)
            if required or seen is not None:
                tracks.append(prove_track(call, person, kind, seen, required, now_us))
    counted = [each for each in tracks if each.required] or tracks
    states = {each.state for each in counted}
    worst = next((state for state in WORST_FIRST if state in states), ProofState.PENDING)
    least = min((each.stored_duration_ms for each in counted), default=0)
    return Proof(worst, least, tuple(tracks), sight.alarm)


def prove_track(
    call: Call,
    person: Person,
    kind: TrackKind,
    seen: TrackSight | None,
    required: bool,  # noqa: FBT001 - a column
    now_us: int,
) -> TrackProof:
    """The proof of one track."""
    track_id = f"{person.participant_id}-{kind.value.lower()}"
    state = track_state(call, person, kind, seen, now_us)
    if seen is None:
        return TrackProof(track_id, person.participant_id, kind, state, 0, 0, 0, required)
    return TrackProof(
        seen.track_id,
        person.participant_id,
        kind,
        state,
        seen.seen_ms,
        seen.stored_ms,
        seen.stored_duration_ms,
        required,
    )


def track_state(call: Call, person: Person, kind: TrackKind, seen: TrackSight | None, now_us: int) -> ProofState:
    """What is known of a track."""
    if call.state is CallState.ENDED:
        return ProofState.CLOSED
    if seen is None or not seen.grown_at_us or seen.stored_duration_ms <= 0:
        return ProofState.PENDING
    if now_us - seen.grown_at_us <= STALL_US:
        return ProofState.PROVEN
    return ProofState.PAUSED if is_paused(call, person, kind) else ProofState.STALLED


def is_paused(call: Call, person: Person, kind: TrackKind) -> bool:
    """Whether it is known why nothing comes, and it is nobody's fault: switched off, on hold, not there, over."""
    if call.end_reason or call.held_since_us or person.muted_since_us(kind):
        return True
    return person.presence is not Presence.LIVE and person.absent_cause is not AbsenceCause.RECORDER


def network(person: Person, sight: Sight, now_us: int) -> tuple[NetworkQuality, int]:
    """How well a person's media arrives, and packets lost per 1000."""
    mine = [each for each in sight.tracks if each.participant_id == person.participant_id]
    if not mine:
        return NetworkQuality.UNSPECIFIED, 0
    lost = max(each.lost_permille for each in mine)
    if person.presence is not Presence.LIVE or now_us - max(each.grown_at_us for each in mine) > STALL_US:
        return NetworkQuality.LOST, lost
    if lost > POOR_PERMILLE:
        return NetworkQuality.POOR, lost
    return (NetworkQuality.FAIR if lost > FAIR_PERMILLE else NetworkQuality.GOOD), lost
