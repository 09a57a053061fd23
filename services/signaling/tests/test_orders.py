"""Orders: what is taken, what is refused, who sees the customer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_signaling.domain.desk import Caller
from shuanglu_signaling.domain.order import Customer, mask_name, mask_number, validate
from shuanglu_signaling.errors import OrderInvalid, OrderNoTaken, OrderNotFound, SessionTokenTooNarrow

SECRET = Customer("C-1", "王小明", "11010519491231002X")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("order_id", {"order_id": "x"}),
        ("created_at_us", {"created_at_us": 1}),
        ("order_no", {"order_no": ""}),
        ("order_no", {"order_no": "x" * 65}),
        ("order_no", {"order_no": " PL-1"}),
        ("order_no", {"order_no": "PL\n1"}),
        ("product", {"product": ""}),
        ("product", {"product": "Personal Loan"}),
        ("purpose", {"purpose": ""}),
        ("amount.amount_fen", {"amount_fen": -1}),
        ("amount.amount_fen", {"amount_fen": 10**15 + 1}),
        ("amount.currency", {"currency": ""}),
        ("amount.currency", {"currency": "cny"}),
        ("term_months", {"term_months": -1}),
        ("term_months", {"term_months": 1201}),
        ("customer.customer_no", {"customer": Customer("", "王小明", "110105194912310021")}),
        ("customer.name", {"customer": Customer("C-1", "", "110105194912310021")}),
        ("customer.name", {"customer": Customer("C-1", "王\u0000", "110105194912310021")}),
        ("customer.id_number", {"customer": Customer("C-1", "王小明", "")}),
        ("customer.id_number", {"customer": Customer("C-1", "王小明", "一二三四")}),
        ("branch", {"branch": "上海"}),
        ("agent_no", {"agent_no": "-"}),
    ],
)
def test_a_wrong_field_is_named(build: Any, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(OrderInvalid) as caught:
        validate(build.order(**changes))
    assert caught.value.details == {"field": field}


def test_a_refusal_repeats_no_personal_data(build: Any) -> None:
    with pytest.raises(OrderInvalid) as caught:
        validate(build.order(customer=Customer("C-1", "王小明\n", "11010519491231002X")))
    assert "王" not in caught.value.diagnostics()
    assert "1101" not in caught.value.diagnostics()


@pytest.mark.parametrize("changes", [{}, {"term_months": 0}, {"branch": "", "agent_no": ""}, {"order_no": "个贷-1"}])
def test_a_good_order_is_taken(build: Any, changes: dict[str, Any]) -> None:
    validate(build.order(**changes))


@pytest.mark.parametrize(
    ("name", "shown"), [("王小明", "王**"), ("王明", "王**"), ("欧阳修文", "欧**"), ("Ann Lee", "A**"), ("", "")]
)
def test_names_are_masked(name: str, shown: str) -> None:
    assert mask_name(name) == shown


@pytest.mark.parametrize(("number", "shown"), [("11010519491231002X", "****002X"), ("A1234567", "****"), ("", "")])
def test_numbers_are_masked(number: str, shown: str) -> None:
    assert mask_number(number) == shown


@given(st.text("0123456789X", min_size=9, max_size=32))
def test_a_masked_number_hides_all_but_four(number: str) -> None:
    assert mask_number(number) == "****" + number[-4:]


async def test_the_same_order_is_taken_once(desk: Any, agent: Caller, build: Any) -> None:
    first = await desk.orders.create(agent, build.order(), build.now_us)
    second = await desk.orders.create(agent, build.order(), build.now_us + 5)
    assert first == second
    assert first.order_id
    assert first.created_at_us == build.now_us


@pytest.mark.parametrize("changes", [{"amount_fen": 1}, {"customer": Customer("C-1", "王大明", "11010519491231002X")}])
async def test_an_order_number_with_other_content_is_taken(
    desk: Any, agent: Caller, build: Any, changes: dict[str, Any]
) -> None:
    await desk.orders.create(agent, build.order(), build.now_us)
    with pytest.raises(OrderNoTaken):
        await desk.orders.create(agent, build.order(**changes), build.now_us)


async def test_two_tenants_may_use_the_same_number(desk: Any, agent: Caller, build: Any) -> None:
    ours = await desk.orders.create(agent, build.order(), build.now_us)
    theirs = await desk.orders.create(Caller("other"), build.order(amount_fen=5), build.now_us)
    assert ours.order_id != theirs.order_id


async def test_another_tenants_order_does_not_exist(desk: Any, agent: Caller, build: Any) -> None:
    made = await desk.orders.create(agent, build.order(), build.now_us)
    with pytest.raises(OrderNotFound):
        await desk.orders.get(Caller("other", sees_customer=True), made.order_id)


async def test_who_may_not_see_the_customer_gets_stars(desk: Any, agent: Caller, build: Any) -> None:
    made = await desk.orders.create(agent, build.order(), build.now_us)
    assert made.customer == SECRET
    assert (await desk.orders.get(agent, made.order_id)).customer == SECRET
    masked = Customer("C-1", "王**", "****002X")
    assert (await desk.orders.get(Caller("demo"), made.order_id)).customer == masked
    assert (await desk.orders.create(Caller("demo"), build.order(), build.now_us)).customer == masked


async def test_a_session_token_takes_no_orders(desk: Any, build: Any) -> None:
    with pytest.raises(SessionTokenTooNarrow):
        await desk.orders.create(Caller("demo", "session-1"), build.order(), build.now_us)


async def test_a_session_token_sees_its_own_order_only(desk: Any, agent: Caller, build: Any) -> None:
    own = await desk.orders.create(agent, build.order(), build.now_us)
    other = await desk.orders.create(agent, build.order(order_no="PL-2"), build.now_us)
    session = await desk.sessions.create(agent, build.request(order_id=own.order_id), build.now_us)
    narrow = Caller("demo", session.session_id)
    assert (await desk.orders.get(narrow, own.order_id)).order_id == own.order_id
    with pytest.raises(OrderNotFound):
        await desk.orders.get(narrow, other.order_id)
