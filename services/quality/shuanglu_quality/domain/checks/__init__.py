"""The kinds of checks that a strategy can name: small reducers, commutative and idempotent."""

from collections.abc import Callable, Mapping
from typing import Protocol

from shuanglu_quality.domain.checks.answer import AnswerGiven
from shuanglu_quality.domain.checks.coverage import Coverage
from shuanglu_quality.domain.checks.face_in_frame import FaceInFrame
from shuanglu_quality.domain.checks.intrusion import Intrusion
from shuanglu_quality.domain.checks.phrases import MustNotSay, MustSay
from shuanglu_quality.domain.checks.recording_quality import RecordingQuality
from shuanglu_quality.domain.checks.same_person import SamePerson
from shuanglu_quality.domain.checks.script import NodeDuration, NodeOrder
from shuanglu_quality.domain.context import Context
from shuanglu_quality.domain.findings import Finding
from shuanglu_quality.domain.observations import Observation
from shuanglu_quality.domain.strategy import CheckSpec


class Check(Protocol):
    """One rule of a strategy over one session."""

    def add(self, observation: Observation) -> None:
        """Folds one observation in. The same one again, or another order, changes no finding."""

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """What was found; never empty: nothing to blame is PASS, nothing that could be judged is UNSURE."""


KINDS: Mapping[str, Callable[[CheckSpec], Check]] = {
    "face_in_frame": FaceInFrame,
    "same_person": SamePerson,
    "intrusion": Intrusion,
    "must_say": MustSay,
    "must_not_say": MustNotSay,
    "answer": AnswerGiven,
    "recording_quality": RecordingQuality,
    "node_order": NodeOrder,
    "node_duration": NodeDuration,
    "coverage": Coverage,
}
