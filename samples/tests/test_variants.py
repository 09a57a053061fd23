import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_samples.documents import order, truth
from shuanglu_samples.errors import UnknownVariant
from shuanglu_samples.timeline import Timeline, lay_out
from shuanglu_samples.variants import CLEAN, VARIANTS, Variant, between_samples, find_variant

CHECKS = {
    "clean": set(),
    "customer_absent": {"face_in_frame"},
    "seat_taken": {"same_person"},
    "stranger": {"intrusion"},
    "wrong_id_photo": {"same_person"},
    "risk_left_out": {"must_say"},
    "forbidden_promise": {"must_not_say"},
    "refusal": {"answer"},
    "mumbled": {"answer"},
    "black_picture": {"recording_quality"},
    "silence": {"recording_quality"},
    "wrong_order": {"node_order"},
}


def typical(variant: Variant) -> Timeline:
    """The timeline with a fifth of a second for each character: what the voices need, about."""
    lines = [line for node in variant.script.nodes for line in node.lines]
    return lay_out(variant.script, {line: 180 * len(line.text) for line in lines})


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_breaks_exactly_its_check(variant: Variant) -> None:
    staging = variant.stage(typical(variant))
    assert {each.check for each in staging.expected} == CHECKS[variant.name]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_expected_findings_lie_inside_their_node(variant: Variant) -> None:
    timeline = typical(variant)
    for each in variant.stage(timeline).expected:
        span = timeline.node(each.node_id)
        assert span.start_ms <= each.start_ms < each.end_ms <= span.end_ms


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_only_a_mumble_is_unsure(variant: Variant) -> None:
    outcomes = {each.outcome for each in variant.stage(typical(variant)).expected}
    assert outcomes <= ({"UNSURE"} if variant.name == "mumbled" else {"FAIL"})


def test_the_verdict_follows_from_the_expected_findings() -> None:
    verdicts = {}
    for variant in VARIANTS:
        timeline = typical(variant)
        verdicts[variant.name] = truth(variant, timeline, variant.stage(timeline))["verdict"]
    assert verdicts.pop("clean") == "PASS"
    assert verdicts.pop("mumbled") == "UNSURE"
    assert set(verdicts.values()) == {"FAIL"}


def test_a_mumble_has_no_text_in_the_truth() -> None:
    variant = find_variant("mumbled")
    timeline = typical(variant)
    utterances = truth(variant, timeline, variant.stage(timeline))["utterances"]
    assert [each["node_id"] for each in utterances if each["text"] == ""] == ["risk"]


def test_orders_have_numbers_of_their_own() -> None:
    assert len({order(variant)["order_no"] for variant in VARIANTS}) == len(VARIANTS)


def test_the_invented_id_number_has_a_right_check_digit() -> None:
    number = order(CLEAN)["customer"]["id_number"]
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643
    remainder = sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True)) % 11
    assert number[17] == "10X98765432"[remainder]


def test_an_unknown_variant_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownVariant, match="customer_absent"):
        find_variant("customer_present")


@given(st.integers(0, 600_000))
def test_people_pass_between_half_seconds(at_ms: int) -> None:
    moment = between_samples(at_ms)
    assert moment % 500 == 250
    assert at_ms <= moment < at_ms + 500
