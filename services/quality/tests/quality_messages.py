"""A scene as the events that media-ingest, face-check and asr would publish."""

from typing import Protocol

from quality_scene import Scene

from shuanglu.bus.v1.envelope_pb2 import DeadLetter, Envelope
from shuanglu.common.v1 import types_pb2 as common
from shuanglu.media.v1.media_events_pb2 import RecordingCompleted, SegmentStored, TrackStored
from shuanglu.media.v1.track_pb2 import Segment
from shuanglu.media.v1.track_pb2 import TimelineNode as NodeProto
from shuanglu.media.v1.track_pb2 import Track as TrackProto
from shuanglu.observation.v1 import observations_pb2 as seen
from shuanglu.session.v1.session_events_pb2 import SessionCreated
from shuanglu_common.bus.events import NewEvent
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import FacesSeen, FrameSeen, SpeechHeard, Track, WindowHeard, WindowPlanned
from shuanglu_quality.domain.words import ModelRef, Role, TrackKind


class Sealed(Protocol):
    async def put(self, tenant: str, session_id: str, name: str, data: bytes) -> common.ObjectRef: ...


def span(value: Interval) -> common.Interval:
    return common.Interval(start_ms=value.start_ms, end_ms=value.end_ms)


def people(roles: tuple[Role, ...]) -> list[common.Participant]:
    numbers = common.ParticipantRole
    return [
        common.Participant(participant_id=role.lower(), role=numbers.Value(f"PARTICIPANT_ROLE_{role}"))
        for role in roles
    ]


def models(used: tuple[ModelRef, ...]) -> list[common.ModelRef]:
    return [common.ModelRef(name=one.name, version=one.version) for one in used]


def track(value: Track) -> TrackProto:
    return TrackProto(
        track_id=value.track_id,
        kind=common.TrackKind.Value(f"TRACK_KIND_{value.kind}"),
        participants=people(value.roles),
        init=common.ObjectRef(key="demo/s/init.mp4", size_bytes=800, sha256="0" * 64),
        codec="avc1.42e01f",
        start_ms=value.interval.start_ms,
        end_ms=value.interval.end_ms,
        segment_count=value.segment_count,
        original=common.ObjectRef(key="demo/s/original", size_bytes=9000, sha256="1" * 64),
    )


def frame(value: FrameSeen) -> seen.Frame:
    faces = [
        seen.Face(
            box=seen.Box(x=face.box.x, y=face.box.y, width=face.box.width, height=face.box.height),
            score=face.score,
            id_photo_similarity=face.id_photo_similarity,
            reference_similarity=face.reference_similarity,
        )
        for face in value.faces
    ]
    return seen.Frame(
        at_ms=value.at_ms, faces=faces, brightness=value.brightness, contrast=value.contrast, motion=value.motion
    )


def faces(value: FacesSeen) -> seen.FacesObserved:
    return seen.FacesObserved(
        track_id=value.track_id,
        segment_index=value.segment_index,
        participants=people(value.roles),
        interval=span(value.interval),
        frames=[frame(one) for one in value.frames],
        models=models(value.models),
        failure_reason=value.failure_reason,
        frame_width=value.frame_width,
        frame_height=value.frame_height,
    )


def speech(value: SpeechHeard) -> seen.SpeechFound:
    return seen.SpeechFound(
        track_id=value.track_id,
        participants=people(value.roles),
        interval=span(value.interval),
        turns=[seen.Turn(start_ms=turn.start_ms, end_ms=turn.end_ms) for turn in value.turns],
        loudness=[
            seen.Loudness(
                start_ms=level.interval.start_ms,
                end_ms=level.interval.end_ms,
                rms_dbfs=level.rms_dbfs,
                peak_dbfs=level.peak_dbfs,
            )
            for level in value.loudness
        ],
        window_count=value.window_count,
        models=models(value.models),
        failure_reason=value.failure_reason,
    )


def plan(value: WindowPlanned) -> seen.WindowFound:
    turns = [seen.Turn(start_ms=turn.start_ms, end_ms=turn.end_ms) for turn in value.turns]
    return seen.WindowFound(track=TrackProto(track_id=value.track_id), window_index=value.window_index, turns=turns)


