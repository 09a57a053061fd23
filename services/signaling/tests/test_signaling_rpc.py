"""The service's door: a real gRPC server with tokens, roles and typed errors, over in-memory stores."""

import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from shuanglu.common.v1 import types_pb2
from shuanglu.quality.v1 import strategy_service_pb2, strategy_service_pb2_grpc
from shuanglu.session.v1 import session_pb2
from shuanglu.session.v1 import session_service_pb2 as pb
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceStub, add_SessionServiceServicer_to_server
from shuanglu_common.auth import TokenVerifier
from shuanglu_common.grpc_server import start_server
from shuanglu_signaling import wire
from shuanglu_signaling.domain.order import Customer, Order
from shuanglu_signaling.domain.words import Channel
from shuanglu_signaling.errors import StrategiesUnavailable, StrategyNotChosen, StrategyNotFound
from shuanglu_signaling.rpc import SessionRpc
from shuanglu_signaling.settings import SignalingSettings
from shuanglu_signaling.strategies import QualityStrategies


@dataclass
class FixedClock:
    now: int = 1_760_000_000_000_000

    def now_us(self) -> int:
        self.now += 1
        return self.now


@dataclass
class Door:
    """The running service and its callers."""

    stub: Any
    token: Callable[..., str]
    desk: Any

    async def call(self, name: str, request: Any, roles: tuple[str, ...] = ("agent",), **claims: Any) -> Any:
        metadata = (("authorization", f"Bearer {self.token(roles=roles, **claims)}"),)
        return await getattr(self.stub, name)(request, metadata=metadata, timeout=10)

    async def refusal(self, name: str, request: Any, **claims: Any) -> tuple[grpc.StatusCode, str, dict[str, str]]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(name, request, **claims)
        trailers = dict(caught.value.trailing_metadata() or ())
        info = error_details_pb2.ErrorInfo()
        details = trailers["grpc-status-details-bin"]
        assert isinstance(details, bytes)
        assert status_pb2.Status.FromString(details).details[0].Unpack(info)
        return caught.value.code(), info.reason, dict(info.metadata)


@pytest.fixture
async def door(desk: Any, tmp_path: Path) -> AsyncIterator[Door]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) | {"kid": "k", "alg": "ES256"}
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [public]}))
    settings = SignalingSettings(jwks_file=jwks)

    def token(**claims: Any) -> str:
        base = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience, "sub": "x", "tenant": "demo"}
        return jwt.encode(base | {"exp": int(time.time()) + 60} | claims, key, "ES256", {"kid": "k"})

    rpc = SessionRpc(desk.orders, desk.sessions, FixedClock())
    port = free_port()
    register: Callable[[grpc.aio.Server], None] = lambda server: add_SessionServiceServicer_to_server(rpc, server)  # noqa: E731
    server = await start_server(f"127.0.0.1:{port}", TokenVerifier(settings), [register])
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Door(SessionServiceStub(channel), token, desk)
    await server.stop(None)


def free_port() -> int:

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def order_message(**changes: Any) -> session_pb2.Order:
    order = session_pb2.Order(
        order_no="PL-1",
        product="personal_loan",
        amount=types_pb2.Money(amount_fen=8_000_000, currency="CNY"),
        purpose="consumption",
        term_months=24,
        customer=session_pb2.Customer(customer_no="C-1", name="王小明", id_number="11010519491231002X"),
    )
    order.MergeFrom(session_pb2.Order(**changes))
    return order


async def make_order(door: Door, **claims: Any) -> session_pb2.Order:
    answer = await door.call("CreateOrder", pb.CreateOrderRequest(order=order_message()), **claims)
    return answer.order  # type: ignore[no-any-return]


async def test_an_order_becomes_a_session(door: Door) -> None:
    order = await make_order(door)
    request = pb.CreateSessionRequest(order_id=order.order_id, channel=types_pb2.CHANNEL_REMOTE)
    made = (await door.call("CreateSession", request)).session
    assert made.state == session_pb2.SESSION_STATE_CREATED
    assert [person.participant_id for person in made.participants] == ["customer", "agent"]
    assert made.created_at_us == made.updated_at_us > 0
    read = (await door.call("GetSession", pb.GetSessionRequest(session_id=made.session_id))).session
    assert read == made
    listed = await door.call("ListSessions", pb.ListSessionsRequest(order_id=order.order_id))
    assert list(listed.sessions) == [made]
    assert listed.next_page_token == ""


