import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_scene import Change

from shuanglu_quality.builtin import built_in
from shuanglu_quality.conditions import BadCondition, FindingsCondition, OrderCondition, OrderFacts
from shuanglu_quality.domain.checks import KINDS
from shuanglu_quality.domain.strategy import RecordingRules, StallAction
from shuanglu_quality.domain.words import Role
from shuanglu_quality.strategy_text import read, schema
from shuanglu_quality.yaml_text import MAX_BYTES, Problem

LOAN = next(one.yaml for one in built_in() if one.strategy.strategy_id == "personal-loan")
SMALL = """
id: small
title: {zh: 小, en: small}
nodes:
  - id: consent
    title: {zh: 同意, en: consent}
    prompt: {text: 请问您是否同意录音录像？}
checks:
  face_in_frame: {roles: [CUSTOMER]}
"""


def only_problem(text: str) -> Problem:
    reading = read(text)
    assert reading.strategy is None
    assert len(reading.problems) == 1, reading.problems
    return reading.problems[0]


def changed(old: str, new: str, text: str = SMALL) -> str:
    assert old in text
    return text.replace(old, new)


def test_every_shipped_strategy_is_valid():
    assert {one.strategy.strategy_id for one in built_in()} == {"personal-loan"}


def test_the_schema_knows_exactly_the_kinds_of_checks():
    assert set(schema()["properties"]["checks"]["properties"]) == set(KINDS)


def test_the_version_is_of_the_content_and_not_of_the_text():
    plain = read(SMALL).strategy
    commented = read("# a comment\n" + SMALL.replace("{zh: 小, en: small}", "{en: small, zh: 小}")).strategy
    other = read(changed("en: small", "en: smaller")).strategy
    assert plain is not None
    assert commented is not None
    assert other is not None
    assert re.fullmatch("[0-9a-f]{64}", plain.version)
    assert plain.version == commented.version != other.version


@pytest.mark.parametrize(
    ("text", "path", "line", "says"),
    [
        (changed("face_in_frame:", "face_in_fram:"), "checks.face_in_fram", 9, "did you mean `face_in_frame`"),
        (changed("face_in_frame:", "smell:"), "checks.smell", 9, "unknown check `smell`; known are answer, coverage"),
        (changed("roles:", "role:"), "checks.face_in_frame.role", 9, "did you mean `roles`"),
        (changed("CUSTOMER", "CUSTOMR"), "checks.face_in_frame.roles[0]", 9, "did you mean `CUSTOMER`"),
        (changed("[CUSTOMER]", "CUSTOMER"), "checks.face_in_frame.roles", 9, "must be array"),
        (changed("prompt:", "promt:"), "nodes[0]", 5, "missing: prompt"),
        (changed("id: small", "id: Small"), "id", 2, "has not the form"),
        (changed("{text: 请问您是否同意录音录像？}", "{read_by: AGENT}"), "nodes[0].prompt", 7, "give `text`"),
        (changed("{text: 请问您是否同意录音录像？}", "{text: a, speak: b}"), "nodes[0].prompt", 7, "not both"),
        (
            changed("{text: 请问您是否同意录音录像？}", "{must_say: ['！']}"),
            "nodes[0].prompt.must_say[0]",
            7,
            "nothing",
        ),
        (changed("{roles: [CUSTOMER]}", "{min_ratio: 2}"), "checks.face_in_frame.min_ratio", 9, "out of range"),
        (SMALL + "verdict: findings.all(f, f.outcom == 'PASS')\n", "verdict", 10, "undefined field 'outcom'"),
        (SMALL + "verdict: findings.size()\n", "verdict", 10, "must be bool"),
        (SMALL + "admit_when: order.amount_fen <= '200000'\n", "admit_when", 10, "no matching overload"),
        (SMALL + "applies_when: order.product ==\n", "applies_when", 10, "syntax"),
        (SMALL + "admission: {rule: X-1, refusal: {zh: 不, en: no}}\n", "admission", 10, "no `admit_when`"),
        (SMALL + "  node_duration: {min_s: 9, max_s: 3}\n", "checks.node_duration", 10, "min_s is larger"),
        (SMALL + "id: twice\n", "id", 10, "stands here twice"),
        ("just words", "", 1, "mapping"),
        ("a: [1\n", "", 2, "not valid YAML"),
        ("a: \x07", "", 0, "characters that YAML does not allow"),
        (SMALL + "verdict: !!python/object:os.system x\n", "verdict", 10, "tag"),
        (SMALL + "verdict: 2024-01-01\n", "verdict", 10, "must be bool"),
        (SMALL + "? [a, b]\n: c\n", "", 10, "plain words"),
        ("a: .nan\n", "a", 1, "finite"),
        ("a: " + "[" * 30 + "]" * 30, "", 1, "nested"),
        (f"a: {'x' * MAX_BYTES}", "", 0, "256 KiB"),
    ],
)
def test_each_problem_is_told_with_its_place_and_its_cure(text: str, path: str, line: int, says: str):
    reading = read(text)
    assert reading.strategy is None
    told = [one for one in reading.problems if one.path == path and says.lower() in one.message.lower()]
    assert told, reading.problems
    assert told[0].line == line


