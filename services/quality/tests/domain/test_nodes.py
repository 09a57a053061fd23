import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_scene import Scene, Scenes

from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.nodes import find_nodes
from shuanglu_quality.domain.observations import Said, Word
from shuanglu_quality.domain.transcript import line_of, speaks_as
from shuanglu_quality.domain.words import Role

NODES = ("consent", "identity", "terms", "risk", "confirm")


def found(scene: Scene):
    said = [one for _, one in scene.said]
    return find_nodes(scene.strategy.nodes, said, scene.duration_ms)


def test_every_node_is_found_where_it_was_said(scene: Scene):
    timeline = found(scene)
    assert [take.node_id for take in timeline] == list(NODES)
    assert all(abs(take.interval.start_ms - scene.span(take.node_id).start_ms) <= 200 for take in timeline)
    assert timeline[-1].interval.end_ms == scene.duration_ms


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(NODES))
def test_nodes_are_found_in_whatever_order_they_were_said(make_scene: Scenes, order: list[str]):
    scene = make_scene()
    scene.script = [line for node in order for line in scene.script if line.node == node]
    assert [take.node_id for take in found(scene)] == list(order)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_utterances_changes_nothing(make_scene: Scenes, seed: int):
    scene = make_scene()
    said = [one for _, one in scene.said]
    shuffled = random.Random(seed).sample(said, len(said))
    assert find_nodes(scene.strategy.nodes, shuffled, scene.duration_ms) == found(scene)


@pytest.mark.parametrize("left_out", NODES)
def test_a_node_that_was_left_out_is_not_found(scene: Scene, left_out: str):
    scene.script = [line for line in scene.script if line.node != left_out]
    assert [take.node_id for take in found(scene)] == [node for node in NODES if node != left_out]


def test_a_node_that_was_said_again_is_another_take(scene: Scene):
    again = [line for line in scene.script if line.node == "terms"]
    scene.script = [*scene.script, *again]
    takes = [(take.node_id, take.take) for take in found(scene)]
    assert takes[-1] == ("terms", 2)
    assert ("terms", 1) in takes


def test_two_nodes_in_one_breath_are_told_apart():
    text = "期限二十四个月，贷款年利率为百分之四点五，按月等额本息还款，请问您清楚了吗？" * 1
    risk = "请您注意，贷款不得用于购房和投资，逾期将影响您的征信，请问您是否了解以上风险？"
    whole = Said(Interval(0, 20_000), Role.AGENT, text + risk)
    from shuanglu_quality.builtin import built_in

    timeline = find_nodes(built_in()[0].strategy.nodes, [whole], 20_000)
    assert [take.node_id for take in timeline] == ["terms", "risk"]
    expected = 20_000 * len(text) // len(text + risk)
    assert abs(timeline[1].interval.start_ms - expected) < 700


def test_recognition_errors_do_not_hide_a_node(scene: Scene):
    scene.replace_line("risk", Role.AGENT, text="请问您是否了解一上风险")
    scene.replace_line("consent", Role.AGENT, text="为保护您的全一，本次业务板里将全程录音录象，请问您是否同意？")
    assert [take.node_id for take in found(scene)] == list(NODES)


def test_nothing_said_is_nothing_found(scene: Scene):
    assert find_nodes(scene.strategy.nodes, [], 1000) == ()
    customer = [one for line, one in scene.said if line.role is Role.CUSTOMER]
    assert find_nodes(scene.strategy.nodes, customer, 1000) == ()


def test_words_give_sounds_their_times():
    words = (Word("同意", Interval(5000, 5200)), Word("的。", Interval(5900, 6100)))
    said = Said(Interval(1000, 6100), Role.AGENT, "同意的。", words=words)
    line = line_of([said], speaks_as(Role.AGENT))
    assert [time.start_ms for time in line.times] == [5000, 5100, 5900]


def test_words_that_do_not_spell_the_text_are_not_trusted():
    said = Said(Interval(0, 400), Role.AGENT, "同意的。", words=(Word("同", Interval(0, 1)),))
    assert [time.start_ms for time in line_of([said], speaks_as(Role.AGENT)).times] == [0, 100, 200]
