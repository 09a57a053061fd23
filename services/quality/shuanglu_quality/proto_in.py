"""From the bus's messages to the domain's facts.

Values that are not numbers are refused here: NaN would break every minimum.
"""

import math
from collections.abc import Iterable

from shuanglu.common.v1.types_pb2 import Interval as IntervalProto
from shuanglu.common.v1.types_pb2 import ModelRef as ModelRefProto
from shuanglu.common.v1.types_pb2 import Participant, ParticipantRole
from shuanglu.common.v1.types_pb2 import TrackKind as TrackKindProto
from shuanglu.media.v1.media_events_pb2 import RecordingCompleted
from shuanglu.media.v1.track_pb2 import GapCause as GapCauseProto
from shuanglu.observation.v1 import observations_pb2 as seen
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.live_gaps import with_edges
from shuanglu_quality.domain.observations import (
    Box,
    FaceSeen,
    FacesSeen,
    FrameSeen,
    Gap,
    Level,
    Recording,
    Said,
    SpeechHeard,
    TimelineNode,
    Track,
    WindowHeard,
    WindowPlanned,
    Word,
)
from shuanglu_quality.domain.words import GapCause, ModelRef, Role, TrackKind

_ROLES: dict[int, Role] = {ParticipantRole.Value(f"PARTICIPANT_ROLE_{role.value}"): role for role in Role}
_KINDS = {TrackKindProto.Value(f"TRACK_KIND_{kind.value}"): kind for kind in TrackKind}
_CAUSES = {GapCauseProto.Value(f"GAP_CAUSE_{cause.value}"): cause for cause in GapCause}
_SILENCE_DBFS = -120.0


def role(value: int) -> Role | None:
    """None for the unspecified."""
    return _ROLES.get(value)


def roles(participants: Iterable[Participant]) -> tuple[Role, ...]:
    """Roles of a track in order of the enum, each participant once."""
    known = (_ROLES.get(participant.role) for participant in participants)
    return tuple(sorted(one for one in known if one is not None))


def interval(start_ms: int, end_ms: int) -> Interval:
    """A stretch; one that ends before it starts is empty."""
    start = max(0, start_ms)
    return Interval(start, max(start, end_ms))


def _span(value: IntervalProto) -> Interval:
    return interval(value.start_ms, value.end_ms)


def _models(values: Iterable[ModelRefProto]) -> tuple[ModelRef, ...]:
    return tuple(sorted({ModelRef(value.name, value.version) for value in values}))


def _number(value: float, otherwise: float = 0.0) -> float:
    return value if math.isfinite(value) else otherwise


def _cosine(value: float) -> float | None:
    return value if math.isfinite(value) else None


def faces(message: seen.FacesObserved) -> FacesSeen:
    """What was seen in a segment."""
    return FacesSeen(
        message.track_id,
        message.segment_index,
        roles(message.participants),
        _span(message.interval),
        tuple(_frame(frame) for frame in message.frames),
        _models(message.models),
        message.failure_reason,
        message.frame_width,
        message.frame_height,
    )


def _frame(frame: seen.Frame) -> FrameSeen:
    return FrameSeen(
        frame.at_ms,
        tuple(_face(face) for face in frame.faces),
        _number(frame.brightness),
        _number(frame.contrast),
        _cosine(frame.motion) if frame.HasField("motion") else None,
        frame.width,
        frame.height,
    )


def _face(face: seen.Face) -> FaceSeen:
    box = face.box
    return FaceSeen(
        Box(_number(box.x), _number(box.y), max(0.0, _number(box.width)), max(0.0, _number(box.height))),
        _number(face.score),
        _cosine(face.id_photo_similarity) if face.HasField("id_photo_similarity") else None,
        _cosine(face.reference_similarity) if face.HasField("reference_similarity") else None,
    )


def speech(message: seen.SpeechFound) -> SpeechHeard:
    """Where somebody speaks on a track."""
    return SpeechHeard(
        message.track_id,
        roles(message.participants),
        _span(message.interval),
        tuple(interval(turn.start_ms, turn.end_ms) for turn in message.turns),
        tuple(
            Level(
                interval(level.start_ms, level.end_ms),
                _number(level.rms_dbfs, _SILENCE_DBFS),
                _number(level.peak_dbfs, _SILENCE_DBFS),
            )
            for level in message.loudness
        ),
        message.window_count,
        _models(message.models),
        message.failure_reason,
        tuple(_span(part) for part in message.unheard),
    )


def plan(message: seen.WindowFound) -> WindowPlanned:
    """A window that will be recognised."""
    turns = tuple(interval(turn.start_ms, turn.end_ms) for turn in message.turns)
    return WindowPlanned(message.track.track_id, message.window_index, turns)


def window(message: seen.SpeechTranscribed, transcript: seen.Transcript | None, failure: str = "") -> WindowHeard:
    """What was said in a window. `failure` says why there is no transcript though there should be one."""
    said = tuple(_said(utterance, message.track_id) for utterance in transcript.utterances) if transcript else ()
    return WindowHeard(
        message.track_id,
        message.window_index,
        _span(message.interval),
        said,
        _models(message.models),
        message.failure_reason or failure,
    )


def _said(utterance: seen.Utterance, track_id: str) -> Said:
    return Said(
        interval(utterance.start_ms, utterance.end_ms),
        role(utterance.role),
        utterance.text,
        utterance.answer_text,
        _number(utterance.confidence),
        tuple(Word(word.text, interval(word.start_ms, word.end_ms)) for word in utterance.words),
        utterance.language,
        track_id,
    )


def recording(message: RecordingCompleted, expected: Iterable[Role] = ()) -> Recording:
    """The finished recording; `expected` are those whom the session was made with."""
    tracks = tuple(
        Track(
            track.track_id,
            _KINDS[track.kind],
            roles(track.participants),
            interval(track.start_ms, track.end_ms),
            track.segment_count,
        )
        for track in message.tracks
        if track.kind in _KINDS
    )
    duration_ms = max([message.duration_ms, *(track.interval.end_ms for track in tracks)])
    gaps = tuple(
        Gap(gap.track_id, interval(gap.start_ms, gap.end_ms), _CAUSES.get(gap.cause, GapCause.MISSING))
        for gap in message.gaps
    )
    # What came as a file names the file; a call has none.
    live = bool(tracks) and not any(track.HasField("original") for track in message.tracks)
    return Recording(
        tracks,
        duration_ms,
        with_edges(gaps, tracks, duration_ms) if live else gaps,
        tuple(
            TimelineNode(node.node_id, interval(node.start_ms, node.end_ms), max(1, node.take))
            for node in message.timeline
        ),
        message.has_id_photo,
        live,
        tuple(sorted(set(expected))),
    )
