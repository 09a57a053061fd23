"""The whole access table, carried out: every role at every call of every service, for its own and for another tenant.

Each with tokens of no session, of the asked one and of another one. What the table says is what the doors do.
"""

import itertools
import ssl
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest
from shuanglu.quality.v1.strategy_service_pb2 import CreateStrategyVersionRequest, GetStrategyRequest
from shuanglu.session.v1.session_pb2 import Order
from shuanglu.session.v1.session_service_pb2 import CreateOrderRequest, CreateSessionRequest
from shuanglu_common.access import ACCESS, DOORS, PUBLISH, UPLOADS, WATCH, Role, Row, Scope
from shuanglu_common.auth import mint_internal, read_internal_key
from shuanglu_common.contracts import all_calls
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.development_keys import AUDIENCE
from shuanglu_stack.sampling import Client, client_of

ALPHA, BETA = "alpha-bank", "beta-bank"
SERVICE_PORTS = {"session": "signaling", "media": "media-ingest", "quality": "quality", "report": "report"}
NAMED_PORTS = {"SignalingDoctorService": "signaling", "MediaDoctorService": "media-ingest"} | {
    "QualityDoctorService": "quality",
    "ReportDoctorService": "report",
    "RecorderService": "media-ingest-live",
}
# Told by the door alone; a handler that was reached says something else.
DOOR_SAYS = {"ROLE_FORBIDDEN", "SESSION_TOKEN_TOO_NARROW"}
CALLS = all_calls()
STREAM_S = 5.0


@dataclass(frozen=True)
class World:
    """What stands in the two tenants. `asked` is the session that every request names, alpha's."""

    asked: str
    other: str
    foreign: str
    order_id: str
    import_id: str
    strategy_id: str
    marks: frozenset[bytes]

    @property
    def values(self) -> Mapping[str, str]:
        """What requests name, by the field's name."""
        return {
            "session_id": self.asked,
            "order_id": self.order_id,
            "import_id": self.import_id,
            "strategy_id": self.strategy_id,
            "batch_id": "batch-of-alpha",
            "yaml": "id: x",
            "participant_id": "customer",
            "invitation_id": "invitation-of-alpha",
            "node_id": "node-of-alpha",
            "upload_id": "upload-of-alpha",
        }


def order_for(name: str) -> Order:
    order = Order(order_no=f"ORDER-OF-{name}", product="personal_loan", purpose="consumption", term_months=12)
    order.amount.amount_fen, order.amount.currency = 100_000, "CNY"
    order.customer.customer_no, order.customer.name = f"NO-{name}", f"顾客{name}"
    order.customer.id_number = "110101199003070000"
    return order


def session_of(client: Client, name: str) -> tuple[str, str]:
    """An order and its session."""
    call = client.gateway.call
    order = call(client.gateway.sessions.CreateOrder, CreateOrderRequest(order=order_for(name))).order
    request = CreateSessionRequest(order_id=order.order_id, channel=1)
    return order.order_id, call(client.gateway.sessions.CreateSession, request).session.session_id


def import_into(client: Client, session_id: str, folder: Path) -> str:
    """A second of noise, taken in; the import's id."""
    file = folder / "sound.wav"
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        sound.writeframes(b"\x01\x00\xff\xff" * 16000)
    request = ImportRecordingRequest(session_id=session_id)
    both = [{"participant_id": "customer", "role": 1}, {"participant_id": "agent", "role": 2}]
    ParseDict({"files": [{"upload_id": client.door.upload(file), "participants": both}]}, request)
    answer = client.gateway.call(client.gateway.imports.ImportRecording, request)
    return str(getattr(answer, "import").import_id)


