"""face_in_frame: is everybody who must be seen in the picture, nearly all the time?

Judged on frames that show something; black and flat frames are left to `recording_quality`. A check fails if one
absence is longer than `max_absence_s`, or if the face is there in less than `min_ratio` of the time and the absences
together are longer than `max_absence_s`: single missed frames are the detector's, not the customer's.
"""

from dataclasses import dataclass, field

from shuanglu_quality.domain.context import Context, Scope, Statement, seconds
from shuanglu_quality.domain.findings import Finding, Measure
from shuanglu_quality.domain.frames import Reel, Sample, of_role
from shuanglu_quality.domain.intervals import Interval, hull, merge, subtract, total_ms
from shuanglu_quality.domain.observations import Observation
from shuanglu_quality.domain.strategy import CheckSpec
from shuanglu_quality.domain.words import Outcome, Role, Text, TrackKind, clock_text, role_name

_MIN_SCORE = 0.6
_ID_MATCH = 0.40


@dataclass(slots=True)
class FaceInFrame:
    """Folds sampled frames; order and repeats change nothing."""

    spec: CheckSpec
    reel: Reel = field(default_factory=Reel)

    def add(self, observation: Observation) -> None:
        """Takes what was seen in a segment."""
        self.reel.add(observation)

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each absence that is too long, else one for each role and scope."""
        samples = self.reel.samples(context.step_ms)
        found: list[Finding] = []
        for role in self.spec.roles((Role.CUSTOMER,)):
            chosen = of_role(samples, role)
            for scope in context.scopes(self.spec.kind):
                inside = [sample for sample in chosen if scope.interval.contains(sample.frame.at_ms)]
                found.extend(self._judge(context, role, scope, inside))
        return tuple(found)

    def _judge(self, context: Context, role: Role, scope: Scope, samples: list[Sample]) -> list[Finding]:
        limit_ms = round(self.spec.number("max_absence_s", 3) * 1000)
        judged = [sample for sample in samples if not sample.blank]
        seen = merge(sample.interval for sample in judged if self._present(sample, role) is True)
        unknown = merge(sample.interval for sample in judged if self._present(sample, role) is None)
        all_judged = merge(sample.interval for sample in judged)
        if not all_judged:
            return [self._unsure(context, role, scope, scope.interval, "NO_PICTURE", 0)]
        absent = subtract(all_judged, (*seen, *unknown))
        ratio = total_ms(seen) / max(1, total_ms(all_judged))
        too_long = [gone for gone in absent if gone.duration_ms > limit_ms]
        fragmented = ratio < self.spec.number("min_ratio", 0.95) and total_ms(absent) > limit_ms
        if too_long:
            return [found for gone in too_long for found in self._absent(context, role, scope, gone, judged)]
        if fragmented:
            return [self._scarce(context, role, scope, hull(absent), judged, ratio)]
        if total_ms(unknown) > limit_ms:
            return [self._unsure(context, role, scope, hull(unknown), "SHARED_PICTURE", total_ms(unknown))]
        unseen = context.not_examined(TrackKind.VIDEO, role, scope.interval)
        if total_ms(part.interval for part in unseen) > limit_ms:
            where = hull([part.interval for part in unseen])
            return [self._unsure(context, role, scope, where, unseen[0].reason, total_ms(p.interval for p in unseen))]
        return [self._passed(context, role, scope, judged, ratio)]

    def _present(self, sample: Sample, role: Role) -> bool | None:
        """True, False, or None where a shared picture shows too few people and does not tell who is away."""
        faces = sample.faces(self.spec.number("min_face_px", 40), _MIN_SCORE)
        if not sample.shared or not faces or len(faces) >= len(sample.roles):
            return bool(faces)
        known = any((face.id_photo_similarity or -1.0) >= _ID_MATCH for face in faces)
        return True if known and role is Role.CUSTOMER else None

    def _absent(
        self, context: Context, role: Role, scope: Scope, gone: Interval, samples: list[Sample]
    ) -> list[Finding]:
        name = role_name(role)
        limit = self.spec.number("max_absence_s", 3)
        found: list[Finding] = []
        for place, part in context.split(gone):
            inside = [sample for sample in samples if part.contains(sample.frame.at_ms)]
            middle = inside[len(inside) // 2 : len(inside) // 2 + 1]
            statement = Statement(
                Outcome.FAIL,
                "FACE_ABSENT",
                part,
                Text(
                    f"{name.zh}自 {clock_text(gone.start_ms)} 起离开画面 {seconds(gone.duration_ms):.1f} 秒。",
                    f"The {name.en} was out of the picture for {seconds(gone.duration_ms):.1f} s "
                    f"from {clock_text(gone.start_ms)}.",
                ),
                self._expected(),
                role,
                Measure(seconds(gone.duration_ms), limit, "s"),
                context.examined.models(TrackKind.VIDEO, role),
                tuple(sample.show() for sample in middle),
            )
            found.append(context.finding(self.spec, statement, scope.place if scope.place.node else place))
        return found

    def _scarce(
        self, context: Context, role: Role, scope: Scope, where: Interval, samples: list[Sample], ratio: float
    ) -> Finding:
        name = role_name(role)
        gone = [sample for sample in samples if not self._present(sample, role)]
        statement = Statement(
            Outcome.FAIL,
            "FACE_SCARCE",
            where,
            Text(
                f"{name.zh}仅在 {ratio:.0%} 的时间内出现在画面中。",
                f"The {name.en} was in the picture only {ratio:.0%} of the time.",
            ),
            self._expected(),
            role,
            Measure(round(ratio, 4), self.spec.number("min_ratio", 0.95), "ratio"),
            context.examined.models(TrackKind.VIDEO, role),
            tuple(sample.show() for sample in gone[:1]),
        )
        return context.finding(self.spec, statement, scope.place)

    def _unsure(
        self, context: Context, role: Role, scope: Scope, where: Interval, reason: str, unknown_ms: int
    ) -> Finding:
        name = role_name(role)
        statement = Statement(
            Outcome.UNSURE,
            reason,
            where,
            Text(
                f"无法判断{name.zh}是否始终在画面中，请人工查看。",
                f"Whether the {name.en} was in the picture all the time could not be decided; a person must look.",
            ),
            self._expected(),
            role,
            Measure(seconds(unknown_ms), self.spec.number("max_absence_s", 3), "s") if unknown_ms else Measure(),
            context.examined.models(TrackKind.VIDEO, role),
        )
        return context.finding(self.spec, statement, scope.place)

    def _passed(self, context: Context, role: Role, scope: Scope, samples: list[Sample], ratio: float) -> Finding:
        name = role_name(role)
        min_px = self.spec.number("min_face_px", 40)
        with_face = [(sample, faces[0]) for sample in samples if (faces := sample.faces(min_px, _MIN_SCORE))]
        best = max(with_face, key=lambda pair: (pair[1].score, -pair[0].frame.at_ms), default=None)
        statement = Statement(
            Outcome.PASS,
            "FACE_PRESENT",
            scope.interval,
            Text(
                f"{name.zh}在 {ratio:.0%} 的已检时间内出现在画面中。",
                f"The {name.en} was in the picture {ratio:.0%} of the examined time.",
            ),
            self._expected(),
            role,
            Measure(round(ratio, 4), self.spec.number("min_ratio", 0.95), "ratio"),
            context.examined.models(TrackKind.VIDEO, role),
            (best[0].show(best[1]),) if best else (),
        )
        return context.finding(self.spec, statement, scope.place)

    def _expected(self) -> Text:
        limit, ratio = self.spec.number("max_absence_s", 3), self.spec.number("min_ratio", 0.95)
        return Text(
            f"面部在画面中的时间不少于 {ratio:.0%}，单次离开不超过 {limit:g} 秒",
            f"face in the picture at least {ratio:.0%} of the time, never away longer than {limit:g} s",
        )
