from hypothesis import given
from hypothesis import strategies as st
from report_examples import order

from shuanglu_report.domain.masking import mask_id_number, mask_name
from shuanglu_report.maker import masked_order


def test_only_the_first_character_of_a_name_stays() -> None:
    assert mask_name("王小明") == "王**"
    assert mask_name("欧阳娜娜") == "欧**"
    assert mask_name("John Smith") == "J**"
    assert mask_name("  ") == ""


def test_only_the_last_four_characters_of_an_id_number_stay() -> None:
    assert mask_id_number("11010119900307123X") == "****123X"
    assert mask_id_number("E1234") == "****"
    assert mask_id_number("") == ""


@given(st.text(), st.text())
def test_masking_twice_changes_nothing(name: str, number: str) -> None:
    assert mask_name(mask_name(name)) == mask_name(name)
    assert mask_id_number(mask_id_number(number)) == mask_id_number(number)


@given(st.text(min_size=2), st.text(alphabet="0123456789X", min_size=9))
def test_nothing_more_than_it_may_is_left(name: str, number: str) -> None:
    assert len(mask_name(name)) <= 3
    assert len(mask_id_number(number)) == 8


def test_masking_an_order_leaves_the_given_one_alone() -> None:
    given_order = order()
    masked = masked_order(given_order)
    assert (masked.customer.name, masked.customer.id_number) == ("王**", "****123X")
    assert given_order.customer.name == "王小明"
    assert (masked.order_no, masked.amount) == (given_order.order_no, given_order.amount)


def test_an_order_without_a_customer_stays_without() -> None:
    bare = order()
    bare.ClearField("customer")
    assert not masked_order(bare).HasField("customer")
