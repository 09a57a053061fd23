"""same_person: is the person in the picture the one on the ID photo, from beginning to end?

Single frames lie (a turned head, motion, a low light): OpenCV's 0.363 lets impostor pairs through, genuine pairs were
at least 0.40 in bad light. So the decision needs several compared frames in a row, smoothed by a median of three.
Where there is no ID photo the session's own reference face shows a switch of persons, but proves nobody's identity:
then the best outcome is UNSURE.
"""

from dataclasses import dataclass, field
from statistics import median

from shuanglu_quality.domain.context import Context, Scope, Statement
from shuanglu_quality.domain.findings import Finding, Measure
from shuanglu_quality.domain.frames import Reel, Sample, of_role
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import FaceSeen, Observation
from shuanglu_quality.domain.strategy import CheckSpec
from shuanglu_quality.domain.words import Outcome, Role, Text, TrackKind, clock_text, role_name

_MIN_FACE_PX = 60
_MIN_SCORE = 0.7


@dataclass(frozen=True, slots=True)
class _Compared:
    sample: Sample
    face: FaceSeen
    similarity: float


@dataclass(slots=True)
class SamePerson:
    """Folds compared faces; order and repeats change nothing."""

    spec: CheckSpec
    reel: Reel = field(default_factory=Reel)

    def add(self, observation: Observation) -> None:
        """Takes what was seen in a segment."""
        self.reel.add(observation)

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each stretch and node with another person, else one for each role and scope."""
        samples = self.reel.samples(context.step_ms)
        found: list[Finding] = []
        for role in self.spec.roles((Role.CUSTOMER,)):
            chosen = of_role(samples, role)
            for scope in context.scopes(self.spec.kind):
                inside = [sample for sample in chosen if scope.interval.contains(sample.frame.at_ms)]
                found.extend(self._judge(context, role, scope, inside))
        return tuple(found)

    def _judge(self, context: Context, role: Role, scope: Scope, samples: list[Sample]) -> list[Finding]:
        by_photo = self._against_photo(context, role)
        compared = self._compared(samples, by_photo=by_photo)
        wanted = round(self.spec.number("min_samples", 3))
        if len(compared) < wanted:
            return [self._unsure(context, role, scope, "NO_COMPARABLE_FACE", compared)]
        strange = [run for run in _runs(self._low(compared)) if len(run) >= wanted]
        if strange:
            return [found for run in strange for found in self._other(context, role, scope, run, compared)]
        if self._wants_photo(role) and not by_photo:
            return [self._unsure(context, role, scope, "NO_ID_PHOTO", compared)]
        unseen = context.not_examined(TrackKind.VIDEO, role, scope.interval)
        if sum(part.interval.duration_ms for part in unseen) > round(self.spec.number("max_unexamined_s", 3) * 1000):
            return [self._unsure(context, role, scope, unseen[0].reason, compared)]
        return [self._passed(context, role, scope, compared, by_photo=by_photo)]

    def _wants_photo(self, role: Role) -> bool:
        return role is Role.CUSTOMER and self.spec.word("against", "id_photo") == "id_photo"

    def _against_photo(self, context: Context, role: Role) -> bool:
        return self._wants_photo(role) and context.recording.has_id_photo

    def _compared(self, samples: list[Sample], *, by_photo: bool) -> list[_Compared]:
        """The closest face of each frame. A low value counts only where every face of the frame was compared."""
        threshold = self.spec.number("min_similarity", 0.40)
        found: list[_Compared] = []
        for sample in samples:
            if sample.blank:
                continue
            faces = [face for face in sample.faces(_MIN_FACE_PX, _MIN_SCORE) if _inside(face, sample)]
            values = [(face, face.id_photo_similarity if by_photo else face.reference_similarity) for face in faces]
            known = [_Compared(sample, face, value) for face, value in values if value is not None]
            if not known:
                continue
            closest = max(known, key=lambda one: one.similarity)
            if closest.similarity >= threshold or len(known) == len(values):
                found.append(closest)
        return found

    def _low(self, compared: list[_Compared]) -> list[tuple[_Compared, bool]]:
        threshold = self.spec.number("min_similarity", 0.40)
        values = [one.similarity for one in compared]
        last = max(0, len(values) - 3)
        smooth = [
            median(values[start : start + 3]) for start in (min(max(0, at - 1), last) for at in range(len(values)))
        ]
        return [(one, low < threshold) for one, low in zip(compared, smooth, strict=True)]

    def _other(
        self, context: Context, role: Role, scope: Scope, run: list[_Compared], compared: list[_Compared]
    ) -> list[Finding]:
        name = role_name(role)
        threshold = self.spec.number("min_similarity", 0.40)
        after = [one.sample.frame.at_ms for one in compared if one.sample.frame.at_ms > run[-1].sample.frame.at_ms]
        end = (
            min([*after[:1], scope.interval.end_ms])
            if after
            else max(run[-1].sample.interval.end_ms, _tail(scope, run))
        )
        whole = Interval(run[0].sample.frame.at_ms, max(end, run[-1].sample.interval.end_ms))
        middle = median(one.similarity for one in run)
        doubtful = middle >= threshold - self.spec.number("unsure_margin", 0.05)
        everywhere = len(run) == len(compared)
        outcome = Outcome.UNSURE if doubtful else Outcome.FAIL
        reason = "PERSON_UNCERTAIN" if doubtful else "PERSON_DIFFERS" if everywhere else "PERSON_CHANGED"
        found: list[Finding] = []
        for place, part in context.split(whole):
            inside = [one for one in run if part.contains(one.sample.frame.at_ms)] or run
            least = min(inside, key=lambda one: (one.similarity, one.sample.frame.at_ms))
            statement = Statement(
                outcome,
                reason,
                part,
                _other_person(name, part, reason),
                self._expected(),
                role,
                Measure(round(median(one.similarity for one in inside), 4), threshold, "cosine"),
                context.examined.models(TrackKind.VIDEO, role),
                (least.sample.show(least.face),),
            )
            found.append(context.finding(self.spec, statement, scope.place if scope.place.node else place))
        return found

    def _unsure(self, context: Context, role: Role, scope: Scope, reason: str, compared: list[_Compared]) -> Finding:
        name = role_name(role)
        measured = (
            round(median(one.similarity for one in compared), 4) if compared and reason != "NO_ID_PHOTO" else None
        )
        why = {
            "NO_COMPARABLE_FACE": Text("没有足够清晰、可比对的面部", "too few faces could be compared"),
            "NO_ID_PHOTO": Text(
                "没有可比对的证件照；录制中未发现换人", "there is no ID photo; no switch of persons was seen"
            ),
        }.get(reason, Text("部分画面未能检查", "part of the picture was not examined"))
        statement = Statement(
            Outcome.UNSURE,
            reason,
            scope.interval,
            Text(
                f"无法确认{name.zh}身份：{why.zh}，请人工核对。",
                f"The {name.en}'s identity could not be confirmed: {why.en}; a person must look.",
            ),
            self._expected(),
            role,
            Measure(measured, self.spec.number("min_similarity", 0.40), "cosine"),
            context.examined.models(TrackKind.VIDEO, role),
            tuple(one.sample.show(one.face) for one in compared[:1]),
        )
        return context.finding(self.spec, statement, scope.place)

    def _passed(
        self, context: Context, role: Role, scope: Scope, compared: list[_Compared], *, by_photo: bool
    ) -> Finding:
        name = role_name(role)
        middle = median(one.similarity for one in compared)
        typical = min(compared, key=lambda one: (abs(one.similarity - middle), one.sample.frame.at_ms))
        against = Text("证件照", "ID photo") if by_photo else Text("本次录制的参考面部", "session's reference face")
        statement = Statement(
            Outcome.PASS,
            "SAME_PERSON",
            scope.interval,
            Text(
                f"{name.zh}与{against.zh}一致（共比对 {len(compared)} 帧，相似度中位数 {middle:.2f}）。",
                f"The {name.en} matches the {against.en} ({len(compared)} frames compared, "
                f"median similarity {middle:.2f}).",
            ),
            self._expected(),
            role,
            Measure(round(middle, 4), self.spec.number("min_similarity", 0.40), "cosine"),
            context.examined.models(TrackKind.VIDEO, role),
            (typical.sample.show(typical.face),),
        )
        return context.finding(self.spec, statement, scope.place)

    def _expected(self) -> Text:
        limit = self.spec.number("min_similarity", 0.40)
        return Text(
            f"全程为同一人，相似度不低于 {limit:g}", f"the same person throughout, similarity at least {limit:g}"
        )


def _inside(face: FaceSeen, sample: Sample) -> bool:
    """Whether the face is not cut off by the edge of the frame: half a face compares with nothing."""
    if not sample.width or not sample.height:
        return True
    box = face.box
    margin_x, margin_y = box.width * 0.1, box.height * 0.1
    return (
        box.x >= -margin_x
        and box.y >= -margin_y
        and box.x + box.width <= sample.width + margin_x
        and box.y + box.height <= sample.height + margin_y
    )


def _runs(marked: list[tuple[_Compared, bool]]) -> list[list[_Compared]]:
    found: list[list[_Compared]] = []
    joined = False
    for one, mark in marked:
        if mark and joined:
            found[-1].append(one)
        elif mark:
            found.append([one])
        joined = mark
    return found


def _tail(scope: Scope, run: list[_Compared]) -> int:
    """The last compared frame stands for the rest of the scope if that is shorter than a second and a half."""
    last = run[-1].sample.frame.at_ms
    return scope.interval.end_ms if scope.interval.end_ms - last <= 1500 else last  # noqa: PLR2004 - as the docstring says


def _other_person(name: Text, part: Interval, reason: str) -> Text:
    span = f"{clock_text(part.start_ms)}–{clock_text(part.end_ms)}"
    if reason == "PERSON_UNCERTAIN":
        return Text(
            f"{span} 画面中的人与{name.zh}证件照是否一致难以判定，请人工核对。",
            f"Whether the person in the picture at {span} is the {name.en} could not be decided; a person must look.",
        )
    if reason == "PERSON_DIFFERS":
        return Text(
            f"{span} 画面中的人与{name.zh}证件照不是同一人。",
            f"The person in the picture at {span} is not the one on the {name.en}'s ID photo.",
        )
    return Text(
        f"{span} 画面中的人不是{name.zh}本人，中途换人。",
        f"The person in the picture at {span} is not the {name.en}: somebody else took the seat.",
    )
