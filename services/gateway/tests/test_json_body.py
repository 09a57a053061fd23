"""What the checker of JSON bodies lets pass, and what it names."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given
from hypothesis import strategies as st

from shuanglu.session.v1.session_service_pb2 import CreateOrderRequest
from shuanglu_gateway.check_service import Checker
from shuanglu_gateway.json_body import BodyRefused, check
from shuanglu_gateway.json_calls import JsonCalls

DESCRIPTOR = Path(__file__).parents[3] / "build" / "descriptors" / "shuanglu.pb"
CALLS = JsonCalls(DESCRIPTOR)
ORDER = {
    "order": {
        "order_no": "L-1",
        "product": "personal_loan",
        "amount": {"amount_fen": "8000000", "currency": "CNY"},
        "termMonths": 24,
        "customer": {"name": "张三", "id_number": None},
    }
}


def message_at(path: str) -> Any:
    call = CALLS.find("POST", path)
    assert call is not None
    return call.message


ORDERS, SESSIONS, IMPORTS = message_at("/v1/orders"), message_at("/v1/sessions"), message_at("/v1/imports")


def refused(body: Any, message: Any = ORDERS) -> tuple[str, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BodyRefused) as caught:
        check(data, message)
    return caught.value.field, str(caught.value)


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", json.dumps(ORDER).encode(), b'{"order": null}'])
def test_what_the_contract_allows_passes(body: bytes) -> None:
    check(body, ORDERS)


numbers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(texts, texts, numbers, st.integers(-(2**31), 2**31 - 1), st.booleans())
def test_every_message_that_protobuf_prints_passes(
    number: str,
    name: str,
    amount: int,
    months: int,
    proto_names: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    request = CreateOrderRequest()
    request.order.order_no, request.order.customer.name = number, name
    request.order.amount.amount_fen, request.order.term_months = amount, months
    printed = MessageToDict(request, preserving_proto_field_name=proto_names, always_print_fields_with_no_presence=True)
    check(json.dumps(printed).encode(), ORDERS)


def leaves() -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | texts
    keys = st.sampled_from(
        ["order", "amount", "amount_fen", "currency", "term_months", "customer", "name", "orderNo", "x"]
    )
    return st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


def passes(data: bytes) -> bool:
    try:
        check(data, ORDERS)
    except BodyRefused:
        return False
    return True


@given(leaves())
def test_what_passes_is_a_message_without_a_rest(body: Any) -> None:
    if passes(json.dumps(body).encode()):
        # The library refuses unknown fields and wrong types too: what passes here must pass there.
        ParseDict(body, CreateOrderRequest(), ignore_unknown_fields=False)


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    assert not passes(data) or not data.strip() or isinstance(json.loads(data), dict)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"order": {"amount": {"amount_fe": 1}}}, "order.amount.amount_fe"),
        ({"oder": {}}, "oder"),
        (b'{"order":{"order_no":"1","order_no":"2"}}', "order.order_no"),
        (b'{"order":{"order_no":"1","orderNo":"2"}}', "order.order_no"),
        ({"order": {"order_no": 1}}, "order.order_no"),
        ({"order": {"order_no": "a\0b"}}, "order.order_no"),
        (b'{"order":{"order_no":"\\ud800"}}', "order.order_no"),
        ({"order": []}, "order"),
        ({"order": {"amount": {"amount_fen": 2**63}}}, "order.amount.amount_fen"),
        ({"order": {"amount": {"amount_fen": "12x"}}}, "order.amount.amount_fen"),
        ({"order": {"amount": {"amount_fen": True}}}, "order.amount.amount_fen"),
        ({"order": {"term_months": 1.5}}, "order.term_months"),
        ({"order": {"term_months": "٣"}}, "order.term_months"),
        (b'{"order":{"term_months":1e999}}', "order.term_months"),
        (b'{"order":{"term_months":' + b"9" * 900_000 + b"}}", "order.term_months"),
        (b"[]", ""),
        (b'"order"', ""),
        (b"{", ""),
        (b'{"order":NaN}', ""),
        (b"\xff\xfe{}", ""),
        (b'{"order":"\xc0\xae"}', ""),  # an overlong full stop
        (b"[" * 500_000, ""),
        (b'{"order":' * 100_000, ""),
    ],
)
def test_what_is_wrong_is_named_by_its_place(body: Any, field: str) -> None:
    assert refused(body)[0] == field


def test_kinds_that_an_order_does_not_have() -> None:
    assert refused({"channel": "CHANEL_REMOTE"}, SESSIONS)[0] == "channel"
    assert refused({"channel": 99}, SESSIONS)[0] == "channel"
    assert refused({"participants": {}}, SESSIONS)[0] == "participants"
    assert refused({"participants": [{"role": 1}, {"rol": 1}]}, SESSIONS)[0] == "participants[1].rol"
    assert refused({"files": ["x"]}, IMPORTS)[0] == "files[0]"
    check(b'{"channel": "CHANNEL_REMOTE", "participants": [{"role": 1}]}', SESSIONS)


def test_a_misspelt_name_gets_a_hint_and_no_value_is_repeated() -> None:
    _, text = refused({"order": {"amount": {"amount_fe": 1}}})
    assert "did you mean `amount_fen`" in text
    _, text = refused({"order": {"customer": {"id_number": 110101199003070000}}})
    assert "110101199003070000" not in text


async def ask(method: str, path: str, body: bytes = b"") -> httpx.Response:
    transport = httpx.ASGITransport(Checker(CALLS))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://check") as client:
        return await client.request(method, f"/check{path}", content=body)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/orders", b'{"order":{}}', 200),
        ("POST", "/v1/orders", b'{"oder":{}}', 400),
        ("POST", "/v1/orders?order.order_no=1", b"", 400),
        ("POST", "/v1/sessions/x/replays", b"", 200),
        ("POST", "/v1/sessions/x/replays", b'{"session_id":"y"}', 400),
        ("POST", "/v1/strategies:validate", b'{"yaml":"x"}', 200),
        ("POST", "/v1/strategiesXvalidate", b'{"yaml":"x"}', 404),
        ("GET", "/v1/orders/x", b"{}", 400),
        ("GET", "/v1/orders/x", b"", 200),
        ("DELETE", "/v1/orders/x", b"", 404),
        ("POST", "/v1/nothing", b"{}", 404),
        ("POST", "/v1//orders", b"{}", 404),
    ],
)
async def test_the_checker_knows_the_calls(method: str, path: str, body: bytes, status: int) -> None:
    answer = await ask(method, path, body)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["details"][0]["reason"] == "JSON_INVALID"


def test_every_json_call_is_understood() -> None:
    calls = CALLS._calls
    assert len(calls) >= 20
    for call in calls:
        names = call.message.fields_by_name if call.message else call.bound
        assert call.bound <= set(names)
