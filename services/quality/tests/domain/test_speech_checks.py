from dataclasses import replace

import pytest
from quality_scene import Change, Faces, Scene

from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.words import Outcome, Role


def said(scene: Scene, text: str):
    return next(said.interval for line, said in scene.said if text in line.text)


def phrase(scene: Scene, check: str, text: str):
    return next(one for one in scene.of(check) if one.subject == text)


def test_a_phrase_is_quoted_with_its_time(scene: Scene):
    finding = phrase(scene, "must_say", "逾期将影响您的征信")
    assert finding.outcome is Outcome.PASS
    assert finding.node == "risk"
    assert finding.quotes[0].matched == "逾期将影响您的征信"
    assert said(scene, "征信").overlap_ms(finding.interval) == finding.interval.duration_ms


def test_a_phrase_over_two_utterances_is_found(scene: Scene):
    at = next(i for i, line in enumerate(scene.script) if "征信" in line.text)
    line = scene.script[at]
    scene.script[at : at + 1] = [replace(line, text="逾期将影响", pause_ms=450), replace(line, text="您的征信。")]
    finding = phrase(scene, "must_say", "逾期将影响您的征信")
    assert finding.outcome is Outcome.PASS
    assert finding.quotes[0].text == "逾期将影响 您的征信。"


@pytest.mark.parametrize(
    ("heard", "outcome", "reason"),
    [
        ("于其将影响您的真心", Outcome.PASS, "PHRASE_SAID"),
        ("逾期会影响你征信", Outcome.UNSURE, "PHRASE_UNCLEAR"),
        ("逾期将不影响您的征信", Outcome.FAIL, "NEGATION_CHANGED"),
        ("谢谢您的耐心等待", Outcome.FAIL, "PHRASE_MISSING"),
    ],
)
def test_a_phrase_is_as_good_as_it_sounds(scene: Scene, heard: str, outcome: Outcome, reason: str):
    scene.script = [replace(line, text=heard) if "征信" in line.text else line for line in scene.script]
    finding = phrase(scene, "must_say", "逾期将影响您的征信")
    assert (finding.outcome, finding.reason) == (outcome, reason)


def test_a_phrase_said_in_another_node_only_is_unsure(scene: Scene):
    moved = next(line for line in scene.script if "征信" in line.text)
    scene.script = [line for line in scene.script if line is not moved]
    scene.script.insert(3, replace(moved, node="identity"))
    finding = phrase(scene, "must_say", "逾期将影响您的征信")
    assert (finding.outcome, finding.reason) == (Outcome.UNSURE, "PHRASE_ELSEWHERE")


def test_the_customer_cannot_say_what_the_agent_must(scene: Scene):
    scene.script = [replace(line, role=Role.CUSTOMER) if "征信" in line.text else line for line in scene.script]
    assert phrase(scene, "must_say", "逾期将影响您的征信").outcome is Outcome.FAIL


def test_must_have_words_are_exact(scene: Scene, with_yaml: Change):
    scene.strategy = with_yaml(
        ("must_say: [贷款年利率,", "must_say: [{text: 年利率为百分之四点五, must_have: [四点五]},")
    )
    assert phrase(scene, "must_say", "年利率为百分之四点五").outcome is Outcome.PASS
    scene.script = [replace(line, text=line.text.replace("4.5%", "4.1%")) for line in scene.script]
    finding = phrase(scene, "must_say", "年利率为百分之四点五")
    assert (finding.outcome, finding.reason) == (Outcome.FAIL, "WORD_MISSING")


def test_sound_that_was_not_transcribed_makes_phrases_unsure_and_not_failed(scene: Scene):
    scene.failed = {("speech", "agent-audio", 0): "TRACK_UNREADABLE"}
    broken = scene.broken()
    assert {one.outcome for one in broken} == {Outcome.UNSURE}
    assert {one.check for one in broken} >= {"must_say", "must_not_say", "node_order", "answer", "coverage"}
    assert {one.reason for one in broken if one.check == "must_say"} == {"TRACK_UNREADABLE"}


