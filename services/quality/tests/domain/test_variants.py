"""Each defect breaks exactly its check: the rest of the session stays in order."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_scene import Faces, Scene, Scenes

from shuanglu_quality.domain.findings import Finding
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.words import Outcome, Role, Severity

IMPOSTOR = 0.12
Expected = list[tuple[str, Outcome, str, Interval]]
Spoil = Callable[[Scene, Faces], Expected]


def customer_absent(scene: Scene, face: Faces):
    gone = Interval(scene.span("risk").start_ms + 250, scene.span("risk").start_ms + 5250)
    scene.faces[Role.CUSTOMER] = lambda at: () if gone.contains(at) else (face(),)
    return [("face_in_frame", Outcome.FAIL, "risk", gone)]


def seat_taken(scene: Scene, face: Faces):
    start = scene.span("risk").start_ms
    scene.faces[Role.CUSTOMER] = lambda at: (face(similarity=IMPOSTOR if at >= start else 0.62),)
    confirm = scene.span("confirm").start_ms
    return [
        ("same_person", Outcome.FAIL, "risk", Interval(start, confirm)),
        ("same_person", Outcome.FAIL, "confirm", Interval(confirm, scene.duration_ms)),
    ]


def stranger(scene: Scene, face: Faces):
    visit = Interval(scene.span("risk").start_ms + 650, scene.span("risk").start_ms + 5650)
    other = face(x=430, similarity=IMPOSTOR, size=120)
    scene.faces[Role.CUSTOMER] = lambda at: (face(), other) if visit.contains(at) else (face(),)
    return [("intrusion", Outcome.FAIL, "risk", visit)]


def wrong_id_photo(scene: Scene, face: Faces):
    scene.faces[Role.CUSTOMER] = lambda at: (face(similarity=IMPOSTOR),)
    nodes = ("consent", "identity", "terms", "risk", "confirm")
    starts = [0, *(scene.span(node).start_ms for node in nodes[1:]), scene.duration_ms]
    return [("same_person", Outcome.FAIL, node, Interval(starts[at], starts[at + 1])) for at, node in enumerate(nodes)]


def risk_left_out(scene: Scene, face: Faces):
    scene.script = [line for line in scene.script if "征信" not in line.text]
    return [("must_say", Outcome.FAIL, "risk", scene.span("risk"))]


def forbidden_promise(scene: Scene, face: Faces):
    at = next(i for i, line in enumerate(scene.script) if line.text.startswith("期限"))
    scene.script.insert(at + 1, replace(scene.script[at], text="您放心，这笔贷款保证通过。"))
    said = next(said.interval for line, said in scene.said if "保证" in line.text)
    return [("must_not_say", Outcome.FAIL, "terms", said)]


def refusal(scene: Scene, face: Faces):
    scene.replace_line("confirm", Role.CUSTOMER, text="我不同意。")
    return [("answer", Outcome.FAIL, "confirm", scene.said[-1][1].interval)]


def mumbled(scene: Scene, face: Faces):
    scene.replace_line("risk", Role.CUSTOMER, text="嗯，那个。", answer_text="嗯。", confidence=0.4)
    said = next(said.interval for line, said in scene.said if line.text == "嗯，那个。")
    return [("answer", Outcome.UNSURE, "risk", said)]


def black_picture(scene: Scene, face: Faces):
    black = Interval(scene.span("terms").start_ms + 250, scene.span("terms").start_ms + 4250)
    scene.black[Role.CUSTOMER] = black
    return [("recording_quality", Outcome.FAIL, "terms", black)]


def silence(scene: Scene, face: Faces):
    at = next(i for i, line in enumerate(scene.script) if line.text.startswith("期限"))
    scene.script[at] = replace(scene.script[at], pause_ms=5000)
    end = scene.said[at][1].interval.end_ms
    mute = Interval(end + 100, end + 4900)
    scene.mute = {Role.CUSTOMER: mute, Role.AGENT: mute}
    return [("recording_quality", Outcome.FAIL, "terms", mute)] * 2


def wrong_order(scene: Scene, face: Faces):
    order = ("consent", "identity", "risk", "terms", "confirm")
    scene.script = [line for node in order for line in scene.script if line.node == node]
    return [("node_order", Outcome.FAIL, "risk", scene.span("risk"))]


VARIANTS = (
    customer_absent, seat_taken, stranger, wrong_id_photo, risk_left_out, forbidden_promise, refusal, mumbled,
    black_picture, silence, wrong_order,
)  # fmt: skip


def shown(finding: Finding) -> tuple[str, Outcome, str]:
    return (finding.check, finding.outcome, finding.node)


def test_a_session_in_order_passes_every_check(scene: Scene):
    inspection = scene.inspect()
    assert scene.broken(inspection) == []
    assert inspection.verdict is Outcome.PASS
    assert {one.check for one in inspection.findings} == {spec.kind for spec in scene.strategy.checks}
    assert inspection.coverage_ratio == 1.0
    assert inspection.timeline_found


@pytest.mark.parametrize("spoil", VARIANTS, ids=lambda spoil: spoil.__name__)
def test_a_defect_breaks_exactly_its_check_at_its_time(scene: Scene, make_face: Faces, spoil: Spoil):
    expected = spoil(scene, make_face)
    inspection = scene.inspect()
    broken = sorted(scene.broken(inspection), key=lambda one: one.interval)
    assert [shown(one) for one in broken] == [entry[:3] for entry in expected]
    for finding, (*_, where) in zip(broken, expected, strict=True):
        assert abs(finding.interval.start_ms - where.start_ms) <= 1000
        assert abs(finding.interval.end_ms - where.end_ms) <= 1000
    assert inspection.verdict is (Outcome.UNSURE if spoil is mumbled else Outcome.FAIL)


@pytest.mark.parametrize("spoil", VARIANTS, ids=lambda spoil: spoil.__name__)
def test_every_finding_says_what_it_rests_on(scene: Scene, make_face: Faces, spoil: Spoil):
    spoil(scene, make_face)
    findings = scene.inspect().findings
    assert len({one.finding_id for one in findings}) == len(findings)
    for one in findings:
        assert one.reason
        assert one.message.zh
        assert one.message.en
        assert one.expected.zh
        assert one.expected.en
        assert one.severity in Severity
        assert one.interval.end_ms <= scene.duration_ms
    for one in scene.broken():
        assert one.frames or one.quotes or one.check in ("must_say", "node_order", "recording_quality")


@settings(max_examples=30, deadline=None)
@given(
    spoil=st.sampled_from((None, *VARIANTS)),
    seed=st.integers(0, 2**32),
    repeats=st.integers(0, 25),
    cut=st.integers(0, 20),
)
def test_shuffled_and_repeated_observations_give_equal_findings(
    make_scene: Scenes, make_face: Faces, spoil: Spoil, seed: int, repeats: int, cut: int
):
    scene = make_scene()
    if spoil is not None:
        spoil(scene, make_face)
    given_ones = scene.observations()[cut:]
    chance = random.Random(seed)
    mixed = [*given_ones, *chance.choices(given_ones, k=repeats)]
    chance.shuffle(mixed)
    assert scene.inspect(mixed) == scene.inspect(given_ones)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_of_two_results_of_the_same_work_the_same_one_counts_in_any_order(make_scene: Scenes, seed: int):
    scene = make_scene()
    given_ones = scene.observations()
    failed = [
        replace(one, frames=(), failure_reason="SEGMENT_UNREADABLE")
        for one in given_ones
        if one.key[0] == "faces" and one.key[2] % 3 == 0
    ]
    mixed = [*given_ones, *failed]
    random.Random(seed).shuffle(mixed)
    assert scene.inspect(mixed) == scene.inspect(given_ones)