def test_words_that_yaml_takes_for_truth_values_stay_words():
    strategy = read(changed("{zh: 小, en: small}", "{zh: 否, en: no}")).strategy
    assert strategy is not None
    assert strategy.title.en == "no"


def test_a_small_text_cannot_become_gigabytes():
    laughs = "a: &a [lol, lol]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    assert "anchors and aliases" in only_problem(laughs).message
    assert "anchors and aliases" in only_problem("a: *unknown\n").message


def test_nodes_need_ids_of_their_own_and_checks_that_exist():
    twice = SMALL.replace(
        "checks:\n  face", "  - {id: consent, title: {zh: a, en: b}, prompt: {text: c}}\nchecks:\n  face"
    )
    assert "already" in only_problem(twice).message
    unknown = changed("    prompt:", "    checks: [intrusion]\n    prompt:")
    assert "not under `checks`" in only_problem(unknown).message


def test_all_problems_are_told_at_once():
    text = SMALL.replace("roles:", "role:").replace("prompt:", "promt:")
    assert [one.line for one in read(text).problems] == [5, 7, 9]


def test_defaults_are_those_of_the_design():
    strategy = read(SMALL).strategy
    assert strategy is not None
    assert strategy.verdict == 'findings.all(f, f.severity != "critical" || f.outcome == "PASS")'
    assert strategy.checks[0].severity == "critical"
    assert (strategy.face_fps, strategy.languages) == (2.0, ("zh",))
    assert (strategy.recording.required_roles, strategy.recording.on_stall) == ((), "hold")
    assert strategy.recording.stall_patience_s == 30


def test_a_strategy_says_what_it_asks_of_a_live_recording():
    strategy = read(SMALL + "recording: {required_roles: [CUSTOMER], on_stall: end, stall_patience_s: 5}").strategy
    assert strategy is not None
    assert strategy.recording == RecordingRules((Role.CUSTOMER,), StallAction.END, 5)
    assert "did you mean `hold`" in only_problem(SMALL + "recording: {on_stall: holt}").message
    assert "out of range" in only_problem(SMALL + "recording: {stall_patience_s: 0}").message


def test_who_reads_a_node_without_a_prompt_is_shown_what_must_be_said():
    strategy = read(changed("{text: 请问您是否同意录音录像？}", "{must_say: [贷款利率, 还款方式]}")).strategy
    assert strategy is not None
    assert strategy.nodes[0].reading == "贷款利率；还款方式"


@settings(max_examples=60)
@given(st.text(max_size=80), st.integers(0, len(SMALL)))
def test_whatever_is_written_gives_a_strategy_or_problems(noise: str, at: int):
    reading = read(SMALL[:at] + noise + SMALL[at:])
    assert (reading.strategy is None) == bool(reading.problems)


def order(product: str = "personal_loan", amount_fen: int = 8_000_000, purpose: str = "consumption") -> OrderFacts:
    return OrderFacts(product, amount_fen, purpose, 24)


@pytest.mark.parametrize(
    ("amount_fen", "purpose", "channel", "admitted"),
    [
        (20_000_000, "consumption", "REMOTE", True),
        (20_000_001, "consumption", "REMOTE", False),
        (20_000_001, "consumption", "COUNTER", True),
        (100, "housing", "REMOTE", False),
        (100, "housing", "FIELD", False),
        (100, "housing", "IMPORT", False),
        (100, "housing", "COUNTER", True),
        (20_000_000, "consumption", "FIELD", True),
    ],
)
def test_personal_loans_are_admitted_as_article_26_says(amount_fen: int, purpose: str, channel: str, admitted: object):
    strategy = next(one.strategy for one in built_in())
    condition = OrderCondition(strategy.admission.condition)
    assert condition.holds(order(amount_fen=amount_fen, purpose=purpose), channel) is admitted


def test_a_condition_that_comes_to_an_error_neither_holds_nor_fails():
    assert OrderCondition("order.amount_fen / (order.term_months - 24) > 1").holds(order(), "REMOTE") is None
    assert OrderCondition("").holds(order(), "REMOTE") is True


@pytest.mark.parametrize(
    "expression",
    [
        "findings",
        "order.product == 'x'",
        "findings.all(f, f.check == 1)",
        "true || " * 400 + "true",
        "findings.all(a, findings.all(b, findings.all(c, findings.all(d, findings.all(e, true)))))",
    ],
)
def test_conditions_that_are_wrong_or_too_dear_are_refused(expression: str):
    with pytest.raises(BadCondition):
        FindingsCondition(expression)


def test_the_built_in_strategy_can_be_changed(with_yaml: Change):
    assert with_yaml(("min_similarity: 0.40", "min_similarity: 0.45")).version != next(
        one.strategy.version for one in built_in()
    )