def test_a_lost_window_makes_only_its_phrase_unsure(scene: Scene):
    index = [said for _, said in scene.said if said.role is Role.AGENT].index(
        next(said for line, said in scene.said if "征信" in line.text)
    )
    scene.skip = {("window", "agent-audio", index)}
    scene.lost = {("window", "agent-audio", index): "MAX_DELIVERIES"}
    broken = {(one.check, one.subject if one.check == "must_say" else "") for one in scene.broken()}
    assert broken == {("must_say", "逾期将影响您的征信"), ("must_not_say", ""), ("coverage", "")}
    coverage = next(one for one in scene.broken() if one.check == "coverage")
    assert (coverage.reason, coverage.interval) == ("MAX_DELIVERIES", said(scene, "征信"))


@pytest.mark.parametrize(
    ("promise", "outcome"),
    [
        ("这笔贷款保证通过。", Outcome.FAIL),
        ("这笔贷款宝正通过。", Outcome.FAIL),
        ("我们不能保证通过。", Outcome.PASS),
        ("我们不保证通过。", Outcome.PASS),
        ("这笔贷款需要审批。", Outcome.PASS),
        ("这笔贷款包准通过。", Outcome.UNSURE),
    ],
)
def test_a_promise_is_told_from_its_denial(scene: Scene, promise: str, outcome: Outcome):
    scene.script.insert(5, replace(scene.script[4], text=promise))
    assert phrase(scene, "must_not_say", "保证通过").outcome is outcome
    assert {one.check for one in scene.broken()} <= {"must_not_say"}


def test_a_customer_may_say_what_an_agent_may_not(scene: Scene):
    scene.script.insert(5, replace(scene.script[4], role=Role.CUSTOMER, text="你们保证通过吗？"))
    assert phrase(scene, "must_not_say", "保证通过").outcome is Outcome.PASS


def test_a_phrase_may_be_forbidden_in_one_node_only(scene: Scene, with_yaml: Change):
    scene.strategy = with_yaml(("must_say: [贷款年利率, 期限, 等额本息]", "must_not_say: [零风险]"))
    scene.script.insert(5, replace(scene.script[4], text="这是零风险的。"))
    finding = phrase(scene, "must_not_say", "零风险")
    assert (finding.outcome, finding.node) == (Outcome.FAIL, "terms")


def answer(scene: Scene, node: str):
    return next(one for one in scene.of("answer") if one.node == node)


@pytest.mark.parametrize(
    ("text", "answer_text", "confidence", "outcome", "reason"),
    [
        ("是的，我清楚了。", "是的我清楚了", 0.9, Outcome.PASS, "ANSWER_GIVEN"),
        ("我不清楚。", "不清楚", 0.9, Outcome.FAIL, "ANSWER_REFUSED"),
        ("我清楚。", "我不清楚", 0.9, Outcome.UNSURE, "ANSWER_UNCLEAR"),
        ("清楚。", "", 0.9, Outcome.UNSURE, "ANSWER_UNCLEAR"),
        ("", "同意 不同意", 0.2, Outcome.UNSURE, "ANSWER_UNCLEAR"),
        ("清楚。", "清楚", 0.1, Outcome.UNSURE, "ANSWER_UNCLEAR"),
        ("我不清楚也不同意你们的这些条款", "", 0.9, Outcome.UNSURE, "ANSWER_UNCLEAR"),
        ("我不同意你们的这些条款", "", 0.9, Outcome.FAIL, "ANSWER_REFUSED"),
    ],
)
def test_an_answer_is_what_both_decodings_say(
    scene: Scene, text: str, answer_text: str, confidence: float, outcome: Outcome, reason: str
):
    scene.replace_line("risk", Role.CUSTOMER, text=text, answer_text=answer_text, confidence=confidence)
    finding = answer(scene, "risk")
    assert (finding.outcome, finding.reason) == (outcome, reason)
    assert [quote.text for quote in finding.quotes] == ([text] if text else [])
    assert {one.check for one in scene.broken()} <= {"answer"}


def test_no_answer_is_no_consent(scene: Scene):
    scene.script = [line for line in scene.script if (line.node, line.role) != ("consent", Role.CUSTOMER)]
    finding = answer(scene, "consent")
    assert (finding.outcome, finding.reason) == (Outcome.UNSURE, "ANSWER_MISSING")


