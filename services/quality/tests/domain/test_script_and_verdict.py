from dataclasses import replace
from typing import Any

import pytest
from quality_scene import Change, Scene

from shuanglu_quality.conditions import FindingsCondition
from shuanglu_quality.domain.context import Context
from shuanglu_quality.domain.findings import Finding, in_reading_order, number_alike
from shuanglu_quality.domain.inspection import inspect
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import Observation, Recording, TimelineNode
from shuanglu_quality.domain.strategy import CheckSpec
from shuanglu_quality.domain.verdict import reach
from shuanglu_quality.domain.words import Outcome, Role, Severity, Text
from shuanglu_quality.strategy_text import DEFAULT_VERDICT

NODES = ["consent", "identity", "terms", "risk", "confirm"]


def timeline(order: list[str], length: int = 8000):
    return tuple(TimelineNode(node, Interval(at * length, (at + 1) * length)) for at, node in enumerate(order))


def misplaced(scene: Scene, order: list[str]):
    scene.timeline = timeline(order, scene.duration_ms // len(order))
    return [one.node for one in scene.of("node_order") if one.outcome is Outcome.FAIL]


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        (["consent", "identity", "terms", "risk", "confirm"], []),
        (["consent", "identity", "risk", "terms", "confirm"], ["risk"]),
        (["confirm", "consent", "identity", "terms", "risk"], ["confirm"]),
        (["identity", "terms", "risk", "confirm", "consent"], ["consent"]),
        (["identity", "consent", "risk", "terms", "confirm"], ["identity", "risk"]),
    ],
)
def test_the_fewest_nodes_are_out_of_order(scene: Scene, order: list[str], wrong: list[str]):
    assert sorted(misplaced(scene, order)) == sorted(wrong)


def test_a_missing_node_fails_the_order_and_its_phrases(scene: Scene):
    scene.script = [line for line in scene.script if line.node != "risk"]
    broken = {(one.check, one.node, one.outcome, one.reason) for one in scene.broken()}
    assert broken == {
        ("node_order", "risk", Outcome.FAIL, "NODE_MISSING"),
        ("must_say", "risk", Outcome.FAIL, "NODE_MISSING"),
        ("answer", "risk", Outcome.UNSURE, "NODE_MISSING"),
    }


