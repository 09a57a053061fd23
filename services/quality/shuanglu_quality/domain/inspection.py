"""A finished recording and all observations in, findings and verdict out.

The same input in any order gives the same output.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shuanglu_quality.domain.checks import KINDS, Check
from shuanglu_quality.domain.checks.coverage import coverage_ratio
from shuanglu_quality.domain.context import Context, Place, Statement
from shuanglu_quality.domain.examined import Examined
from shuanglu_quality.domain.findings import Finding, in_reading_order, number_alike
from shuanglu_quality.domain.frames import Reel
from shuanglu_quality.domain.intervals import Interval, merge
from shuanglu_quality.domain.nodes import find_nodes
from shuanglu_quality.domain.observations import Key, Observation, Recording, Said, TimelineNode, WindowHeard
from shuanglu_quality.domain.strategy import CheckSpec, Strategy
from shuanglu_quality.domain.transcript import Lines, in_time_order
from shuanglu_quality.domain.verdict import VerdictCondition, reach
from shuanglu_quality.domain.words import ModelRef, Outcome, Role, Severity, Text, TrackKind

_MIN_FACE_PX, _MIN_SCORE = 40, 0.6
_PRESENCE_JOIN_MS = 600
# These are judged whether a strategy names them or not: what nobody looked at, and what its own nodes ask for.
_ALWAYS = (CheckSpec("coverage", Severity.CRITICAL),)
_BY_NODES = (CheckSpec("must_say", Severity.CRITICAL), CheckSpec("answer", Severity.CRITICAL))


@dataclass(frozen=True, slots=True)
class Presence:
    """Where a role's face was seen."""

    role: Role
    track_id: str
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that was decided about a session."""

    findings: tuple[Finding, ...]
    verdict: Outcome
    timeline: tuple[TimelineNode, ...]
    timeline_found: bool
    utterances: tuple[Said, ...]
    coverage_ratio: float
    models: tuple[ModelRef, ...]
    presence: tuple[Presence, ...]


def inspect(
    strategy: Strategy,
    recording: Recording,
    observations: Iterable[Observation],
    lost: Mapping[Key, str],
    condition: VerdictCondition,
) -> Inspection:
    """Judges a session. `lost` names work that was given up, with the reason; it counts as not examined."""
    seen = tuple(observations)
    examined = Examined(lost)
    reel = Reel()
    windows: dict[Key, WindowHeard] = {}
    specs = _specs(strategy)
    checks = [KINDS[spec.kind](spec) for spec in specs]
    for observation in seen:
        examined.add(observation)
        reel.add(observation)
        if isinstance(observation, WindowHeard) and not observation.failure_reason:
            windows[observation.key] = observation
        for check in checks:
            check.add(observation)
    utterances = in_time_order([said for window in windows.values() for said in window.utterances])
    timeline = recording.timeline or find_nodes(strategy.nodes, utterances, recording.duration_ms)
    missing = examined.missing(recording)
    context = Context(strategy, recording, _ordered(timeline), utterances, Lines(utterances), examined, missing)
    judged = (one for spec, check in zip(specs, checks, strict=True) for one in _judged(spec, check, context))
    findings = in_reading_order(number_alike(judged))
    return Inspection(
        findings,
        reach(findings, condition),
        context.timeline,
        not recording.timeline and bool(timeline),
        utterances,
        coverage_ratio(recording, missing),
        tuple(sorted({*examined.models(TrackKind.VIDEO), *examined.models(TrackKind.AUDIO)})),
        _presence(reel, context.step_ms),
    )


def _judged(spec: CheckSpec, check: Check, context: Context) -> tuple[Finding, ...]:
    """A check's findings. One that breaks is UNSURE and leaves the others alone: a person must look."""
    try:
        found = check.findings(context)
    except Exception:  # noqa: BLE001 - whatever it is, it must neither pass nor stop the other checks
        found = ()
    if found:
        return found
    statement = Statement(
        Outcome.UNSURE,
        "CHECK_FAILED",
        context.recording.interval,
        Text("该质检项未能完成，请人工检查。", "This check could not be completed; a person must look."),
        Text("完成检查", "the check completed"),
    )
    return (context.finding(spec, statement, Place()),)


def _specs(strategy: Strategy) -> tuple[CheckSpec, ...]:
    named = {spec.kind for spec in strategy.checks}
    wanted = {"must_say"} if any(node.must_say for node in strategy.nodes) else set()
    wanted |= {"answer"} if any(node.answer for node in strategy.nodes) else set()
    implied = tuple(spec for spec in _BY_NODES if spec.kind in wanted - named)
    return (*strategy.checks, *implied, *(spec for spec in _ALWAYS if spec.kind not in named))


def _ordered(timeline: Iterable[TimelineNode]) -> tuple[TimelineNode, ...]:
    return tuple(sorted(timeline, key=lambda take: (take.interval, take.node_id, take.take)))


def _presence(reel: Reel, step_ms: int) -> tuple[Presence, ...]:
    found: list[Presence] = []
    for track_id, samples in reel.samples(step_ms).items():
        for role in samples[0].roles if samples else ():
            seen = [
                sample.interval for sample in samples if not sample.blank and sample.faces(_MIN_FACE_PX, _MIN_SCORE)
            ]
            found.append(Presence(role, track_id, merge(seen, _PRESENCE_JOIN_MS)))
    return tuple(sorted(found, key=lambda one: (one.role, one.track_id)))
