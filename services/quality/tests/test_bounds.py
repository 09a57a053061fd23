"""Texts and conditions that are made to hurt: each gets an answer, within bounds of time and memory.

The bounds are counts (values, depth, characters, iterations), so nothing here measures time. A text that got around
them would run into the timeout: the first of them took a minute and a half before there were bounds.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_quality.builtin import built_in
from shuanglu_quality.conditions import BadCondition, FindingsCondition, OrderCondition, OrderFacts
from shuanglu_quality.domain.findings import Finding
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.words import Outcome, Severity, Text
from shuanglu_quality.strategy_text import MAX_PROBLEMS, read
from shuanglu_quality.yaml_text import MAX_BYTES

pytestmark = pytest.mark.timeout(20)
LOAN = next(one.yaml for one in built_in() if one.strategy.strategy_id == "personal-loan")
FACTS = OrderFacts("a" * 64 + "!", 1, "consumption", 12)


def listed(items: str) -> str:
    assert "languages: [zh, en]" in LOAN
    return LOAN.replace("languages: [zh, en]", f"languages: [{items}]")


NASTY = {
    "lists in lists": "[" * 100_000,
    "maps in maps": "{a: " * 50_000,
    "blocks in blocks": "".join(" " * depth + "a:\n" for depth in range(700)),
    "dashes": "- " * 100_000,
    "complex keys": "? " * 50_000,
    "billion laughs": "a: &a [l, l]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(9)),
    "merge keys": "<<: {a: 1}\n",
    "sexagesimal": "id: 1" + ":1" * 60_000,
    "sexagesimal float": "id: 1" + ":1" * 60_000 + ".5",
    "binary": "id: 0b" + "1" * 200_000,
    "hexadecimal": "id: 0x" + "f" * 200_000,
    "decimal": "id: " + "9" * 200_000,
    "exponent": "id: 1.0e+" + "9" * 30,
    "an octal that is none": "id: 0o" + "7" * 100_000,
    "many keys": "\n".join(f"k{n}: 1" for n in range(20_000)),
    "many items of two kinds": listed(",".join(f"a{n}" if n % 2 else str(n) for n in range(30_000))),
    "many equal maps": listed(",".join("{a: 1}" for _ in range(15_000))),
    "a long key": "? " + "a" * 200_000 + "\n: 1",
    "long unknown keys": "\n".join("x" * 90 + f"{n}: 1" for n in range(900)),
    "many documents": "---\n" * 50_000,
    "many directives": "%YAML 1.1\n" * 20_000 + "---\na: 1",
    "only comments": "#" * (MAX_BYTES - 1),
    "a tag": "!!python/object/apply:os.system ['true']\n",
    "a tag inside": "id: !!python/name:os.system\n",
    "escapes": 'id: "' + "\\x41" * 50_000 + '"',
    "not a character": "id: \ud7ff\ufffe",
    "too long": "a" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_nasty_text_is_refused_with_a_problem_that_can_be_read(text: str):
    reading = read(text[: MAX_BYTES + 1])
    assert reading.strategy is None
    assert 1 <= len(reading.problems) <= MAX_PROBLEMS
    assert all(0 < len(one.message) < 2000 for one in reading.problems)


def test_a_large_strategy_of_the_normal_kind_is_still_read():
    phrases = ", ".join(f"请您确认第{n}项" for n in range(100))
    text = LOAN.replace("checks:\n", f"checks:\n  must_not_say: {{phrases: [{phrases}]}}\n", 1)
    reading = read(text)
    assert all("more than" not in one.message for one in reading.problems)


@given(st.text(st.sampled_from("[]{}:,-?&*!|>'\"%@`# \n\ta1.e_~<="), max_size=400))
def test_punctuation_in_any_order_is_an_answer(text: str):
    reading = read(text)
    assert (reading.strategy is None) == bool(reading.problems)


def loops(depth: int) -> str:
    inside = "f.outcome == g0.outcome" if depth else "true"
    for level in range(depth):
        inside = f"findings.all(g{level}, {inside})"
    return f"findings.all(f, {inside})"


def findings(count: int) -> list[Finding]:
    return [
        Finding("x", Outcome.PASS, Severity.CRITICAL, "", Interval(0, 1), Text("好", "good"), Text("", ""))
        for _ in range(count)
    ]


def test_loops_in_loops_run_out_of_their_budget_and_decide_nothing():
    assert FindingsCondition(loops(0)).holds(findings(500)) is True
    assert FindingsCondition(loops(3)).holds(findings(200)) is None


def test_a_comment_does_not_hide_a_loop_from_the_budget():
    hidden = loops(5).replace(".all(", ".//\nall(")
    assert FindingsCondition(hidden).holds(findings(200)) is None


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 900 + "true" + ")" * 900,
        "[" * 900 + "]" * 900 + " == []",
        "1" + "+1" * 900 + " > 0",
        "order" + ".a" * 900,
        "{" * 900,
        "true ? " * 250 + "true" + " : true" * 250,
        "a" * 2001,
        "'" + "\\" * 1999,
        "order.product.matches(order.",
        loops(4).replace("findings", "[1, 2]"),
    ],
)
def test_an_expression_that_is_too_deep_or_too_long_is_refused(expression: str):
    with pytest.raises(BadCondition):
        OrderCondition(expression)


@pytest.mark.parametrize(
    "expression",
    [
        'order.product.matches("(a+)+$")',
        'order.product.matches("(a|aa)+$")',
        'order.product.matches("^(([a-z])+.)+[A-Z]([a-z])+$")',
        'order.product.matches("(x{500}){500}")',
    ],
)
def test_regular_expressions_are_linear(expression: str):
    """CEL's `matches` is RE2: no pattern can make it go back and forth; one that needs too much memory is an error."""
    assert OrderCondition(expression).holds(FACTS, "REMOTE") in {False, None}


@given(st.text(st.sampled_from("order.findings()[]{}!&|=<>+-*/%?:,'\"\\ 019ae.\n"), max_size=200))
def test_any_expression_is_a_condition_or_is_refused(expression: str):
    try:
        condition = OrderCondition(expression)
    except BadCondition as error:
        said = str(error)
    else:
        said = str(condition.holds(FACTS, "REMOTE"))
    assert said
