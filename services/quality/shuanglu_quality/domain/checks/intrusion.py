"""intrusion: is nobody in the picture who does not belong there?

A face more than the track has participants counts if it is there in three of five sampled frames: reflections and
single false detections are not people.
"""

from dataclasses import dataclass, field

from shuanglu_quality.domain.context import Context, Scope, Statement
from shuanglu_quality.domain.findings import EvidenceFrame, Finding, Measure
from shuanglu_quality.domain.frames import Reel, Sample
from shuanglu_quality.domain.intervals import Interval, merge
from shuanglu_quality.domain.observations import Observation
from shuanglu_quality.domain.strategy import CheckSpec
from shuanglu_quality.domain.words import Outcome, Role, Text, TrackKind, clock_text, role_name

_MIN_SCORE = 0.7
_OF = 5
_SUSTAINED = 3


@dataclass(slots=True)
class Intrusion:
    """Folds sampled frames; order and repeats change nothing."""

    spec: CheckSpec
    reel: Reel = field(default_factory=Reel)

    def add(self, observation: Observation) -> None:
        """Takes what was seen in a segment."""
        self.reel.add(observation)

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each visit and node, else one for each role and scope."""
        tracks = self.reel.samples(context.step_ms)
        found: list[Finding] = []
        for role in self.spec.roles((Role.CUSTOMER,)):
            chosen = [samples for samples in tracks.values() if samples and role in samples[0].roles]
            for scope in context.scopes(self.spec.kind):
                found.extend(self._judge(context, role, scope, chosen))
        return tuple(found)

    def _judge(self, context: Context, role: Role, scope: Scope, tracks: list[tuple[Sample, ...]]) -> list[Finding]:
        found: list[Finding] = []
        looked_at = 0
        for track in tracks:
            samples = [one for one in track if scope.interval.contains(one.frame.at_ms) and not one.blank]
            looked_at += len(samples)
            for visit in self._visits(samples):
                found.extend(self._visited(context, role, scope, visit, samples))
        if found:
            return found
        unseen = context.not_examined(TrackKind.VIDEO, role, scope.interval)
        unseen_ms = sum(part.interval.duration_ms for part in unseen)
        if not looked_at:
            return [self._unsure(context, role, scope, "NO_PICTURE")]
        if unseen_ms > round(self.spec.number("max_unexamined_s", 3) * 1000):
            return [self._unsure(context, role, scope, unseen[0].reason)]
        return [self._passed(context, role, scope)]

    def _extra(self, sample: Sample) -> int:
        return len(sample.faces(self.spec.number("min_face_px", 32), _MIN_SCORE)) - len(sample.roles)

    def _visits(self, samples: list[Sample]) -> list[Interval]:
        allowed = self.spec.number("max_extra_persons", 0)
        marks = [self._extra(sample) > allowed for sample in samples]
        stretches: list[Interval] = []
        for at in range(len(samples)):
            window = [near for near in range(at, min(at + _OF, len(samples))) if marks[near]]
            if len(window) >= _SUSTAINED:
                stretches.append(Interval(samples[window[0]].frame.at_ms, samples[window[-1]].interval.end_ms))
        return list(merge(stretches))

    def _visited(
        self, context: Context, role: Role, scope: Scope, visit: Interval, samples: list[Sample]
    ) -> list[Finding]:
        name = role_name(role)
        allowed = self.spec.number("max_extra_persons", 0)
        found: list[Finding] = []
        for place, part in context.split(visit):
            inside = [one for one in samples if visit.contains(one.frame.at_ms) and self._extra(one) > allowed]
            near = [one for one in inside if part.contains(one.frame.at_ms)] or inside
            most = max(near, key=lambda one: (self._extra(one), -one.frame.at_ms))
            statement = Statement(
                Outcome.FAIL,
                "EXTRA_PERSON",
                part,
                Text(
                    f"{clock_text(part.start_ms)}–{clock_text(part.end_ms)} {name.zh}画面中出现其他人。",
                    f"Another person was in the {name.en}'s picture "
                    f"at {clock_text(part.start_ms)}–{clock_text(part.end_ms)}.",
                ),
                self._expected(),
                role,
                Measure(self._extra(most), allowed, "persons"),
                context.examined.models(TrackKind.VIDEO, role),
                (EvidenceFrame(most.track_id, most.frame.at_ms),),
            )
            found.append(context.finding(self.spec, statement, scope.place if scope.place.node else place))
        return found

    def _unsure(self, context: Context, role: Role, scope: Scope, reason: str) -> Finding:
        name = role_name(role)
        statement = Statement(
            Outcome.UNSURE,
            reason,
            scope.interval,
            Text(
                f"{name.zh}画面未能完整检查，无法排除他人在场。",
                f"The {name.en}'s picture was not examined in full; somebody else may have been there.",
            ),
            self._expected(),
            role,
            models=context.examined.models(TrackKind.VIDEO, role),
        )
        return context.finding(self.spec, statement, scope.place)

    def _passed(self, context: Context, role: Role, scope: Scope) -> Finding:
        name = role_name(role)
        statement = Statement(
            Outcome.PASS,
            "NO_EXTRA_PERSON",
            scope.interval,
            Text(f"{name.zh}画面中没有其他人。", f"Nobody else was in the {name.en}'s picture."),
            self._expected(),
            role,
            Measure(0, self.spec.number("max_extra_persons", 0), "persons"),
            context.examined.models(TrackKind.VIDEO, role),
        )
        return context.finding(self.spec, statement, scope.place)

    def _expected(self) -> Text:
        allowed = self.spec.number("max_extra_persons", 0)
        return Text(f"画面中其他人不超过 {allowed:g} 人", f"at most {allowed:g} other persons in the picture")