def transcript(value: WindowHeard) -> seen.Transcript:
    return seen.Transcript(
        track_id=value.track_id,
        window_index=value.window_index,
        utterances=[
            seen.Utterance(
                start_ms=said.interval.start_ms,
                end_ms=said.interval.end_ms,
                role=common.ParticipantRole.Value(f"PARTICIPANT_ROLE_{said.role or 'UNSPECIFIED'}"),
                text=said.text,
                answer_text=said.answer_text,
                confidence=said.confidence,
                language="zh",
            )
            for said in value.utterances
        ],
    )


async def window(value: WindowHeard, tenant: str, session_id: str, sealed: Sealed) -> seen.SpeechTranscribed:
    ref = None
    if not value.failure_reason:
        name = f"transcripts/{value.track_id}/{value.window_index}"
        ref = await sealed.put(tenant, session_id, name, transcript(value).SerializeToString())
    return seen.SpeechTranscribed(
        track_id=value.track_id,
        window_index=value.window_index,
        interval=span(value.interval),
        transcript=ref,
        models=models(value.models),
        failure_reason=value.failure_reason,
    )


def completed(scene: Scene) -> RecordingCompleted:
    recording = scene.recording
    return RecordingCompleted(
        tracks=[track(one) for one in recording.tracks],
        timeline=[
            NodeProto(node_id=one.node_id, start_ms=one.interval.start_ms, end_ms=one.interval.end_ms, take=one.take)
            for one in recording.timeline
        ],
        duration_ms=recording.duration_ms,
        has_id_photo=recording.has_id_photo,
    )


async def events_of(scene: Scene, tenant: str, session_id: str, sealed: Sealed) -> list[NewEvent]:
    """Every event of the session up to the last observation."""
    strategy = scene.strategy
    found = [
        NewEvent(
            tenant,
            session_id,
            SessionCreated(
                order_id="o-1",
                channel=common.CHANNEL_REMOTE,
                strategy_id=strategy.strategy_id,
                strategy_version=strategy.version,
            ),
            key="created",
        )
    ]
    for one in scene.recording.tracks:
        for index in range(1, one.segment_count + 1) if one.kind is TrackKind.VIDEO else ():
            segment = Segment(track_id=one.track_id, index=index, start_ms=(index - 1) * 2000, end_ms=index * 2000)
            stored = SegmentStored(track=track(one), segment=segment)
            found.append(NewEvent(tenant, session_id, stored, key=f"{one.track_id}/{index}"))
        found.append(NewEvent(tenant, session_id, TrackStored(track=track(one)), key=one.track_id))
    found.append(NewEvent(tenant, session_id, completed(scene), key="completed"))
    for observation in scene.observations():
        match observation:
            case FacesSeen():
                key = f"{observation.track_id}/{observation.segment_index}"
                found.append(NewEvent(tenant, session_id, faces(observation), key=key))
            case SpeechHeard():
                found.append(NewEvent(tenant, session_id, speech(observation), key=observation.track_id))
            case WindowPlanned():
                key = f"{observation.track_id}/{observation.window_index}"
                found.append(NewEvent(tenant, session_id, plan(observation), key=key))
            case WindowHeard():
                key = f"{observation.track_id}/{observation.window_index}"
                message = await window(observation, tenant, session_id, sealed)
                found.append(NewEvent(tenant, session_id, message, key=key))
    return found


def dead(event: NewEvent, consumer: str, reason: str = "MAX_DELIVERIES") -> NewEvent:
    """The dead letter that the keeper makes of an event."""
    envelope = Envelope(
        event_id=event.event_id,
        tenant=event.tenant,
        session_id=event.session_id,
        schema=event.schema,
        payload=event.payload.SerializeToString(),
    )
    letter = DeadLetter(consumer=consumer, reason=reason, message=envelope.SerializeToString())
    return NewEvent(event.tenant, event.session_id, letter, key=f"dead/{consumer}/{event.event_id}")
