import base64
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu_report.domain.link import Grant, life_s, opened, sign
from shuanglu_report.domain.paging import Position, RowFilter, checked, page_size, page_token, position_of
from shuanglu_report.errors import (
    FilterInvalid,
    LinkExpired,
    LinkRefused,
    PageSizeInvalid,
    PageTokenInvalid,
    TtlInvalid,
)

KEY = bytes(range(32))
GRANT = Grant("bank-a", "session-1", 1_000_000)
TOKEN = sign(KEY, GRANT)
ALL = RowFilter(Outcome.OUTCOME_UNSPECIFIED, 0, 0)
FAILED = RowFilter(Outcome.OUTCOME_FAIL, 0, 0)


def test_a_link_opens_what_it_was_made_for_until_it_ends() -> None:
    assert opened(KEY, TOKEN, 999_999) == GRANT
    with pytest.raises(LinkExpired):
        opened(KEY, TOKEN, 1_000_000)


def test_a_link_is_safe_in_a_path() -> None:
    assert all(character.isalnum() or character in "-_." for character in TOKEN)


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii", categories=["L", "N", "P"]))
def test_changing_any_character_breaks_a_link(at: int, character: str) -> None:
    assume(TOKEN[at] != character)
    with pytest.raises(LinkRefused):
        opened(KEY, TOKEN[:at] + character + TOKEN[at + 1 :], 0)


@given(st.text())
def test_anything_else_is_refused(token: str) -> None:
    with pytest.raises(LinkRefused):
        opened(KEY, token, 0)


def test_a_link_cannot_be_widened_to_another_session_or_prolonged() -> None:
    signature = TOKEN.split(".")[1]
    for wider in ("bank-a\0session-2\x001000000", "bank-b\0session-1\x001000000", "bank-a\0session-1\x009000000"):
        payload = base64.urlsafe_b64encode(wider.encode()).rstrip(b"=").decode()
        with pytest.raises(LinkRefused):
            opened(KEY, f"{payload}.{signature}", 0)


names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,38}", fullmatch=True)


@given(names, names, st.integers(1, 2**53), names, names, st.integers(1, 2**53))
def test_no_two_grants_share_a_link(
    tenant: str, session: str, until: int, other_tenant: str, other_session: str, longer: int
) -> None:
    """The canonical form: what differs in any part differs in the token, and each opens its own grant alone."""
    one, two = Grant(tenant, session, until), Grant(other_tenant, other_session, longer)
    first, second = sign(KEY, one), sign(KEY, two)
    assert (first == second) == (one == two)
    assert opened(KEY, first, 0) == one
    if one != two:
        for mixed in (f"{first.split('.')[0]}.{second.split('.')[1]}", f"{second.split('.')[0]}.{first.split('.')[1]}"):
            with pytest.raises(LinkRefused):
                opened(KEY, mixed, 0)


@pytest.mark.parametrize(
    "spell",
    [
        lambda token: token + "=",
        lambda token: token + "A",
        lambda token: " " + token,
        lambda token: token.replace(".", "..", 1),
        lambda token: token.replace(".", "%2e", 1),
        lambda token: token + "." + token.split(".")[1],
        lambda token: token.swapcase(),
        lambda token: token.split(".")[0] + "=." + token.split(".")[1],
        lambda token: token.split(".")[0] + ".",
        lambda token: "." + token.split(".")[1],
        lambda token: token * 3,
    ],
)
def test_there_is_one_spelling_of_a_link(spell: Callable[[str], str]) -> None:
    with pytest.raises(LinkRefused):
        opened(KEY, spell(TOKEN), 0)


def test_a_link_of_another_key_is_refused() -> None:
    with pytest.raises(LinkRefused):
        opened(KEY, sign(bytes(32), GRANT), 0)


def test_the_life_of_a_link_has_limits() -> None:
    assert (life_s(0), life_s(60), life_s(86_400)) == (3600, 60, 86_400)
    for wrong in (-1, 1, 59, 86_401):
        with pytest.raises(TtlInvalid):
            life_s(wrong)


@given(st.integers(0, 2**62), st.text("0123456789abcdef", min_size=1, max_size=32))
def test_a_page_token_leads_back_to_its_place(at_us: int, report_id: str) -> None:
    place = Position(at_us, report_id)
    assert position_of(KEY, page_token(KEY, "bank-a", ALL, place), "bank-a", ALL) == place


def test_an_empty_page_token_is_the_beginning() -> None:
    assert position_of(KEY, "", "bank-a", ALL) is None


def test_a_page_token_is_good_only_for_its_own_list() -> None:
    token = page_token(KEY, "bank-a", ALL, Position(5, "aa"))
    for tenant, wanted in (("bank-b", ALL), ("bank-a", FAILED), ("bank-a", RowFilter(ALL.verdict, 1, 0))):
        with pytest.raises(PageTokenInvalid):
            position_of(KEY, token, tenant, wanted)


@given(st.integers(0, 80), st.characters(codec="ascii", categories=["L", "N"]))
def test_changing_any_character_breaks_a_page_token(at: int, character: str) -> None:
    token = page_token(KEY, "bank-a", ALL, Position(5, "0192f0c1-0000-7000-8000-000000000001"))
    at %= len(token) - 1  # the last one may hold bits that are not read
    assume(token[at] != character)
    with pytest.raises(PageTokenInvalid):
        position_of(KEY, token[:at] + character + token[at + 1 :], "bank-a", ALL)


@given(st.text(min_size=1))
def test_an_invented_page_token_is_refused(token: str) -> None:
    with pytest.raises(PageTokenInvalid):
        position_of(KEY, token, "bank-a", ALL)


def test_a_filter_without_a_meaning_is_refused() -> None:
    assert [checked(RowFilter(one, 0, 0)).verdict for one in Outcome.values()] == [0, 1, 2, 3]
    for wrong in (RowFilter(4, 0, 0), RowFilter(-1, 0, 0), RowFilter(2**31 - 1, 0, 0), RowFilter(0, -1, 0)):
        with pytest.raises(FilterInvalid):
            checked(wrong)


def test_page_sizes_have_limits() -> None:
    assert (page_size(0), page_size(1), page_size(200)) == (50, 1, 200)
    for wrong in (-1, 201):
        with pytest.raises(PageSizeInvalid):
            page_size(wrong)
