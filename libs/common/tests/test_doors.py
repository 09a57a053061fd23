"""Token, role and typed errors at the gRPC and the HTTP door, over real sockets."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from shuanglu.media.v1 import import_service_pb2
from shuanglu.report.v1 import report_service_pb2, report_service_pb2_grpc
from shuanglu.session.v1 import session_service_pb2, session_service_pb2_grpc
from shuanglu_common.access import ACCESS, CALL, IMPORT, OPEN_CALLS, SESSION, Role, Scope
from shuanglu_common.auth import (
    SESSION_ISSUER,
    Principal,
    RoleForbidden,
    SessionHidden,
    TokenInvalid,
    TokenTooNarrow,
    TokenVerifier,
    authorise,
    current_principal,
    mint_internal,
)
from shuanglu_common.contracts import all_calls
from shuanglu_common.errors import NotFound
from shuanglu_common.grpc_server import MAX_STREAMS, DoorInterceptor, start_server
from shuanglu_common.http_server import PrincipalMiddleware, ops_app, start_http
from shuanglu_common.settings import ServiceSettings

KEY = ec.generate_private_key(ec.SECP256R1())
INTERNAL = ec.generate_private_key(ec.SECP256R1())
SIGNALING = ec.generate_private_key(ec.SECP256R1())


def token(key: ec.EllipticCurvePrivateKey = KEY, kid: str = "dev", **changes: Any) -> str:
    claims = {
        "iss": "https://id.bank.example",
        "aud": "shuanglu",
        "sub": "tester",
        "exp": int(time.time()) + 60,
        "tenant": "bank",
        "roles": ["bank_app"],
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid})


def participant_token(key: ec.EllipticCurvePrivateKey = SIGNALING, kid: str = SESSION_ISSUER, **changes: Any) -> str:
    """As signaling makes them."""
    claims = {"iss": SESSION_ISSUER, "sub": "mine/customer", "roles": ["customer"], "session_id": "mine"}
    claims |= {"participant_id": "customer", "invitation_id": "invitation-1", "seat": 3, **changes}
    return token(key, kid, **claims)


def jwks_of(key: ec.EllipticCurvePrivateKey, kid: str) -> str:
    return json.dumps({"keys": [{**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "ES256"}]})


@pytest.fixture
def verifier(tmp_path: Path) -> TokenVerifier:
    (tmp_path / "jwks.json").write_text(jwks_of(KEY, "dev"))
    (tmp_path / "session.json").write_text(jwks_of(SIGNALING, SESSION_ISSUER))
    pem = INTERNAL.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "internal.pem").write_bytes(pem)
    return TokenVerifier(
        ServiceSettings(
            jwks_file=tmp_path / "jwks.json",
            session_jwks_file=tmp_path / "session.json",
            internal_key_file=tmp_path / "internal.pem",
        )
    )


class Missing(NotFound):
    reason = "ORDER_NOT_FOUND"


class Sessions(session_service_pb2_grpc.SessionServiceServicer):
    async def GetOrder(self, request: Any, context: Any) -> Any:  # noqa: N802
        if len(request.order_id) > 1000:
            raise Missing(
                f"没有 {request.order_id}", field=request.order_id, **{f"d{n}": "长" * 200 for n in range(50)}
            )
        raise Missing("there is no such order")

    async def GetSession(self, request: Any, context: Any) -> Any:  # noqa: N802
        current_principal().require_session(request.session_id)
        return session_service_pb2.GetSessionResponse()

    async def CreateOrder(self, request: Any, context: Any) -> Any:  # noqa: N802
        await asyncio.sleep(30)

    async def ListSessions(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise RuntimeError("张三 110101199003070000")


class Reports(report_service_pb2_grpc.ReportServiceServicer):
    async def WatchInspection(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        yield report_service_pb2.WatchInspectionResponse(observed=1)
        if request.session_id == "long":
            await asyncio.sleep(30)
        raise Missing("gone")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def channel(verifier: TokenVerifier) -> AsyncIterator[grpc.aio.Channel]:
    address = f"127.0.0.1:{free_port()}"
    server = await start_server(
        address,
        verifier,
        [
            lambda server: session_service_pb2_grpc.add_SessionServiceServicer_to_server(Sessions(), server),
            lambda server: report_service_pb2_grpc.add_ReportServiceServicer_to_server(Reports(), server),
        ],
    )
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel
    await server.stop(0)


def bearer(value: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {value}"),)


async def failure(call: Any) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    metadata = dict(caught.value.trailing_metadata() or ())
    info = ErrorInfo()
    Status.FromString(metadata["grpc-status-details-bin"]).details[0].Unpack(info)
    return caught.value.code(), info.reason, str(caught.value.details())


@pytest.mark.parametrize(
    "bad",
    [
        token(exp=int(time.time()) - 3600),
        token(aud="other"),
        token(iss="https://elsewhere.example"),
        token(key=INTERNAL),
        token(tenant=None),
        token(tenant="../x"),
        token(roles="admin"),
        token(exp=None),
        token(nbf=int(time.time()) + 3600),
        "junk",
    ],
)
async def test_a_token_that_does_not_hold_is_refused(channel: grpc.aio.Channel, bad: str) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    call = stub.GetSession(session_service_pb2.GetSessionRequest(), metadata=bearer(bad), timeout=5)
    assert (await failure(call))[:2] == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


def test_a_token_that_was_made_by_a_clock_ahead_of_ours_holds(verifier: TokenVerifier) -> None:
    assert verifier.verify(token(iat=int(time.time()) + 3600)).tenant == "bank"


def test_a_participants_token_names_session_participant_and_invitation(verifier: TokenVerifier) -> None:
    principal = verifier.verify(participant_token())
    assert (principal.session_id, principal.participant_id) == ("mine", "customer")
    assert (principal.invitation_id, principal.seat) == ("invitation-1", 3)
    assert principal.roles == {Role.CUSTOMER}
    assert principal.subject == "mine/customer"


@pytest.mark.parametrize("roles", [["admin", "service", "bank_app"], ["reviewer", "ops", "auditor"]])
def test_signalings_key_opens_no_more_than_calls(verifier: TokenVerifier, roles: list[str]) -> None:
    assert verifier.verify(participant_token(roles=[*roles, "agent"])).roles == {Role.AGENT}


@pytest.mark.parametrize(
    "bad",
    [
        participant_token(participant_id=None),
        participant_token(invitation_id=None),
        participant_token(session_id=None),
        participant_token(participant_id="../x"),
        participant_token(participant_id=["customer"]),
        participant_token(invitation_id="a b"),
        participant_token(seat="3"),
        participant_token(seat=-1),
        participant_token(iss="https://id.bank.example"),
        participant_token(iss="shuanglu-internal"),
        participant_token(kid="dev"),
        participant_token(key=KEY),
        participant_token(key=KEY, kid="dev"),
        participant_token(key=INTERNAL, kid="shuanglu-internal"),
        participant_token(aud="other"),
        participant_token(exp=int(time.time()) - 3600),
        token(participant_id="customer"),
    ],
)
def test_a_participants_token_that_does_not_hold_is_refused(verifier: TokenVerifier, bad: str) -> None:
    with pytest.raises(TokenInvalid):
        verifier.verify(bad)


def test_without_signalings_keys_no_participants_token_holds(verifier: TokenVerifier) -> None:
    settings = verifier.settings.model_copy(update={"session_jwks_file": None})
    with pytest.raises(TokenInvalid):
        TokenVerifier(settings).verify(participant_token())


def test_a_new_key_of_signaling_counts_at_once(verifier: TokenVerifier) -> None:
    new = ec.generate_private_key(ec.SECP256R1())
    file = verifier.settings.session_jwks_file
    assert file is not None
    file.write_text(jwks_of(new, "shuanglu-session-2"))
    os.utime(file, (1, 1))
    assert verifier.verify(participant_token(new, "shuanglu-session-2")).participant_id == "customer"
    with pytest.raises(TokenInvalid):
        verifier.verify(participant_token())


async def test_no_token_is_refused(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    call = stub.GetSession(session_service_pb2.GetSessionRequest(), timeout=5)
    assert (await failure(call))[:2] == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")


async def test_a_role_that_is_not_in_the_table_is_refused(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    metadata = bearer(token(roles=["customer", "nonsense"]))
    call = stub.GetOrder(session_service_pb2.GetOrderRequest(), metadata=metadata, timeout=5)
    assert (await failure(call))[:2] == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_FORBIDDEN")


async def test_a_callers_token_never_holds_the_role_of_a_service(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    metadata = bearer(token(roles=["service"]))
    call = stub.GetOrder(session_service_pb2.GetOrderRequest(), metadata=metadata, timeout=5)
    assert (await failure(call))[1] == "ROLE_FORBIDDEN"


async def test_a_service_may_call_with_its_own_token(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    metadata = bearer(mint_internal(INTERNAL, "report", "bank", "shuanglu"))
    await stub.GetSession(session_service_pb2.GetSessionRequest(session_id="s"), metadata=metadata, timeout=5)


async def test_a_token_of_one_session_hides_the_others(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    metadata = bearer(token(roles=["customer"], session_id="mine"))
    await stub.GetSession(session_service_pb2.GetSessionRequest(session_id="mine"), metadata=metadata, timeout=5)
    call = stub.GetSession(session_service_pb2.GetSessionRequest(session_id="other"), metadata=metadata, timeout=5)
    assert (await failure(call))[:2] == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


async def test_a_typed_error_reaches_the_caller_with_its_reason(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    call = stub.GetOrder(session_service_pb2.GetOrderRequest(), metadata=bearer(token()), timeout=5)
    assert await failure(call) == (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND", "there is no such order")


async def test_an_unforeseen_error_tells_nothing_of_its_text(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    call = stub.ListSessions(session_service_pb2.ListSessionsRequest(), metadata=bearer(token()), timeout=5)
    code, reason, text = await failure(call)
    assert (code, reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "张三" not in text


async def test_a_call_that_takes_too_long_says_so_before_the_caller_stops_listening(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    call = stub.CreateOrder(session_service_pb2.CreateOrderRequest(), metadata=bearer(token()), timeout=1)
    assert (await failure(call))[:2] == (grpc.StatusCode.DEADLINE_EXCEEDED, "SERVICE_TOO_SLOW")


async def test_nobody_takes_all_places_of_a_service_with_streams(channel: grpc.aio.Channel) -> None:
    stub = report_service_pb2_grpc.ReportServiceStub(channel)
    request = report_service_pb2.WatchInspectionRequest(session_id="long")
    held = [stub.WatchInspection(request, metadata=bearer(token()), timeout=20) for _ in range(MAX_STREAMS)]
    assert [(await one.read()).observed for one in held] == [1] * MAX_STREAMS
    refused = stub.WatchInspection(request, metadata=bearer(token()), timeout=5)
    assert (await failure(refused.read()))[:2] == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
    other = stub.WatchInspection(request, metadata=bearer(token(sub="another")), timeout=5)
    assert (await other.read()).observed == 1
    other.cancel()
    for one in held:
        one.cancel()
    for _ in range(50):
        again = stub.WatchInspection(request, metadata=bearer(token()), timeout=5)
        try:
            assert (await again.read()).observed == 1
            break
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)
    else:
        pytest.fail("the places of the ended streams were never free again")
    again.cancel()


async def test_an_error_that_repeats_a_long_text_still_arrives(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    request = session_service_pb2.GetOrderRequest(order_id="长" * 100_000)
    code, reason, text = await failure(stub.GetOrder(request, metadata=bearer(token()), timeout=5))
    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")
    assert text.startswith("没有 长长")
    assert text.endswith("…")


async def test_a_stream_ends_with_its_typed_error(channel: grpc.aio.Channel) -> None:
    stub = report_service_pb2_grpc.ReportServiceStub(channel)
    call = stub.WatchInspection(report_service_pb2.WatchInspectionRequest(), metadata=bearer(token()), timeout=5)
    assert (await call.read()).observed == 1
    assert (await failure(call.read()))[1] == "ORDER_NOT_FOUND"


def test_every_rpc_of_the_protos_has_a_row_in_the_table_or_is_open() -> None:
    assert set(all_calls()) == set(ACCESS) | OPEN_CALLS
    assert not set(ACCESS) & OPEN_CALLS
    assert {CALL + "AcceptInvitation"} == OPEN_CALLS
    assert all(rule.roles for rule in ACCESS.values())


def test_a_row_that_compares_the_session_is_for_a_request_that_names_one() -> None:
    for path, method in all_calls().items():
        if path in OPEN_CALLS:
            continue
        names_one = "session_id" in method.input_type.fields_by_name
        assert names_one or ACCESS[path].scope is not Scope.OWN, path
        # A token of one session must not get around the door by a call that names another.
        assert not names_one or ACCESS[path].scope in {Scope.OWN, Scope.WIDE}, path


@given(
    method=st.sampled_from([*ACCESS, "/shuanglu.session.v1.SessionService/Unheard"]),
    roles=st.frozensets(st.sampled_from(Role)),
    bound=st.sampled_from([None, "mine", "other"]),
)
def test_the_table_alone_decides(method: str, roles: frozenset[Role], bound: str | None) -> None:
    request = session_service_pb2.GetSessionRequest(session_id="mine")
    principal = Principal("bank", "tester", roles, bound)
    rule = ACCESS.get(method)
    if rule is None or not roles & rule.roles:
        with pytest.raises(RoleForbidden):
            authorise(method, principal, request)
    elif rule.scope is Scope.WIDE and bound:
        with pytest.raises(TokenTooNarrow):
            authorise(method, principal, request)
    elif rule.scope is Scope.OWN and bound == "other":
        with pytest.raises(SessionHidden):
            authorise(method, principal, request)
    else:
        authorise(method, principal, request)


def test_an_invitation_opens_no_import_whatever_its_role() -> None:
    seat = Principal("bank", "mine/agent", frozenset({Role.AGENT}), "mine", "", "agent", "invitation-1", 1)
    request = import_service_pb2.ImportRecordingRequest(session_id="mine")
    for path in (path for path in ACCESS if path.startswith(IMPORT)):
        with pytest.raises(RoleForbidden):
            authorise(path, seat, request)
    authorise(IMPORT + "ImportRecording", replace(seat, invitation_id=None), request)
    authorise(CALL + "EndCall", seat, request)


def test_a_row_that_compares_the_session_denies_a_request_that_names_none() -> None:
    principal = Principal("bank", "tester", frozenset(Role), "mine")
    with pytest.raises(SessionHidden):
        authorise(SESSION + "GetSession", principal, session_service_pb2.GetOrderRequest())


async def test_a_token_of_one_session_neither_makes_nor_lists(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    metadata = bearer(token(session_id="mine"))
    call = stub.ListSessions(session_service_pb2.ListSessionsRequest(), metadata=metadata, timeout=5)
    assert (await failure(call))[:2] == (grpc.StatusCode.PERMISSION_DENIED, "SESSION_TOKEN_TOO_NARROW")


async def test_a_customer_without_a_session_is_nobody(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    metadata = bearer(token(roles=["customer"]))
    call = stub.GetSession(session_service_pb2.GetSessionRequest(session_id="s"), metadata=metadata, timeout=5)
    assert (await failure(call))[:2] == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_FORBIDDEN")


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", bytes(range(256))])
async def test_bytes_that_are_no_message_are_the_callers_fault(channel: grpc.aio.Channel, data: bytes) -> None:
    call = channel.unary_unary(SESSION + "GetSession")(data, metadata=bearer(token()), timeout=5)
    assert (await failure(call))[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")


async def test_a_nul_in_a_text_is_the_callers_fault(channel: grpc.aio.Channel) -> None:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    requests = [session_service_pb2.CreateOrderRequest(), session_service_pb2.CreateOrderRequest()]
    requests[0].order.customer.name = "张\0三"
    requests[1].order.order_no = "\0"
    for request in requests:
        call = stub.CreateOrder(request, metadata=bearer(token()), timeout=5)
        assert (await failure(call))[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")


async def test_bytes_without_a_token_are_not_even_read(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary(SESSION + "GetSession")(b"\xff", timeout=5)
    assert (await failure(call))[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_a_stream_of_requests_is_not_taken(channel: grpc.aio.Channel, verifier: TokenVerifier) -> None:
    async def handler(_details: Any) -> Any:
        return grpc.stream_unary_rpc_method_handler(lambda requests, context: b"")

    details = type("Details", (), {"method": SESSION + "GetSession"})()
    assert await DoorInterceptor(verifier).intercept_service(handler, details) is None


@pytest.mark.parametrize(
    ("path", "roles", "status"),
    [
        ("/files/", ["agent"], 200),
        ("/files/", ["reviewer"], 403),
        ("/other", ["admin"], 403),
        ("//files", ["admin"], 403),
    ],
)
async def test_the_http_door_knows_roles_and_paths(
    path: str, roles: list[str], status: int, verifier: TokenVerifier
) -> None:
    app = PrincipalMiddleware(Starlette(routes=[Route("/{rest:path}", page)]), verifier)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as client:
        answer = await client.get(f"http://door{path}", headers={"Authorization": f"Bearer {token(roles=roles)}"})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "session_id", "status"),
    [
        ("/whip/mine", "mine", 200),
        ("/whip/mine/resource", "mine", 200),
        ("/whep/mine/agent", "mine", 200),
        ("/whip/other", "mine", 404),
        ("/whep/other/mine", "mine", 404),
        ("/whip", "mine", 404),
        ("/whip/", "mine", 404),
        ("/whip/mine", None, 403),
        ("/whipped/mine", "mine", 403),
        ("/files/mine", "mine", 403),
    ],
)
async def test_media_doors_open_the_tokens_own_session_alone(
    path: str, session_id: str | None, status: int, verifier: TokenVerifier
) -> None:
    app = PrincipalMiddleware(Starlette(routes=[Route("/{rest:path}", page)]), verifier)
    sent = participant_token() if session_id else token(roles=["customer"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as client:
        answer = await client.get(f"http://door{path}", headers={"Authorization": f"Bearer {sent}"})
    assert answer.status_code == status


async def page(_request: Request) -> JSONResponse:
    return JSONResponse({"tenant": current_principal().tenant})


async def test_the_http_door_asks_for_a_token_too(verifier: TokenVerifier) -> None:
    async def opened(_request: Request) -> JSONResponse:
        return JSONResponse({})

    inner = Starlette(routes=[Route("/files/", page), Route("/hls/x", opened)])
    port = free_port()
    server, task = await start_http(PrincipalMiddleware(inner, verifier, ("/hls/",)), "127.0.0.1", port)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        refused = await client.get("/files/")
        admitted = await client.get("/files/", headers={"Authorization": f"Bearer {token()}"})
        public = await client.get("/hls/x")
    server.should_exit = True
    await task
    assert refused.status_code == 401
    assert refused.json()["details"][0]["reason"] == "TOKEN_MISSING"
    assert admitted.json() == {"tenant": "bank"}
    assert public.status_code == 200


async def test_a_long_queue_is_told_and_leaves_the_service_ready() -> None:
    transport = httpx.ASGITransport(ops_app({}, {"idle": lambda: False, "flooded": lambda: True}))
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["strained"]) == (200, ["flooded"])


async def test_readiness_tells_which_check_fails() -> None:
    async def holds() -> bool:
        return True

    async def breaks() -> bool:
        raise OSError

    port = free_port()
    server, task = await start_http(ops_app({"good": holds, "bad": breaks}), "127.0.0.1", port)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        ready = await client.get("/readyz")
        healthy = await client.get("/healthz")
        metrics = await client.get("/metrics")
    server.should_exit = True
    await task
    assert ready.status_code == 503
    assert ready.json()["checks"] == {"good": True, "bad": False}
    assert ready.json()["strained"] == []
    assert healthy.status_code == 200
    assert "shuanglu_bus_handled_total" in metrics.text