def test_an_answer_that_comes_too_late_does_not_count(scene: Scene):
    at = next(i for i, line in enumerate(scene.script) if line.node == "terms" and "清楚了吗" in line.text)
    scene.script[at] = replace(scene.script[at], pause_ms=10_500)
    assert answer(scene, "terms").reason == "ANSWER_MISSING"


def test_words_before_the_question_are_no_answer(scene: Scene):
    at = next(i for i, line in enumerate(scene.script) if line.node == "terms")
    scene.script[at + 1 : at + 1] = [replace(scene.script[at], role=Role.CUSTOMER, text="不同意。")]
    assert answer(scene, "terms").outcome is Outcome.PASS


def test_answers_that_contradict_each_other_are_unsure(scene: Scene):
    at = next(i for i, line in enumerate(scene.script) if line.text == "同意。")
    scene.script.insert(at, replace(scene.script[at], text="不同意。"))
    assert answer(scene, "consent").reason == "ANSWER_CONTRADICTORY"


def test_speech_that_voice_activity_did_not_find_is_no_answer(scene: Scene):
    observations = [
        replace(one, turns=one.turns[1:]) if one.key == ("speech", "customer-audio", 0) else one
        for one in scene.observations()
    ]
    inspection = scene.inspect(observations)
    finding = next(one for one in inspection.findings if one.check == "answer" and one.node == "consent")
    assert (finding.outcome, finding.reason) == (Outcome.UNSURE, "ANSWER_UNCLEAR")


def test_an_answer_in_sound_that_was_not_transcribed_is_unsure(scene: Scene):
    scene.failed = {("window", "customer-audio", 0): "RECOGNISER_FAILED"}
    finding = answer(scene, "consent")
    assert (finding.outcome, finding.reason) == (Outcome.UNSURE, "RECOGNISER_FAILED")


def test_a_node_may_want_a_no(scene: Scene, with_yaml: Change):
    scene.strategy = with_yaml(
        (
            "answer: {from: CUSTOMER, expect: affirmative, within_s: 10}\n  - id: identity",
            "answer: {from: CUSTOMER, expect: negative, within_s: 10}\n  - id: identity",
        )
    )
    assert answer(scene, "consent").outcome is Outcome.FAIL
    scene.replace_line("consent", Role.CUSTOMER, text="没有。")
    assert answer(scene, "consent").outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("dbfs", "outcome", "reason"),
    [
        (-24, Outcome.PASS, "LEVEL_GOOD"),
        (-58, Outcome.FAIL, "TOO_QUIET"),
        (-1, Outcome.FAIL, "TOO_LOUD"),
    ],
)
def test_the_level_of_speech_has_a_range(scene: Scene, dbfs: float, outcome: Outcome, reason: str):
    scene.speech_dbfs = dbfs
    levels = [one for one in scene.of("recording_quality") if one.measure.unit == "dBFS"]
    assert {(one.outcome, one.reason) for one in levels} == {(outcome, reason)}


def test_silence_of_one_track_is_a_pause(scene: Scene):
    scene.mute = {Role.CUSTOMER: Interval(0, scene.duration_ms)}
    assert [one.reason for one in scene.broken() if one.check == "recording_quality"] == ["TOO_QUIET"]


def test_on_a_shared_track_words_count_but_a_consent_needs_a_known_voice(scene: Scene, make_face: Faces):
    scene.shared = True
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(x=60), make_face(x=400, similarity=0.1))
    assert {one.outcome for one in scene.of("must_say")} == {Outcome.PASS}
    given = answer(scene, "confirm")
    assert (given.outcome, given.reason) == (Outcome.UNSURE, "SPEAKER_UNKNOWN")


def test_a_refusal_by_an_unknown_voice_still_fails(scene: Scene, make_face: Faces):
    scene.shared = True
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(x=60), make_face(x=400, similarity=0.1))
    scene.replace_line("confirm", Role.CUSTOMER, text="我不同意。")
    assert answer(scene, "confirm").outcome is Outcome.FAIL
