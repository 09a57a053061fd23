import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_quality.domain.answers import Reply, agreed, classify


@pytest.mark.parametrize(
    "text",
    [
        "同意。",
        "我同意",
        "是的，我清楚了。",
        "清楚了",
        "我确认签署。",
        "是",
        "对，对。",
        "好的",
        "没有疑问",
        "没问题，我同意",
        "不好意思，我同意",
        "是的，是我本人自愿申请。",
        "我已经完全清楚以上的风险",
        "同一",
        "没错",
        "Yes, I agree.",
        "I understand",
    ],
)
def test_a_plain_yes_is_affirmative(text: str):
    assert classify(text) is Reply.AFFIRMATIVE


@pytest.mark.parametrize(
    "text",
    [
        "不同意",
        "我不同意。",
        "我不清楚",
        "不",
        "没有",
        "部同意",
        "布同一",
        "我没听清",
        "拒绝",
        "No.",
        "I do not agree",
        "不是",
        "我不确认签署",
    ],
)
def test_a_refusal_is_negative(text: str):
    assert classify(text) is Reply.NEGATIVE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "嗯……",
        "嗯，唔，那个，呃。",
        "是不是同意",
        "我同意吗？",
        "请把同意书给我看",
        "没有不同意",
        "考虑一下",
        "如果利率低我就同意",
        "什么意思",
        "谢谢大家",
        "maybe",
        "。。。",
    ],
)
def test_what_is_no_plain_answer_is_unclear(text: str):
    assert classify(text) is Reply.UNCLEAR


@pytest.mark.parametrize(
    ("plain", "prompted", "reply"),
    [
        ("同意", "同意。", Reply.AFFIRMATIVE),
        ("不同意", "同意", Reply.UNCLEAR),
        ("嗯", "同意", Reply.UNCLEAR),
        ("同意", "", Reply.UNCLEAR),
        ("不同意", "我不同意", Reply.NEGATIVE),
    ],
)
def test_both_decodings_must_agree(plain: str, prompted: str, reply: Reply):
    assert agreed(plain, prompted) is reply


@given(st.sampled_from(["同意", "清楚", "确认", "了解", "愿意"]), st.sampled_from(["不", "没有", "部", "并不"]))
def test_a_negation_before_a_word_of_consent_never_consents(word: str, negation: str):
    assert classify(f"我{negation}{word}") is not Reply.AFFIRMATIVE