@pytest.fixture(scope="module")
def world(doors: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> World:
    with client_of(doors, doors.token(ALPHA)) as alpha:
        order_id, asked = session_of(alpha, "ALPHA")
        # Of another order: a token of one session sees its order too.
        _, other = session_of(alpha, "OTHER")
        import_id = import_into(alpha, asked, tmp_path_factory.mktemp("permissions"))
        strategies = alpha.gateway.strategies
        text = alpha.gateway.call(strategies.GetStrategy, GetStrategyRequest(strategy_id="personal-loan")).strategy.yaml
        own = text.replace("id: personal-loan", "id: only-of-alpha", 1).replace("personal_loan", "alpha_loan")
        alpha.gateway.call(strategies.CreateStrategyVersion, CreateStrategyVersionRequest(yaml=own))
    with client_of(doors, doors.token(BETA)) as beta:
        _, foreign = session_of(beta, "BETA")
    marks = {asked, other, order_id, import_id, "only-of-alpha", "ORDER-OF-ALPHA", "顾客ALPHA", "NO-ALPHA"}
    return World(
        asked, other, foreign, order_id, import_id, "only-of-alpha", frozenset(mark.encode() for mark in marks)
    )


def request_for(method: MethodDescriptor, values: Mapping[str, str]) -> Any:
    """A request that names alpha's things wherever it can name something."""
    request = GetMessageClass(method.input_type)()
    for name, value in values.items():
        if name in method.input_type.fields_by_name:
            setattr(request, name, value)
    return request


@dataclass(frozen=True)
class Answer:
    """What came of a call."""

    code: grpc.StatusCode
    reason: str
    data: bytes


def ask(channel: grpc.Channel, path: str, request: Any, token: str) -> Answer:
    """One call. A stream is left after its first message; silence for a while is a stream that was let in."""
    data, metadata = request.SerializeToString(), (("authorization", f"Bearer {token}"),)
    try:
        if CALLS[path].server_streaming:
            stream = channel.unary_stream(path)(data, metadata=metadata, timeout=STREAM_S)
            first = next(iter(stream), b"")
            stream.cancel()
            return Answer(grpc.StatusCode.OK, "", first)
        return Answer(grpc.StatusCode.OK, "", channel.unary_unary(path)(data, metadata=metadata, timeout=20))
    except grpc.RpcError as error:
        call: Any = error
        if call.code() is grpc.StatusCode.DEADLINE_EXCEEDED and CALLS[path].server_streaming:
            return Answer(grpc.StatusCode.OK, "", b"")
        details = dict(call.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        info = ErrorInfo()
        for detail in Status.FromString(details).details[:1]:
            detail.Unpack(info)
        return Answer(call.code(), info.reason, (call.details() or "").encode() + details)


@pytest.fixture(scope="module")
def channel(doors: EmbeddedStack) -> Iterator[grpc.Channel]:
    credentials = grpc.ssl_channel_credentials(doors.ca.read_bytes())
    with grpc.secure_channel(doors.gateway_url.removeprefix("https://"), credentials) as secure:
        yield secure


def is_public(path: str) -> bool:
    return bool(CALLS[path].GetOptions().HasExtension(annotations_pb2.http))


def denied(rule: Row, role: Role, bound: str, asked: str) -> tuple[grpc.StatusCode, str] | None:
    """What the table says against a call of the own tenant; None if it lets it pass."""
    nobody = role is Role.SERVICE or (role is Role.CUSTOMER and not bound)
    if nobody or role not in rule.roles:
        return grpc.StatusCode.PERMISSION_DENIED, "ROLE_FORBIDDEN"
    if rule.scope is Scope.WIDE and bound:
        return grpc.StatusCode.PERMISSION_DENIED, "SESSION_TOKEN_TOO_NARROW"
    if rule.scope is Scope.OWN and bound not in {"", asked}:
        return grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND"
    return None


PUBLIC = sorted(path for path in ACCESS if is_public(path))


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.rpartition(".")[2])
def test_every_role_gets_what_the_table_says(
    path: str, doors: EmbeddedStack, channel: grpc.Channel, world: World
) -> None:
    rule, request = ACCESS[path], request_for(CALLS[path], world.values)
    for role, bound in itertools.product(Role, ("", world.asked, world.other)):
        case = (path, role, bound)
        answer = ask(channel, path, request, doors.token(ALPHA, [role], bound, subject="alpha"))
        expected = denied(rule, role, bound, world.asked)
        if expected is not None:
            assert (answer.code, answer.reason) == expected, case
        elif rule.scope is Scope.LOOKUP and bound == world.other:
            assert answer.code is grpc.StatusCode.NOT_FOUND, case
        else:
            assert answer.reason not in DOOR_SAYS, case
            hidden = answer.reason.endswith("SESSION_NOT_FOUND")
            assert not hidden, case
        assert answer.code not in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}, (case, answer)


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.rpartition(".")[2])
def test_another_tenant_sees_nothing(path: str, doors: EmbeddedStack, channel: grpc.Channel, world: World) -> None:
    rule, named = ACCESS[path], request_for(CALLS[path], world.values)
    empty = GetMessageClass(CALLS[path].input_type)()
    for role, bound in itertools.product(Role, ("", world.asked, world.foreign)):
        token = doors.token(BETA, [role], bound, subject="beta")
        for request in (named, empty):
            case = (path, role, bound, request)
            answer = ask(channel, path, request, token)
            asked = world.asked if request is named else ""
            expected = denied(rule, role, bound, asked)
            if expected is not None:
                assert (answer.code, answer.reason) == expected, case
            elif rule.scope in {Scope.OWN, Scope.LOOKUP}:
                assert answer.code is not grpc.StatusCode.OK, case
            sent = request.SerializeToString() + bound.encode()
            shown = {mark for mark in world.marks if mark in answer.data and mark not in sent}
            assert not shown, (case, shown)


