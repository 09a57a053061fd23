"""Sessions: opening, admission, idempotence, pages."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_signaling.domain.desk import Caller
from shuanglu_signaling.domain.listing import Cursor, SessionFilter, page_size, read_token, write_token
from shuanglu_signaling.domain.session import Participant, name_participants, validate
from shuanglu_signaling.domain.words import Channel, ParticipantRole, SessionState
from shuanglu_signaling.errors import (
    AdmissionRefused,
    FilterInvalid,
    IdempotencyKeyTaken,
    OrderNotFound,
    PageTokenInvalid,
    SessionInvalid,
    SessionNotFound,
    SessionTokenTooNarrow,
    StrategyNotFound,
)

CUSTOMER, AGENT, CO_SIGNER = ParticipantRole.CUSTOMER, ParticipantRole.AGENT, ParticipantRole.CO_SIGNER
KEY = b"k" * 32


@pytest.fixture
async def order_id(desk: Any, agent: Caller, build: Any) -> str:
    return str((await desk.orders.create(agent, build.order(), build.now_us)).order_id)


async def test_a_session_keeps_what_the_strategy_says(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    made = await desk.sessions.create(agent, build.request(order_id=order_id), build.now_us)
    assert (made.strategy_id, made.strategy_version) == ("personal-loan", "b" * 64)
    assert made.inspection.face_frames_per_kilosecond == 2000
    assert made.progress.state is SessionState.CREATED
    assert made.participants == (Participant("customer", CUSTOMER), Participant("agent", AGENT))
    assert await desk.sessions.get(agent, made.session_id) == made
    assert desk.session_rows.published == [made.session_id]


async def test_a_refusal_names_rule_and_open_channels(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    desk.strategies.answer = build.refused
    with pytest.raises(AdmissionRefused) as caught:
        await desk.sessions.create(agent, build.request(order_id=order_id), build.now_us)
    assert caught.value.details["rule"] == "PL26-1"
    assert caught.value.details["open_channels"] == "COUNTER"
    assert "住房贷款须当面签约。" in str(caught.value)
    assert "Housing loans are signed in person." in str(caught.value)
    assert desk.session_rows.rows == {}


async def test_an_unknown_strategy_is_told(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    desk.strategies.answer = None
    with pytest.raises(StrategyNotFound):
        await desk.sessions.create(agent, build.request(order_id=order_id, strategy_id="nothing"), build.now_us)


async def test_a_session_needs_an_order_of_the_same_tenant(desk: Any, build: Any, order_id: str) -> None:
    with pytest.raises(OrderNotFound):
        await desk.sessions.create(Caller("other"), build.request(order_id=order_id), build.now_us)
    assert desk.strategies.asked == []


async def test_the_same_key_gives_the_same_session(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    request = build.request(order_id=order_id, idempotency_key="key-00001")
    first = await desk.sessions.create(agent, request, build.now_us)
    desk.strategies.answer = build.refused
    assert await desk.sessions.create(agent, request, build.now_us + 9) == first
    assert desk.session_rows.published == [first.session_id]


async def test_without_a_key_each_call_opens_a_session(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    request = build.request(order_id=order_id)
    first = await desk.sessions.create(agent, request, build.now_us)
    assert (await desk.sessions.create(agent, request, build.now_us)).session_id != first.session_id


async def test_a_key_is_not_used_for_two_requests(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    request = build.request(order_id=order_id, idempotency_key="key-00001")
    await desk.sessions.create(agent, request, build.now_us)
    with pytest.raises(IdempotencyKeyTaken):
        await desk.sessions.create(agent, replace(request, channel=Channel.COUNTER), build.now_us)


async def test_two_tenants_may_use_the_same_key(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    other = Caller("other")
    theirs = await desk.orders.create(other, build.order(), build.now_us)
    ours = await desk.sessions.create(agent, build.request(order_id=order_id, idempotency_key="key-00001"), 1)
    made = await desk.sessions.create(other, build.request(order_id=theirs.order_id, idempotency_key="key-00001"), 1)
    assert made.session_id != ours.session_id


async def test_a_session_token_opens_one_session(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    own = await desk.sessions.create(agent, build.request(order_id=order_id), build.now_us)
    other = await desk.sessions.create(agent, build.request(order_id=order_id), build.now_us)
    narrow = Caller("demo", own.session_id)
    assert await desk.sessions.get(narrow, own.session_id) == own
    with pytest.raises(SessionNotFound):
        await desk.sessions.get(narrow, other.session_id)
    with pytest.raises(SessionTokenTooNarrow):
        await desk.sessions.page(narrow, SessionFilter(), 0, "")
    with pytest.raises(SessionTokenTooNarrow):
        await desk.sessions.create(narrow, build.request(order_id=order_id), build.now_us)


async def test_another_tenants_session_does_not_exist(desk: Any, agent: Caller, build: Any, order_id: str) -> None:
    made = await desk.sessions.create(agent, build.request(order_id=order_id), build.now_us)
    with pytest.raises(SessionNotFound):
        await desk.sessions.get(Caller("other"), made.session_id)
    with pytest.raises(SessionNotFound):
        await desk.sessions.get(Caller("other", made.session_id), made.session_id)
    assert await desk.sessions.page(Caller("other"), SessionFilter(), 0, "") == ([], "")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("order_id", {"order_id": ""}),
        ("strategy_id", {"strategy_id": "../x"}),
        ("idempotency_key", {"idempotency_key": "short"}),
        ("idempotency_key", {"idempotency_key": "k" * 65}),
    ],
)
def test_a_wrong_field_is_named(build: Any, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(SessionInvalid) as caught:
        validate(build.request(**changes))
    assert caught.value.details == {"field": field}


def test_ids_are_made_from_roles() -> None:
    named = name_participants([("", CUSTOMER), ("", CO_SIGNER), ("", CO_SIGNER), ("boss", AGENT)])
    assert [person.participant_id for person in named] == ["customer", "co-signer", "co-signer-2", "boss"]


@pytest.mark.parametrize(
    "people",
    [
        [("", AGENT)],
        [("a", CUSTOMER), ("a", AGENT)],
        [("agent", CUSTOMER), ("", AGENT)],
        [("A B", CUSTOMER)],
        [("", CUSTOMER)] * 17,
    ],
)
def test_people_that_cannot_be_told_apart_are_refused(people: list[tuple[str, ParticipantRole]]) -> None:
    with pytest.raises(SessionInvalid):
        name_participants(people)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 200])
async def test_pages_show_every_session_once_newest_first(desk: Any, agent: Caller, build: Any, size: int) -> None:
    for number in range(7):
        # Three at the same time: only the id tells their order.
        await desk.session_rows.add("demo", build.session(number, created_at_us=build.now_us + number // 3), "", "")
    shown: list[str] = []
    token = ""
    while True:
        found, token = await desk.sessions.page(agent, SessionFilter(), size, token)
        assert len(found) <= size
        shown += [session.session_id for session in found]
        if not token:
            break
    assert shown == [f"session-{number:04}" for number in reversed(range(7))]


async def test_a_new_session_does_not_shift_the_pages(desk: Any, agent: Caller, build: Any) -> None:
    for number in (1, 2, 3):
        await desk.session_rows.add("demo", build.session(number), "", "")
    _, token = await desk.sessions.page(agent, SessionFilter(), 2, "")
    await desk.session_rows.add("demo", build.session(9), "", "")
    found, _ = await desk.sessions.page(agent, SessionFilter(), 2, token)
    assert [session.session_id for session in found] == ["session-0001"]


async def test_a_token_is_for_its_tenant(desk: Any, agent: Caller, build: Any) -> None:
    for number in (1, 2):
        await desk.session_rows.add("demo", build.session(number), "", "")
    _, token = await desk.sessions.page(agent, SessionFilter(), 1, "")
    with pytest.raises(PageTokenInvalid):
        await desk.sessions.page(Caller("other"), SessionFilter(), 1, token)


def test_a_token_is_for_its_filters() -> None:
    token = write_token(Cursor(1, "a"), SessionFilter(order_id="x"), KEY)
    assert read_token(token, SessionFilter(order_id="x"), KEY) == Cursor(1, "a")
    with pytest.raises(PageTokenInvalid):
        read_token(token, SessionFilter(order_id="y"), KEY)


@given(st.integers(0, 2**62), st.text("0123456789abcdef-", min_size=1, max_size=64))
def test_a_token_brings_the_cursor_back(created_at_us: int, session_id: str) -> None:
    cursor = Cursor(created_at_us, session_id)
    assert read_token(write_token(cursor, SessionFilter(), KEY), SessionFilter(), KEY) == cursor


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_token_is_refused(position: int, change: int) -> None:
    token = write_token(Cursor(12345, "0190-abc"), SessionFilter(), KEY)
    index = position % len(token)
    changed = token[:index] + chr((ord(token[index]) + change) % 256) + token[index + 1 :]
    try:
        read = read_token(changed, SessionFilter(), KEY)
    except PageTokenInvalid:
        return
    # The last character of base64 has bits that mean nothing.
    assert read == Cursor(12345, "0190-abc")


@pytest.mark.parametrize("token", ["x", "====", "é", "AAAA", "A" * 5000])
def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(PageTokenInvalid):
        read_token(token, SessionFilter(), KEY)


async def test_wrong_filters_are_named(desk: Any, agent: Caller) -> None:
    for wanted in (
        SessionFilter(created_from_us=-1),
        SessionFilter(created_to_us=-1),
        SessionFilter(created_from_us=5, created_to_us=5),
    ):
        with pytest.raises(FilterInvalid):
            await desk.sessions.page(agent, wanted, 0, "")


def test_page_sizes() -> None:
    assert [page_size(size) for size in (0, 1, 200)] == [50, 1, 200]
    for size in (-1, 201):
        with pytest.raises(FilterInvalid):
            page_size(size)
