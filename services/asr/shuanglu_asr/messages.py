"""Values of the domain as messages of the contracts, and back."""

from collections.abc import Iterable, Sequence

from shuanglu.common.v1.types_pb2 import PARTICIPANT_ROLE_UNSPECIFIED, Interval, ModelRef, Participant, ParticipantRole
from shuanglu.media.v1.track_pb2 import Segment
from shuanglu.observation.v1 import observations_pb2 as pb
from shuanglu_asr.domain.heard import Utterance
from shuanglu_asr.domain.listened import Listened
from shuanglu_asr.domain.loudness import Loudness
from shuanglu_asr.domain.turns import Turn
from shuanglu_asr.domain.windows import Span
from shuanglu_common.cell.models import LoadedModel


def model_message(model: LoadedModel) -> ModelRef:
    """The model that made an observation."""
    return ModelRef(name=model.name, version=model.version)


def turn_messages(turns: Iterable[Turn]) -> list[pb.Turn]:
    """Turns for the bus."""
    return [pb.Turn(start_ms=turn.start_ms, end_ms=turn.end_ms) for turn in turns]


def unheard_messages(segments: Sequence[Segment], listened: Listened) -> list[Interval]:
    """What of a track could not be decoded: single packets, and whole segments."""
    whole_ones = [(segments[number].start_ms, segments[number].end_ms) for number in listened.unread]
    merged: list[Interval] = []
    for start_ms, end_ms in sorted((*listened.unheard, *whole_ones)):
        if merged and start_ms <= merged[-1].end_ms:
            merged[-1].end_ms = max(merged[-1].end_ms, end_ms)
        else:
            merged.append(Interval(start_ms=start_ms, end_ms=end_ms))
    return merged


def turns_of(messages: Iterable[pb.Turn]) -> tuple[Turn, ...]:
    """Turns from the bus."""
    return tuple(Turn(message.start_ms, message.end_ms) for message in messages)


def loudness_messages(levels: Iterable[Loudness]) -> list[pb.Loudness]:
    """Levels for the bus."""
    return [
        pb.Loudness(start_ms=level.start_ms, end_ms=level.end_ms, rms_dbfs=level.rms_dbfs, peak_dbfs=level.peak_dbfs)
        for level in levels
    ]


def spans_of(segments: Iterable[Segment]) -> tuple[Span, ...]:
    """Where segments lie."""
    return tuple(Span(segment.index, segment.start_ms, segment.end_ms) for segment in segments)


def whole(turns: Sequence[Turn]) -> Interval:
    """From the first turn's start to the last one's end."""
    return Interval(start_ms=turns[0].start_ms, end_ms=turns[-1].end_ms) if turns else Interval()


def only_role(participants: Sequence[Participant]) -> ParticipantRole.ValueType:
    """Who speaks on a track of one person; on a shared track it cannot be told."""
    return participants[0].role if len(participants) == 1 else PARTICIPANT_ROLE_UNSPECIFIED


def utterance_message(utterance: Utterance, role: ParticipantRole.ValueType) -> pb.Utterance:
    """An utterance for the transcript; its words' times become positions in the session."""
    return pb.Utterance(
        start_ms=utterance.start_ms,
        end_ms=utterance.end_ms,
        role=role,
        text=utterance.text,
        words=[
            pb.Word(
                text=word.text,
                start_ms=utterance.start_ms + word.start_ms,
                end_ms=utterance.start_ms + word.end_ms,
                confidence=word.confidence,
            )
            for word in utterance.words
        ],
        answer_text=utterance.answer_text,
        confidence=utterance.confidence,
        language=utterance.language,
    )
