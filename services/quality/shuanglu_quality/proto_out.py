"""From the domain's inspection to the sealed InspectionResult that the report is made of."""

from google.protobuf.message import Message

from shuanglu.common.v1.types_pb2 import Interval as IntervalProto
from shuanglu.common.v1.types_pb2 import ModelRef as ModelRefProto
from shuanglu.common.v1.types_pb2 import Outcome as OutcomeProto
from shuanglu.common.v1.types_pb2 import ParticipantRole
from shuanglu.media.v1.media_events_pb2 import RecordingCompleted
from shuanglu.media.v1.track_pb2 import TimelineNode as TimelineNodeProto
from shuanglu.observation.v1.observations_pb2 import Box as BoxProto
from shuanglu.observation.v1.observations_pb2 import Utterance, Word
from shuanglu.quality.v1 import finding_pb2 as out
from shuanglu_quality.domain.findings import EvidenceFrame, Finding, Quote
from shuanglu_quality.domain.inspection import Inspection
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import Box, Said
from shuanglu_quality.domain.strategy import Strategy
from shuanglu_quality.domain.words import ModelRef, Outcome, Role, Severity

_ROLES = {role: ParticipantRole.Value(f"PARTICIPANT_ROLE_{role.value}") for role in Role}
_OUTCOMES = {outcome: OutcomeProto.Value(f"OUTCOME_{outcome.value}") for outcome in Outcome}
_SEVERITIES = {severity: out.Severity.Value(f"SEVERITY_{severity.name}") for severity in Severity}


def outcome(value: Outcome) -> OutcomeProto.ValueType:
    """The enum on the wire."""
    return _OUTCOMES[value]


def role(value: Role | None) -> ParticipantRole.ValueType:
    """The enum on the wire; unspecified for nobody in particular."""
    return _ROLES[value] if value else ParticipantRole.PARTICIPANT_ROLE_UNSPECIFIED


def _span(value: Interval) -> IntervalProto:
    return IntervalProto(start_ms=value.start_ms, end_ms=value.end_ms)


def _model(value: ModelRef) -> ModelRefProto:
    return ModelRefProto(name=value.name, version=value.version)


def _box(value: Box) -> BoxProto:
    return BoxProto(x=value.x, y=value.y, width=value.width, height=value.height)


def _frame(value: EvidenceFrame) -> out.EvidenceFrame:
    return out.EvidenceFrame(
        track_id=value.track_id,
        at_ms=value.at_ms,
        box=_box(value.box) if value.box else None,
        blur=[_box(box) for box in value.blur],
    )


def _quote(value: Quote) -> out.Quote:
    return out.Quote(
        role=role(value.role),
        text=value.text,
        start_ms=value.interval.start_ms,
        end_ms=value.interval.end_ms,
        matched=value.matched,
    )


def finding(value: Finding) -> out.Finding:
    """One finding."""
    return out.Finding(
        finding_id=value.finding_id,
        check_id=value.check,
        outcome=_OUTCOMES[value.outcome],
        severity=_SEVERITIES[value.severity],
        node_id=value.node,
        take=value.take,
        role=role(value.role),
        interval=_span(value.interval),
        measured=value.measure.measured,
        threshold=value.measure.threshold,
        unit=value.measure.unit,
        expected_zh=value.expected.zh,
        expected_en=value.expected.en,
        message_zh=value.message.zh,
        message_en=value.message.en,
        reason=value.reason,
        models=[_model(model) for model in value.models],
        frames=[_frame(frame) for frame in value.frames],
        quotes=[_quote(quote) for quote in value.quotes],
        rule=value.rule,
    )


def _utterance(value: Said) -> Utterance:
    return Utterance(
        start_ms=value.interval.start_ms,
        end_ms=value.interval.end_ms,
        role=role(value.role),
        text=value.text,
        words=[
            Word(text=word.text, start_ms=word.interval.start_ms, end_ms=word.interval.end_ms) for word in value.words
        ],
        answer_text=value.answer_text,
        confidence=value.confidence,
        language=value.language,
    )


def result(strategy: Strategy, inspection: Inspection, completed: RecordingCompleted, duration_ms: int) -> Message:
    """Everything that was decided about a session."""
    return out.InspectionResult(
        strategy_id=strategy.strategy_id,
        strategy_version=strategy.version,
        findings=[finding(one) for one in inspection.findings],
        verdict=_OUTCOMES[inspection.verdict],
        timeline=[
            TimelineNodeProto(
                node_id=take.node_id, start_ms=take.interval.start_ms, end_ms=take.interval.end_ms, take=take.take
            )
            for take in inspection.timeline
        ],
        timeline_found=inspection.timeline_found,
        utterances=[_utterance(said) for said in inspection.utterances],
        tracks=completed.tracks,
        gaps=completed.gaps,
        coverage_ratio=inspection.coverage_ratio,
        models=[_model(model) for model in inspection.models],
        presence=[
            out.Presence(
                role=role(seen.role), track_id=seen.track_id, intervals=[_span(part) for part in seen.intervals]
            )
            for seen in inspection.presence
        ],
        duration_ms=duration_ms,
        nodes=[
            out.NodeTitle(node_id=node.node_id, title_zh=node.title.zh, title_en=node.title.en)
            for node in strategy.nodes
        ],
    )
