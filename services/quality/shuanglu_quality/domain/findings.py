"""Findings: the outcome of checks, with what shows it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import Box
from shuanglu_quality.domain.words import ModelRef, Outcome, Role, Severity, Text


@dataclass(frozen=True, slots=True)
class EvidenceFrame:
    """A picture that shows the finding: what to look at, and faces that are not needed."""

    track_id: str
    at_ms: int
    box: Box | None = None
    blur: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that show the finding; `matched` is the part that met a phrase."""

    role: Role | None
    text: str
    interval: Interval
    matched: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """What was measured and the strategy's limit, both in `unit`; None where there is none."""

    measured: float | None = None
    threshold: float | None = None
    unit: str = ""


NO_MEASURE = Measure()


@dataclass(frozen=True, slots=True)
class Finding:
    """Outcome of one check.

    `subject` tells findings of one check, node, take and role apart (a phrase, a track, an ordinal).
    """

    check: str
    outcome: Outcome
    severity: Severity
    reason: str
    interval: Interval
    message: Text
    expected: Text
    node: str = ""
    take: int = 0
    role: Role | None = None
    measure: Measure = NO_MEASURE
    models: tuple[ModelRef, ...] = ()
    frames: tuple[EvidenceFrame, ...] = ()
    quotes: tuple[Quote, ...] = ()
    rule: str = ""
    subject: str = ""

    @property
    def finding_id(self) -> str:
        """32 hexadecimal digits; equal for the same check, node, take, role, rule and subject."""
        parts = (self.check, self.node, str(self.take), self.role or "", self.rule, self.subject)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


_ORDER = {Outcome.FAIL: 0, Outcome.UNSURE: 1, Outcome.PASS: 2}
_WEIGHT = {Severity.CRITICAL: 0, Severity.MAJOR: 1, Severity.MINOR: 2}


def number_alike(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Makes ids unique: findings that would share one get an ordinal by time."""
    seen: dict[str, int] = {}
    unique: list[Finding] = []
    for finding in sorted(findings, key=lambda one: (one.interval, one.outcome, one.reason, one.message.en)):
        count = seen[finding.finding_id] = seen.get(finding.finding_id, 0) + 1
        unique.append(finding if count == 1 else replace(finding, subject=f"{finding.subject}#{count}"))
    return tuple(unique)


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Failed first, then unsure, then passed; heavier first, then by time."""
    return tuple(
        sorted(
            findings,
            key=lambda one: (_ORDER[one.outcome], _WEIGHT[one.severity], one.interval, one.check, one.finding_id),
        )
    )
