"""One session's fold: every event that bears on its verdict, once, and what follows from them.

Events are kept as they came (without what no rule reads), so that a snapshot restores the fold and the archive
repeats it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError, Message

from shuanglu.bus.v1.envelope_pb2 import DeadLetter, Envelope
from shuanglu.common.v1.types_pb2 import ObjectRef, TrackKind
from shuanglu.media.v1.media_events_pb2 import RecordingCompleted, SegmentStored, TrackStored
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu.observation.v1.observations_pb2 import FacesObserved, SpeechFound, SpeechTranscribed, WindowFound
from shuanglu.quality.v1.fold_pb2 import FoldSnapshot
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu.session.v1.session_events_pb2 import SessionCreated
from shuanglu_common.bus.events import Event
from shuanglu_quality import proto_in
from shuanglu_quality.domain.ledger import Ledger, faces_key, speech_key, window_key

FOLDED: dict[str, type[Message]] = {
    str(message.DESCRIPTOR.full_name): message
    for message in (
        SessionCreated,
        SegmentStored,
        TrackStored,
        RecordingCompleted,
        FacesObserved,
        SpeechFound,
        WindowFound,
        SpeechTranscribed,
        DeadLetter,
    )
}
OBSERVATIONS = (FacesObserved, SpeechFound, SpeechTranscribed)
# What a verdict rests on. Stored segments and planned windows tell what to wait for, and may come after the verdict.
ARCHIVED = frozenset(
    str(message.DESCRIPTOR.full_name) for message in (SessionCreated, RecordingCompleted, *OBSERVATIONS, DeadLetter)
)
# Dead letters count only where the consumer that gave up was the one that would have made the observation.
_FACES, _ASR, _FOLD = "face-check", "asr", "quality-fold"


@dataclass(frozen=True, slots=True)
class Kept:
    """An event of the fold; the payload stays serialised until the verdict."""

    event_id: str
    occurred_at_us: int
    producer: str
    schema: str
    payload: bytes


@dataclass(slots=True)
class SessionFold:
    """Folds events of one session. The same event twice, or another order, gives the same fold."""

    tenant: str
    session_id: str
    events: dict[str, Kept] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    created: SessionCreated | None = None
    completed: RecordingCompleted | None = None
    completed_at_us: int = 0
    last_observation_at_us: int = 0
    verdict: VerdictReached | None = None
    announced: bool = False
    parts: list[ObjectRef] = field(default_factory=list)
    put_aside: set[str] = field(default_factory=set)

    def add(self, event: Event[Message]) -> bool:
        """Folds an event in; False if it is not for the fold or was there already."""
        schema = str(event.payload.DESCRIPTOR.full_name)
        if schema not in FOLDED or event.event_id in self.events:
            return False
        slim = _slim(event.payload)
        payload = slim.SerializeToString(deterministic=True)
        self.events[event.event_id] = Kept(event.event_id, event.occurred_at_us, event.producer, schema, payload)
        self._note(slim, event.occurred_at_us)
        return True

    @property
    def complete(self) -> bool:
        """Whether all is there that a verdict needs."""
        return self.created is not None and self.ledger.complete

    def payloads(self, kinds: Iterable[type[Message]]) -> list[Message]:
        """Events of these kinds in an order that does not depend on when they came."""
        wanted = {str(kind.DESCRIPTOR.full_name) for kind in kinds}
        kept = sorted((one for one in self.events.values() if one.schema in wanted), key=lambda one: one.event_id)
        return [FOLDED[one.schema].FromString(one.payload) for one in kept]

    def envelopes(self, without: Collection[str] = ()) -> list[Envelope]:
        """Events by id: all, or all but some."""
        return [
            Envelope(
                event_id=one.event_id,
                tenant=self.tenant,
                session_id=self.session_id,
                occurred_at_us=one.occurred_at_us,
                producer=one.producer,
                schema=one.schema,
                payload=one.payload,
            )
            for one in sorted(
                (one for one in self.events.values() if one.event_id not in without), key=lambda one: one.event_id
            )
        ]

    def archived(self) -> list[Envelope]:
        """Events that the verdict rests on, by id."""
        return [envelope for envelope in self.envelopes() if envelope.schema in ARCHIVED]

    def snapshot(self) -> FoldSnapshot:
        """What to keep: events that are not put aside. Once the verdict is known they are in the archive."""
        if self.announced:
            return FoldSnapshot(verdict=self.verdict, announced=True)
        if self.verdict is not None:
            return FoldSnapshot(verdict=self.verdict, parts=self.parts)
        return FoldSnapshot(events=self.envelopes(self.put_aside), parts=self.parts)

    def aside(self, part: ObjectRef) -> None:
        """All events so far stand in the parts, the last of which is `part`: a save need not write them again."""
        self.parts.append(part)
        self.put_aside.update(self.events)

    def decide(self, verdict: VerdictReached) -> None:
        """The verdict is known; later events change nothing."""
        self.verdict = verdict
        self.events = {}
        self.put_aside = set()

    def _note(self, payload: Message, at_us: int) -> None:
        if isinstance(payload, OBSERVATIONS):
            self.last_observation_at_us = max(self.last_observation_at_us, at_us)
        match payload:
            case SessionCreated():
                self.created = payload
            case SegmentStored() if payload.track.kind == TrackKind.TRACK_KIND_VIDEO:
                self.ledger.expect([faces_key(payload.segment.track_id, payload.segment.index)])
            case TrackStored() if payload.track.kind == TrackKind.TRACK_KIND_AUDIO:
                self.ledger.expect([speech_key(payload.track.track_id)])
            case RecordingCompleted():
                self._complete(payload, at_us)
            case FacesObserved():
                self.ledger.finish(faces_key(payload.track_id, payload.segment_index))
            case SpeechFound():
                self.ledger.finish(speech_key(payload.track_id))
                self.ledger.expect(window_key(payload.track_id, index) for index in range(payload.window_count))
            case SpeechTranscribed():
                self.ledger.finish(window_key(payload.track_id, payload.window_index))
            case DeadLetter():
                self._bury(payload)

    def _complete(self, payload: RecordingCompleted, at_us: int) -> None:
        # A recording is completed once; should two events say so, the earlier one counts, whichever came first.
        if self.completed is None or (at_us, payload.SerializeToString(deterministic=True)) < (
            self.completed_at_us,
            self.completed.SerializeToString(deterministic=True),
        ):
            self.completed, self.completed_at_us = payload, at_us
            self.ledger.recording = proto_in.recording(payload)

    def _bury(self, letter: DeadLetter) -> None:
        try:
            envelope = Envelope.FromString(letter.message)
            dead = FOLDED[envelope.schema].FromString(envelope.payload)
        except (DecodeError, KeyError):
            return
        reason, consumer = letter.reason or "GIVEN_UP", letter.consumer
        match dead:
            case SegmentStored() if consumer.startswith(_FACES):
                self.ledger.give_up(faces_key(dead.segment.track_id, dead.segment.index), reason)
            case TrackStored() if consumer.startswith(_ASR):
                self.ledger.give_up(speech_key(dead.track.track_id), reason)
            case WindowFound() if consumer.startswith(_ASR):
                self.ledger.give_up(window_key(dead.track.track_id, dead.window_index), reason)
            case FacesObserved() if consumer.startswith(_FOLD):
                self.ledger.give_up(faces_key(dead.track_id, dead.segment_index), reason)
            case SpeechFound() if consumer.startswith(_FOLD):
                self.ledger.give_up(speech_key(dead.track_id), reason)
            case SpeechTranscribed() if consumer.startswith(_FOLD):
                self.ledger.give_up(window_key(dead.track_id, dead.window_index), reason)


def restore(tenant: str, session_id: str, snapshot: FoldSnapshot, parts: Iterable[FoldSnapshot] = ()) -> SessionFold:
    """The fold that a snapshot was taken of; `parts` are those it names. Raises DecodeError, KeyError if damaged."""
    fold = SessionFold(tenant, session_id)

    def add(envelopes: Iterable[Envelope]) -> None:
        for envelope in envelopes:
            payload = FOLDED[envelope.schema].FromString(envelope.payload)
            fold.add(Event(envelope.event_id, tenant, session_id, envelope.occurred_at_us, envelope.producer, payload))

    for part in parts:
        add(part.events)
    fold.put_aside = set(fold.events)
    fold.parts = list(snapshot.parts)
    add(snapshot.events)
    if snapshot.HasField("verdict"):
        fold.decide(snapshot.verdict)
        fold.announced = snapshot.announced
    return fold


def _slim(payload: Message) -> Message:
    """The event without what no rule reads: most of a stored segment's bytes are references to media."""
    match payload:
        case SegmentStored():
            track, segment = payload.track, payload.segment
            return SegmentStored(
                track=Track(track_id=track.track_id, kind=track.kind, participants=track.participants),
                segment=Segment(
                    track_id=segment.track_id,
                    index=segment.index,
                    start_ms=segment.start_ms,
                    end_ms=segment.end_ms,
                ),
            )
        case TrackStored():
            return TrackStored(track=payload.track, gaps=payload.gaps)
        case WindowFound():
            return WindowFound(
                track=Track(track_id=payload.track.track_id),
                window_index=payload.window_index,
                turns=payload.turns,
            )
        case _:
            return payload