@pytest.mark.parametrize(
    ("role", "name", "number"),
    [
        ("bank_app", "王小明", "11010519491231002X"),
        ("agent", "王小明", "11010519491231002X"),
        ("reviewer", "王**", "****002X"),
        ("auditor", "王**", "****002X"),
        ("admin", "王**", "****002X"),
    ],
)
async def test_only_some_roles_see_the_customer(door: Door, role: str, name: str, number: str) -> None:
    order = await make_order(door)
    read = (await door.call("GetOrder", pb.GetOrderRequest(order_id=order.order_id), roles=(role,))).order
    assert (read.customer.name, read.customer.id_number) == (name, number)


async def test_errors_have_status_reason_and_field(door: Door) -> None:
    request = pb.CreateOrderRequest(order=order_message(term_months=9999))
    status, reason, details = await door.refusal("CreateOrder", request)
    assert (status, reason, details["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "ORDER_INVALID", "term_months")
    assert details["help"]


@pytest.mark.parametrize(
    ("name", "request_message", "status", "reason"),
    [
        ("GetOrder", pb.GetOrderRequest(order_id="x"), "NOT_FOUND", "ORDER_NOT_FOUND"),
        ("GetSession", pb.GetSessionRequest(session_id="x"), "NOT_FOUND", "SESSION_NOT_FOUND"),
        ("CreateSession", pb.CreateSessionRequest(order_id="x"), "INVALID_ARGUMENT", "SESSION_INVALID"),
        ("CreateSession", pb.CreateSessionRequest(order_id="x", channel=99), "INVALID_ARGUMENT", "SESSION_INVALID"),  # type: ignore[arg-type]
        (
            "CreateSession",
            pb.CreateSessionRequest(order_id="x", channel=types_pb2.CHANNEL_REMOTE),
            "NOT_FOUND",
            "ORDER_NOT_FOUND",
        ),
        ("ListSessions", pb.ListSessionsRequest(page_token="x"), "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID"),
        ("ListSessions", pb.ListSessionsRequest(page_size=201), "INVALID_ARGUMENT", "FILTER_INVALID"),
        ("ListSessions", pb.ListSessionsRequest(state=99), "INVALID_ARGUMENT", "FILTER_INVALID"),  # type: ignore[arg-type]
        ("ListSessions", pb.ListSessionsRequest(channel=99), "INVALID_ARGUMENT", "FILTER_INVALID"),  # type: ignore[arg-type]
    ],
)
async def test_wrong_requests_are_refused(
    door: Door, name: str, request_message: Any, status: str, reason: str
) -> None:
    code, found, _ = await door.refusal(name, request_message)
    assert (code.name, found) == (status, reason)


async def test_a_participant_without_a_role_is_refused(door: Door) -> None:
    order = await make_order(door)
    people = [types_pb2.Participant(participant_id="x")]
    request = pb.CreateSessionRequest(order_id=order.order_id, channel=types_pb2.CHANNEL_REMOTE, participants=people)
    assert (await door.refusal("CreateSession", request))[1] == "SESSION_INVALID"


async def test_admission_refused_tells_rule_and_channels(door: Door, build: Any) -> None:
    order = await make_order(door)
    door.desk.strategies.answer = build.refused
    request = pb.CreateSessionRequest(order_id=order.order_id, channel=types_pb2.CHANNEL_REMOTE)
    status, reason, details = await door.refusal("CreateSession", request)
    assert (status, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ADMISSION_REFUSED")
    assert (details["rule"], details["open_channels"]) == ("PL26-1", "COUNTER")
    assert details["refusal_zh"]
    assert details["refusal_en"]


async def test_another_tenant_sees_nothing(door: Door) -> None:
    order = await make_order(door)
    request = pb.GetOrderRequest(order_id=order.order_id)
    assert (await door.refusal("GetOrder", request, tenant="other"))[1] == "ORDER_NOT_FOUND"


async def test_a_customers_token_opens_one_session(door: Door) -> None:
    order = await make_order(door)
    request = pb.CreateSessionRequest(order_id=order.order_id, channel=types_pb2.CHANNEL_REMOTE)
    own, other = [(await door.call("CreateSession", request)).session.session_id for _ in range(2)]
    customer: dict[str, Any] = {"roles": ("customer",), "session_id": own}
    assert (await door.call("GetSession", pb.GetSessionRequest(session_id=own), **customer)).session.session_id == own
    refused = await door.refusal("GetSession", pb.GetSessionRequest(session_id=other), **customer)
    assert refused[:2] == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
    refused = await door.refusal("ListSessions", pb.ListSessionsRequest(), **customer)
    assert refused[0] is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("role", ["customer", "ops", "reviewer", "auditor"])
async def test_these_roles_make_no_orders(door: Door, role: str) -> None:
    request = pb.CreateOrderRequest(order=order_message())
    assert (await door.refusal("CreateOrder", request, roles=(role,)))[0] is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("name", [value.name for value in Channel])
def test_every_channel_of_the_contract_is_known(name: str) -> None:
    assert wire.CHANNEL_OF[types_pb2.Channel.Value(f"CHANNEL_{name}")].value == name


def test_no_enum_value_of_the_contract_is_forgotten() -> None:
    for enum, known in (
        (types_pb2.Channel, wire.CHANNEL_OF),
        (types_pb2.ParticipantRole, wire.ROLE_OF),
        (session_pb2.SessionState, wire.STATE_OF),
    ):
        assert set(enum.values()) - {0} == set(known)


SHORT = st.text(max_size=5)
ORDERS = st.builds(
    Order,
    order_id=SHORT,
    order_no=SHORT,
    product=SHORT,
    amount_fen=st.integers(0, 2**60),
    currency=SHORT,
    purpose=SHORT,
    term_months=st.integers(0, 2**31 - 1),
    customer=st.builds(Customer, SHORT, SHORT, SHORT),
    branch=SHORT,
    agent_no=SHORT,
    created_at_us=st.integers(0, 2**60),
)


@given(ORDERS)
def test_orders_survive_the_wire(order: Order) -> None:
    assert wire.read_order(wire.write_order(order)) == order


class Quality(strategy_service_pb2_grpc.StrategyServiceServicer):
    """A quality service that answers, or refuses with a status."""

    def __init__(self) -> None:
        self.status: grpc.StatusCode | None = None
        self.seen: list[tuple[Any, dict[str, Any]]] = []

    async def ResolveStrategy(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.seen.append((request, dict(context.invocation_metadata())))
        if self.status:
            await context.abort(self.status, "why")
        return strategy_service_pb2.ResolveStrategyResponse(
            strategy_id="personal-loan",
            strategy_version="c" * 64,
            admitted=False,
            refusal_rule="PL26-1",
            open_channels=[types_pb2.CHANNEL_COUNTER],
            inspection=types_pb2.Inspection(face_frames_per_kilosecond=2000, languages=["zh"]),
        )


@pytest.fixture
async def quality() -> AsyncIterator[tuple[Quality, QualityStrategies]]:
    servicer, server = Quality(), grpc.aio.server()  # type: ignore[abstract]
    strategy_service_pb2_grpc.add_StrategyServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield servicer, QualityStrategies(channel, lambda tenant: (("authorization", f"Bearer {tenant}"),), 5)
    await server.stop(None)


async def test_quality_sees_the_deal_and_not_the_customer(
    quality: tuple[Quality, QualityStrategies], build: Any
) -> None:
    servicer, strategies = quality
    resolution = await strategies.resolve("demo", build.order(), Channel.REMOTE, "")
    assert (resolution.refusal_rule, resolution.open_channels) == ("PL26-1", (Channel.COUNTER,))
    assert resolution.inspection.languages == ("zh",)
    request, metadata = servicer.seen[0]
    assert request.order.amount.amount_fen == 8_000_000
    assert request.channel == types_pb2.CHANNEL_REMOTE
    assert metadata["authorization"] == "Bearer demo"
    assert "王小明".encode() not in request.SerializeToString()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.NOT_FOUND, StrategyNotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, StrategyNotChosen),
        (grpc.StatusCode.INVALID_ARGUMENT, StrategyNotChosen),
        (grpc.StatusCode.UNAVAILABLE, StrategiesUnavailable),
        (grpc.StatusCode.INTERNAL, StrategiesUnavailable),
        (grpc.StatusCode.UNIMPLEMENTED, StrategiesUnavailable),
    ],
)
async def test_what_quality_says_is_translated(
    quality: tuple[Quality, QualityStrategies], build: Any, status: grpc.StatusCode, error: type[Exception]
) -> None:
    servicer, strategies = quality
    servicer.status = status
    with pytest.raises(error):
        await strategies.resolve("demo", build.order(), Channel.REMOTE, "x")


async def test_a_quality_service_that_is_away_is_waited_for_but_not_for_ever(build: Any) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{free_port()}") as channel:
        strategies = QualityStrategies(channel, lambda _tenant: (), 0.3)
        with pytest.raises(StrategiesUnavailable):
            await strategies.resolve("demo", build.order(), Channel.REMOTE, "")
