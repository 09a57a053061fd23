import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_quality.domain.matching import best, find, listen, negation_changed, words_missing
from shuanglu_quality.domain.numerals import spoken_number
from shuanglu_quality.domain.syllables import _dictionary, distance, sounds_of, syllables
from shuanglu_quality.domain.words import Role, clock_text, role_name

HAN = st.text(
    st.sampled_from("贷款不得用于购房逾期将影响您的征信保证通过请问清楚同意月利率本息"), min_size=1, max_size=60
)


def heard(text: str):
    return listen(syllables(text))


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("24", "二十四"),
        ("10", "十"),
        ("0", "零"),
        ("80,000", "八万"),
        ("80000", "八万"),
        ("200000", "二十万"),
        ("105", "一百零五"),
        ("1005", "一千零五"),
        ("10005", "一万零五"),
        ("4.5%", "百分之四点五"),
        ("4.35", "四点三五"),
        ("007", "零零七"),
        ("1234567890123", "一二三四五六七八九零一二三"),
    ],
)
def test_numbers_are_read_as_they_are_spoken(written: str, spoken: str):
    assert spoken_number(written) == spoken


def test_a_number_sounds_like_its_words():
    digits, words = syllables("期限24个月，年利率4.5%"), syllables("期限二十四个月，年利率百分之四点五")
    assert [one.sounds for one in digits] == [one.sounds for one in words]


def test_homophones_and_folded_initials_are_equal():
    assert distance(sounds_of("征"), sounds_of("真")) == 0
    assert distance(sounds_of("是"), sounds_of("四")) == 0
    assert distance(sounds_of("期"), sounds_of("其")) == 0
    assert distance(sounds_of("贷"), sounds_of("还")) == 0.5
    assert distance(sounds_of("还"), sounds_of("环")) == 0
    assert distance(sounds_of("息"), sounds_of("期")) == 0.25
    assert distance(sounds_of("额"), sounds_of("了")) == 0.5
    assert distance(sounds_of("a"), sounds_of("啊")) == 0
    assert distance(sounds_of("b"), sounds_of("p")) == 1
    assert distance(sounds_of("款"), sounds_of("您")) == 1


@pytest.mark.parametrize(
    ("phrase", "text", "least"),
    [
        ("逾期将影响您的征信", "如果您于其还款，于期将影响您的真心，并会产生罚息", 1.0),
        ("贷款年利率", "期限24个月，贷款年利率为4.5%", 1.0),
        ("等额本息", "按月等额本西还款", 0.8),
        ("等额本息", "按月等了本期还款", 0.8),
        ("贷款年利率", "贷款年率为百分之四点五", 0.8),
    ],
)
def test_a_phrase_is_found_by_its_sound(phrase: str, text: str, least: float):
    match = best(phrase, heard(text))
    assert match is not None
    assert match.score >= least


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("逾期将影响您的征信", "请您注意，贷款不得用于购房和投资，如果您逾期还款会产生罚息"),
        ("保证通过", "您申请的贷款期限二十四个月"),
        ("无需还款", "如果您逾期还款"),
        ("无需还款", "按月等额本息还款"),
    ],
)
def test_a_phrase_that_was_not_said_is_not_found(phrase: str, text: str):
    match = best(phrase, heard(text))
    assert match is None or match.score < 0.65


def test_another_word_of_the_trade_is_not_enough():
    match = best("等额本息", heard("按月等额本金还款"))
    assert match is not None
    assert match.score < 0.8


@pytest.mark.parametrize(
    ("phrase", "text", "changed"),
    [
        ("不保证本金", "我们保证本金", True),
        ("保证本金", "我们不保证本金", True),
        ("保证通过", "我们不能保证通过", True),
        ("保证通过", "不，保证通过", False),
        ("保证通过", "您放心，保证通过", False),
        ("贷款不得用于购房", "贷款部得用于购房", False),
        ("贷款不得用于购房", "贷款得用于购房", True),
        ("无需还款", "您无需还款", False),
        ("无需还款", "您需还款", True),
    ],
)
def test_a_dropped_or_added_negation_is_noticed(phrase: str, text: str, changed: object):
    listened = heard(text)
    match = best(phrase, listened, 0.5)
    assert match is not None
    assert negation_changed(phrase, listened, match) is changed


def test_must_have_words_have_to_be_heard_exactly():
    listened = heard("贷款年利率为百分之四点五")
    match = best("贷款年利率为百分之五点四", listened, 0.5)
    assert match is not None
    assert words_missing(["年利率", "五点四"], listened, match) == ("五点四",)


def test_every_place_is_found_once():
    listened = heard("请问您清楚了吗？好的，请问您清楚了吗？")
    found = find("请问您清楚了吗", listened, 0.9)
    assert [match.score for match in found] == [1.0, 1.0]
    assert found[0].end <= found[1].start


@given(HAN, HAN)
def test_a_phrase_is_always_found_where_it_stands(before: str, phrase: str):
    match = best(phrase, heard(f"{before}，{phrase}"), 0.0)
    assert match is not None
    assert match.score == 1.0


@given(HAN, HAN)
def test_matches_stay_inside_the_text_and_do_not_overlap(phrase: str, text: str):
    listened = heard(text)
    found = find(phrase, listened, 0.3)
    assert all(0 <= one.start < one.end <= len(listened.text) and 0.3 <= one.score <= 1 for one in found)
    assert all(one.end <= two.start for one, two in pairwise(found))


def test_nothing_is_found_in_nothing():
    assert find("", heard("同意"), 0.1) == ()
    assert best("同意", heard("")) is None
    assert best("同意", heard("！？……")) is None


def test_people_read_clock_times_and_role_names():
    assert clock_text(67_540) == "01:07.5"
    assert clock_text(3_599_960) == "60:00.0"
    assert role_name(Role.CUSTOMER).zh == "客户"
    assert role_name(None).en == "participant"


def test_comparing_words_leaves_the_environment_as_it_was():
    before = dict(os.environ)
    sounds_of.cache_clear()
    _dictionary.cache_clear()
    assert sounds_of("行") == {"xin", "han"}
    assert dict(os.environ) == before
