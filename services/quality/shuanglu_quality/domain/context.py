"""What a check may look at beside its own observations: the script, the timeline, and what nobody examined."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from shuanglu_quality.domain.examined import NOT_RECORDED, Examined, Missing
from shuanglu_quality.domain.findings import NO_MEASURE, EvidenceFrame, Finding, Measure, Quote
from shuanglu_quality.domain.intervals import Interval, hull, intersect, total_ms
from shuanglu_quality.domain.live_gaps import not_recorded
from shuanglu_quality.domain.observations import Recording, Said, TimelineNode
from shuanglu_quality.domain.strategy import CheckSpec, Strategy
from shuanglu_quality.domain.transcript import Lines
from shuanglu_quality.domain.words import ModelRef, Outcome, Role, Text, TrackKind

# Parts of a violation that stick over a node's border by less than this are not told twice.
_SLIVER_MS = 700


@dataclass(frozen=True, slots=True)
class Place:
    """A node's take; both empty for the whole session."""

    node: str = ""
    take: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """A stretch that a check judges as one."""

    place: Place
    interval: Interval


@dataclass(frozen=True, slots=True)
class Statement:
    """What a check says, before it is put on the timeline."""

    outcome: Outcome
    reason: str
    interval: Interval
    message: Text
    expected: Text
    role: Role | None = None
    measure: Measure = NO_MEASURE
    models: tuple[ModelRef, ...] = ()
    frames: tuple[EvidenceFrame, ...] = ()
    quotes: tuple[Quote, ...] = ()
    subject: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """One finished recording under one strategy."""

    strategy: Strategy
    recording: Recording
    timeline: tuple[TimelineNode, ...]
    utterances: tuple[Said, ...]
    lines: Lines
    examined: Examined
    missing: tuple[Missing, ...]

    @property
    def step_ms(self) -> int:
        """Time between sampled frames."""
        return max(1, round(1000 / self.strategy.face_fps))

    @property
    def judged(self) -> Interval:
        """What a check of the whole session looks at: of a call the time from the first node to the last.

        Before that people find their seats, and after it they part.
        """
        whole = self.recording.interval
        if not self.recording.live or not self.timeline:
            return whole
        return hull([take.interval for take in self.timeline]).clip(whole) or whole

    @property
    def needed(self) -> tuple[Role, ...]:
        """Whose live recording must be there while nodes are performed."""
        everybody = {role for track in self.recording.tracks for role in track.roles}
        return self.strategy.recording.required_roles or self.recording.expected or tuple(sorted(everybody))

    def takes(self, node_id: str) -> tuple[TimelineNode, ...]:
        """Takes of a node in time order; empty if it was not found."""
        return tuple(take for take in self.timeline if take.node_id == node_id)

    def scopes(self, kind: str) -> tuple[Scope, ...]:
        """Where a check is judged: in the nodes that list it, else over the whole recording."""
        judged = self.strategy.judged_nodes(kind)
        chosen = [take for take in self.timeline if take.node_id in judged]
        if not judged or not chosen:
            return (Scope(Place(), self.judged),)
        return tuple(Scope(Place(take.node_id, take.take), take.interval) for take in chosen)

    def not_examined(self, kind: TrackKind, role: Role | None, within: Interval) -> tuple[Missing, ...]:
        """What of a role's tracks nobody examined, inside a stretch; also what was lost before it could be recorded."""
        return _chosen((*self.missing, *self._not_recorded()), kind, role, within)

    def not_examined_ms(self, kind: TrackKind, role: Role | None, within: Interval) -> int:
        """How much was recorded and not examined."""
        return total_ms(missing.interval for missing in _chosen(self.missing, kind, role, within))

    def at(self, interval: Interval) -> Place:
        """The take that holds most of a stretch; what comes before the first node belongs to it."""
        spans = self._spans()
        place, span = max(
            spans, key=lambda one: (one[1].overlap_ms(interval), -one[1].start_ms), default=(Place(), None)
        )
        if span is None:
            return Place()
        return place if span.overlap_ms(interval) or span.contains(interval.start_ms) else Place()

    def split(self, interval: Interval) -> tuple[tuple[Place, Interval], ...]:
        """A stretch cut at the borders of nodes and at the end of the recording; slivers go to their neighbour."""
        interval = interval.clip(self.recording.interval) or interval
        parts = [(place, part) for place, span in self._spans() if (part := interval.clip(span)) is not None]
        large = [part for part in parts if part[1].duration_ms >= min(_SLIVER_MS, interval.duration_ms)]
        if not large:
            return ((self.at(interval), interval),)
        borders = [interval.start_ms, *(part.start_ms for _, part in large[1:]), interval.end_ms]
        return tuple(
            (place, Interval(start, end)) for (place, _), (start, end) in zip(large, pairwise(borders), strict=True)
        )

    def _not_recorded(self) -> tuple[Missing, ...]:
        recording, timeline = self.recording, self.timeline
        return tuple(
            Missing(track, part, NOT_RECORDED)
            for track in (recording.tracks if recording.live else ())
            for part in not_recorded(recording, timeline, track)
        )

    def _spans(self) -> list[tuple[Place, Interval]]:
        spans: list[tuple[Place, Interval]] = []
        for at, take in enumerate(self.timeline):
            start = 0 if at == 0 else take.interval.start_ms
            spans.append((Place(take.node_id, take.take), Interval(start, max(start, take.interval.end_ms))))
        return spans

    def finding(self, spec: CheckSpec, said: Statement, place: Place | None = None) -> Finding:
        """A check's word as a finding, placed on the timeline."""
        placed = self.at(said.interval) if place is None else place
        return Finding(
            check=spec.kind,
            outcome=said.outcome,
            severity=spec.severity,
            reason=said.reason,
            interval=said.interval,
            message=said.message,
            expected=said.expected,
            node=placed.node,
            take=placed.take,
            role=said.role,
            measure=said.measure,
            models=said.models,
            frames=said.frames,
            quotes=said.quotes,
            rule=said.rule or spec.rule,
            subject=said.subject,
        )


def _chosen(missing: Iterable[Missing], kind: TrackKind, role: Role | None, within: Interval) -> tuple[Missing, ...]:
    found = (
        (one, one.interval.clip(within))
        for one in missing
        if one.track.kind is kind and (role is None or role in one.track.roles)
    )
    return tuple(Missing(one.track, part, one.reason) for one, part in found if part is not None)


def seconds(milliseconds: float) -> float:
    """Seconds for people and measures, to the millisecond."""
    return round(milliseconds / 1000, 3)


def covered_ms(parts: Iterable[Interval], within: Interval) -> int:
    """Length of the parts inside a stretch."""
    return total_ms(intersect(parts, [within]))