def test_a_given_timeline_is_taken_as_it_is(scene: Scene):
    scene.timeline = timeline(NODES, scene.duration_ms // 5)
    inspection = scene.inspect()
    assert inspection.timeline == scene.timeline
    assert not inspection.timeline_found


@pytest.mark.parametrize(
    ("length", "reason"), [(1000, "NODE_TOO_SHORT"), (8000, "DURATION_KEPT"), (400_000, "NODE_TOO_LONG")]
)
def test_a_node_has_a_shortest_and_a_longest_length(scene: Scene, length: int, reason: str):
    scene.timeline = (TimelineNode("terms", Interval(0, length)),)
    finding = next(one for one in scene.of("node_duration"))
    assert finding.reason == reason
    assert finding.measure.measured == length / 1000


def test_a_nodes_own_limits_come_first(scene: Scene, with_yaml: Change):
    scene.strategy = with_yaml(("  - id: risk\n", "  - id: risk\n    duration: {min_s: 60}\n"))
    assert [(one.node, one.reason) for one in scene.broken()] == [("risk", "NODE_TOO_SHORT")]


def test_without_any_observation_everything_is_unsure(scene: Scene):
    inspection = scene.inspect([])
    assert inspection.verdict is Outcome.UNSURE
    assert inspection.coverage_ratio == 0
    passed = {one.reason for one in inspection.findings if one.outcome is Outcome.PASS}
    assert passed == {"NO_GAP"}
    assert Outcome.FAIL not in {one.outcome for one in inspection.findings}


def test_a_recording_without_tracks_is_unsure(scene: Scene):
    inspection = inspect(scene.strategy, Recording((), 1000), [], {}, FindingsCondition(DEFAULT_VERDICT))
    assert inspection.verdict is Outcome.UNSURE
    assert "NOTHING_RECORDED" in {one.reason for one in inspection.findings}


def test_checks_that_nodes_need_are_judged_though_not_named(scene: Scene):
    kept = tuple(spec for spec in scene.strategy.checks if spec.kind == "intrusion")
    scene.strategy = replace(scene.strategy, checks=kept)
    assert {one.check for one in scene.inspect().findings} == {"intrusion", "must_say", "answer", "coverage"}


def test_a_script_without_phrases_or_answers_has_nothing_to_blame(scene: Scene):
    nodes = tuple(replace(node, must_say=(), answer=None) for node in scene.strategy.nodes)
    scene.strategy = replace(scene.strategy, nodes=nodes)
    reasons = {one.check: one.reason for one in scene.inspect().findings if one.check in ("must_say", "answer")}
    assert reasons == {"must_say": "NOTHING_REQUIRED", "answer": "NOTHING_REQUIRED"}


def test_a_check_that_breaks_is_unsure_and_breaks_nothing_else(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    from shuanglu_quality.domain import inspection as module
    from shuanglu_quality.domain.checks import KINDS

    class Broken:
        def __init__(self, spec: CheckSpec) -> None:
            self.spec = spec

        def add(self, observation: Observation):
            pass

        def findings(self, context: Context):
            raise ZeroDivisionError

    monkeypatch.setattr(module, "KINDS", {**KINDS, "intrusion": Broken})
    broken = scene.broken()
    assert [(one.check, one.outcome, one.reason) for one in broken] == [("intrusion", Outcome.UNSURE, "CHECK_FAILED")]


def finding(outcome: Outcome, severity: Severity = Severity.CRITICAL, check: str = "answer", at: int = 0):
    return Finding(check, outcome, severity, "R", Interval(at, at + 1), Text("z", "e"), Text("z", "e"))


P, F, U = Outcome.PASS, Outcome.FAIL, Outcome.UNSURE
CRITICAL, MAJOR, MINOR = Severity.CRITICAL, Severity.MAJOR, Severity.MINOR


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], U),
        ([(P, CRITICAL)], P),
        ([(F, CRITICAL), (U, CRITICAL)], F),
        ([(U, CRITICAL), (P, MAJOR)], U),
        ([(P, CRITICAL), (F, MAJOR)], U),
        ([(P, CRITICAL), (U, MAJOR)], U),
        ([(U, CRITICAL), (F, MAJOR)], U),
        ([(P, CRITICAL), (F, MINOR), (U, MINOR)], P),
    ],
)
def test_the_default_verdict(findings: list[Any], verdict: Outcome):
    assert reach([finding(*one) for one in findings], FindingsCondition(DEFAULT_VERDICT)) is verdict


@pytest.mark.parametrize(
    ("condition", "findings", "verdict"),
    [
        ("true", [(F, CRITICAL)], F),
        ("true", [(U, MAJOR)], U),
        ("false", [(P, MINOR)], F),
        ('findings.all(f, f.outcome == "PASS")', [(F, MINOR)], F),
        ('findings.all(f, f.outcome == "PASS")', [(U, MINOR)], U),
        ("findings.size() / 0 == 1", [(P, CRITICAL)], U),
        ('findings.exists(f, f.check == "answer" && f.reason == "R")', [(P, CRITICAL)], P),
    ],
)
def test_a_condition_makes_a_verdict_stricter_and_never_laxer(condition: str, findings: list[Any], verdict: Outcome):
    assert reach([finding(*one) for one in findings], FindingsCondition(condition)) is verdict


def test_findings_are_read_failed_first_and_have_ids_of_their_own():
    alike = [finding(F, at=9), finding(F, at=3), finding(P), finding(U, MAJOR), finding(U, CRITICAL, at=5)]
    ordered = in_reading_order(number_alike(alike))
    assert [one.outcome for one in ordered] == [F, F, U, U, P]
    assert [one.severity for one in ordered][2:4] == [CRITICAL, MAJOR]
    assert len({one.finding_id for one in ordered}) == len(ordered)
    assert number_alike(reversed(alike)) == number_alike(alike)


def test_a_finding_keeps_its_id_when_its_message_changes():
    first = finding(F)
    assert replace(first, message=Text("another", "another")).finding_id == first.finding_id
    assert replace(first, role=Role.AGENT).finding_id != first.finding_id
