import pytest

from shuanglu_samples.documents import spoken_text
from shuanglu_samples.mandarin import to_phonemes, to_symbols
from shuanglu_samples.script import COMPACT, FULL, MUST_NOT_SAY, MUST_SAY, Role, Script
from shuanglu_samples.variants import CLEAN, VARIANTS, Variant


def said_in(script: Script, node_id: str) -> str:
    node = next(node for node in script.nodes if node.node_id == node_id)
    return "".join(line.text for line in node.lines if line.role is Role.AGENT)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_only_risk_left_out_lacks_a_phrase_that_must_be_said(variant: Variant) -> None:
    missing = [
        phrase
        for node_id, phrases in MUST_SAY.items()
        for phrase in phrases
        if phrase not in said_in(variant.script, node_id)
    ]
    assert missing == (["逾期将影响您的征信"] if variant.name == "risk_left_out" else [])


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_only_forbidden_promise_says_what_must_not_be_said(variant: Variant) -> None:
    said = [phrase for phrase in MUST_NOT_SAY if phrase in spoken_text(variant.script)]
    assert said == (["保证通过"] if variant.name == "forbidden_promise" else [])


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_only_wrong_order_has_its_nodes_in_another_order(variant: Variant) -> None:
    order = [node.node_id for node in variant.script.nodes]
    in_order = order == [node.node_id for node in CLEAN.script.nodes]
    assert in_order is (variant.name != "wrong_order")
    assert sorted(order) == sorted(node.node_id for node in CLEAN.script.nodes)


@pytest.mark.parametrize("script", [FULL, COMPACT], ids=["full", "compact"])
def test_every_node_asks_the_customer_something(script: Script) -> None:
    for node in script.nodes:
        assert node.lines[0].role is Role.AGENT
        assert any(line.role is Role.CUSTOMER for line in node.lines)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_line_can_be_spoken(variant: Variant) -> None:
    for node in variant.script.nodes:
        for line in node.lines:
            symbols = to_symbols(to_phonemes(line.text))
            assert 4 < len(symbols) <= 510