@pytest.mark.parametrize("path", sorted(set(ACCESS) - set(PUBLIC)), ids=lambda path: path.rpartition(".")[2])
def test_a_call_between_services_has_no_public_door(
    path: str, doors: EmbeddedStack, channel: grpc.Channel, world: World
) -> None:
    internal = read_internal_key(doors.keys.internal_key)
    assert internal is not None
    tokens = [doors.token(ALPHA, [role]) for role in Role]
    for token in tokens:
        assert ask(channel, path, request_for(CALLS[path], world.values), token).code is grpc.StatusCode.UNIMPLEMENTED
    own = mint_internal(internal, "signaling", ALPHA, AUDIENCE)
    assert ask(channel, path, request_for(CALLS[path], world.values), own).code is grpc.StatusCode.UNAUTHENTICATED


def port_of(path: str) -> str:
    """The service that answers for a call."""
    _, area, _, service = path.rpartition("/")[0].lstrip("/").split(".")
    return NAMED_PORTS.get(service) or SERVICE_PORTS[area]


@pytest.mark.parametrize("path", sorted(ACCESS), ids=lambda path: path.rpartition(".")[2])
def test_a_service_asks_for_itself_whatever_the_gateway_says(path: str, doors: EmbeddedStack, world: World) -> None:
    """Straight to the service: without the gateway's check of tokens, and with a token of a service."""
    request = request_for(CALLS[path], world.values)
    internal = read_internal_key(doors.keys.internal_key)
    assert internal is not None
    with grpc.insecure_channel(f"127.0.0.1:{doors.ports[f'{port_of(path)}-grpc']}") as straight:
        for token in ("", "junk", doors.token(ALPHA, ttl_s=-3600), doors.token(ALPHA)[:-4]):
            assert ask(straight, path, request, token).code is grpc.StatusCode.UNAUTHENTICATED
        for role in Role:
            answer = ask(straight, path, request, doors.token(ALPHA, [role], subject="alpha"))
            if expected := denied(ACCESS[path], role, "", world.asked):
                assert (answer.code, answer.reason) == expected, (path, role)
        answer = ask(straight, path, request, mint_internal(internal, "test", ALPHA, AUDIENCE))
        assert (answer.reason == "ROLE_FORBIDDEN") == (Role.SERVICE not in ACCESS[path].roles)
        foreign = ask(straight, path, request, mint_internal(internal, "test", BETA, AUDIENCE))
        sent = request.SerializeToString()
        assert not {mark for mark in world.marks if mark in foreign.data and mark not in sent}


def test_the_rows_of_the_http_doors_hold(doors: EmbeddedStack) -> None:
    assert set(DOORS) == {UPLOADS, PUBLISH, WATCH}
    trust = ssl.create_default_context(cafile=str(doors.ca))
    with httpx.Client(base_url=doors.gateway_url, verify=trust) as web:

        def knock(method: str, path: str, token: str) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0", "Upload-Length": "3"}
            return web.request(method, path, headers=headers)

        for role in Role:
            answer = knock("POST", "/files/", doors.token(ALPHA, [role], subject="alpha"))
            assert (answer.status_code == 201) == (role in DOORS[UPLOADS].roles), role
            if answer.status_code != 201:
                assert answer.json()["details"][0]["reason"] == "ROLE_FORBIDDEN"
        path = knock("POST", "/files/", doors.token(ALPHA, ["agent"], subject="owner")).headers["location"]
        for tenant, subject, role, status in (
            (ALPHA, "owner", "agent", 200),
            (ALPHA, "somebody", "agent", 404),
            (ALPHA, "somebody", "admin", 200),
            (BETA, "owner", "agent", 404),
            (BETA, "owner", "admin", 404),
            (ALPHA, "owner", "reviewer", 403),
        ):
            token = doors.token(tenant, [role], subject=subject)
            assert knock("HEAD", path, token).status_code == status, (tenant, subject, role)
            if status != 200:
                assert knock("DELETE", path, token).status_code == status
        assert knock("DELETE", path, doors.token(ALPHA, ["agent"], subject="owner")).status_code == 204


@pytest.mark.parametrize("door", [PUBLISH, WATCH])
def test_the_rows_of_the_media_doors_hold(doors: EmbeddedStack, world: World, door: str) -> None:
    trust = ssl.create_default_context(cafile=str(doors.ca))
    path = f"{door}/{world.asked}" + ("/agent" if door == WATCH else "")
    with httpx.Client(base_url=doors.gateway_url, verify=trust) as web:
        for role, bound, tenant in itertools.product(Role, ("", world.asked, world.other), (ALPHA, BETA)):
            token = doors.token(tenant, [role], bound, subject="alpha")
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
            answer = web.post(path, headers=headers, content=b"v=0\r\n")
            case = (role, bound, tenant, answer.text)
            reason = answer.json()["details"][0]["reason"]
            expected = denied(DOORS[door], role, bound, world.asked)
            if expected is not None:
                assert reason == expected[1], case
            else:
                assert reason not in DOOR_SAYS, case
            assert answer.status_code in range(400, 500), case
