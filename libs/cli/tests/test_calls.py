"""A call's session, its links, and the comparison with the store, against small services on a free port."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner

from shuanglu.common.v1.types_pb2 import Channel, Interval, Participant, ParticipantRole
from shuanglu.media.v1.recording_service_pb2 import (
    DIFFERENCE_KIND_SECONDS_MISSING,
    DIFFERENCE_KIND_SEGMENT_MISSING,
    Difference,
    DifferenceKind,
    ReconcileRequest,
    ReconcileResponse,
)
from shuanglu.media.v1.recording_service_pb2_grpc import (
    RecordingServiceServicer,
    add_RecordingServiceServicer_to_server,
)
from shuanglu.session.v1.call_pb2 import Invitation
from shuanglu.session.v1.call_service_pb2 import CreateInvitationRequest, CreateInvitationResponse
from shuanglu.session.v1.call_service_pb2_grpc import CallServiceServicer, add_CallServiceServicer_to_server
from shuanglu.session.v1.session_pb2 import Order, Session
from shuanglu.session.v1.session_service_pb2 import (
    CreateOrderRequest,
    CreateOrderResponse,
    CreateSessionRequest,
    CreateSessionResponse,
    GetSessionRequest,
    GetSessionResponse,
)
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceServicer, add_SessionServiceServicer_to_server
from shuanglu_cli.__main__ import app
from shuanglu_cli.commands.reconcile import MEANINGS, PREFIX, read_since
from shuanglu_cli.commands.session import request_for
from shuanglu_cli.errors import ExitCode, Usage

ROLES = ParticipantRole
PEOPLE = [
    Participant(participant_id="customer", role=ROLES.PARTICIPANT_ROLE_CUSTOMER),
    Participant(participant_id="li", role=ROLES.PARTICIPANT_ROLE_AGENT),
]
LOST = Difference(
    session_id="s-1",
    track_id="customer-video",
    kind=DIFFERENCE_KIND_SEGMENT_MISSING,
    interval=Interval(start_ms=4000, end_ms=6000),
    key="bank/s-1/tracks/customer-video/000003.m4s",
)
SECONDS = Difference(
    session_id="s-1",
    track_id="agent-audio",
    kind=DIFFERENCE_KIND_SECONDS_MISSING,
    interval=Interval(start_ms=61_000, end_ms=62_500),
)


@dataclass
class Services(SessionServiceServicer, CallServiceServicer, RecordingServiceServicer):
    """What was asked, and what is to be answered."""

    sessions: list[CreateSessionRequest] = field(default_factory=list)
    invitations: list[CreateInvitationRequest] = field(default_factory=list)
    compared: list[ReconcileRequest] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def CreateOrder(self, request: CreateOrderRequest, context: grpc.ServicerContext) -> CreateOrderResponse:  # noqa: N802
        return CreateOrderResponse(order=Order(order_id="o-1", order_no=request.order.order_no))

    def CreateSession(self, request: CreateSessionRequest, context: grpc.ServicerContext) -> CreateSessionResponse:  # noqa: N802
        self.sessions.append(request)
        return CreateSessionResponse(session=Session(session_id="s-1", order_id="o-1", channel=request.channel))

    def GetSession(self, request: GetSessionRequest, context: grpc.ServicerContext) -> GetSessionResponse:  # noqa: N802
        return GetSessionResponse(session=Session(session_id=request.session_id, participants=PEOPLE))

    def CreateInvitation(  # noqa: N802
        self, request: CreateInvitationRequest, context: grpc.ServicerContext
    ) -> CreateInvitationResponse:
        self.invitations.append(request)
        return CreateInvitationResponse(invitation=Invitation(invitation_id="i-1", code="abc", link="/call#abc"))

    def Reconcile(self, request: ReconcileRequest, context: grpc.ServicerContext) -> Iterator[ReconcileResponse]:  # noqa: N802
        self.compared.append(request)
        for number, difference in enumerate(self.differences, start=1):
            yield ReconcileResponse(differences=[difference], sessions=number, tracks=2, seconds=60)
        yield ReconcileResponse(sessions=3, tracks=4, seconds=120, done=True)


@pytest.fixture
def services() -> Services:
    return Services()  # type: ignore[abstract]


@pytest.fixture
def address(services: Services) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    add_SessionServiceServicer_to_server(services, server)
    add_CallServiceServicer_to_server(services, server)
    add_RecordingServiceServicer_to_server(services, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None)


def run(address: str, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--gateway", address, "--token", "t", *words])
    return result.exit_code, result.stdout


def test_a_session_for_a_call_is_opened_for_an_order(services: Services, address: str, tmp_path: Path):
    order = tmp_path / "order.json"
    order.write_text(json.dumps({"order_no": "A-1", "product": "personal_loan"}))
    code, told = run(address, "session", "create", "--order", str(order), "--json")
    assert (code, json.loads(told)["session_id"]) == (0, "s-1")
    assert services.sessions[0].channel == Channel.CHANNEL_REMOTE
    assert not services.sessions[0].participants


def test_an_invitation_is_a_link_below_the_gateways_address(services: Services, address: str):
    assert run(address, "invite", "s-1", "--as", "customer") == (0, f"{address}/call#abc\n")
    assert services.invitations[0].participant_id == "customer"
    code, told = run(address, "invite", "s-1", "--as", "witness", "--ttl", "300", "--json")
    assert (code, json.loads(told)["url"]) == (0, f"{address}/call#abc")
    assert services.invitations[1].role == ROLES.PARTICIPANT_ROLE_WITNESS
    assert services.invitations[1].ttl_s == 300


def test_who_is_invited_is_named_by_id_or_by_role():
    session = Session(session_id="s-1", participants=PEOPLE)
    assert request_for(session, "li", 0).participant_id == "li"
    assert request_for(session, "agent", 0).participant_id == "li"
    assert request_for(session, "co_signer", 0).role == ROLES.PARTICIPANT_ROLE_CO_SIGNER
    with pytest.raises(Usage):
        request_for(session, "boss", 0)


def test_no_difference_is_exit_code_0(services: Services, address: str):
    code, told = run(address, "reconcile", "--session", "s-1", "--since", "7d")
    assert code == ExitCode.OK
    assert "0 differences: 3 sessions, 4 tracks, 120 s compared" in told
    assert services.compared[0].session_id == "s-1"
    assert services.compared[0].created_from_us > 0


def test_differences_are_listed_with_their_place_and_exit_code_1(services: Services, address: str):
    services.differences = [LOST, SECONDS]
    code, told = run(address, "reconcile")
    assert code == ExitCode.ERROR
    lines = told.splitlines()
    assert lines[1].split() == ["s-1", "agent-audio", "SECONDS_MISSING", "01:01.0", "01:02.5"]
    assert lines[2].split() == ["s-1", "customer-video", "SEGMENT_MISSING", "00:04.0", "00:06.0", LOST.key]
    assert "2 differences" in lines[-1]
    code, told = run(address, "reconcile", "--json")
    document = json.loads(told)
    assert (code, document["equal"]) == (1, False)
    assert document["counts"] == {"SECONDS_MISSING": 1, "SEGMENT_MISSING": 1}
    assert document["differences"][1]["key"] == LOST.key


@pytest.mark.parametrize(
    ("text", "from_us"),
    [
        ("", 0),
        ("90m", (1_000_000 - 5400) * 10**6),
        ("2d", (1_000_000 - 172_800) * 10**6),
        ("1970-01-02", 86_400 * 10**6),
        ("1970-01-02T01:00:00+01:00", 86_400 * 10**6),
    ],
)
def test_since_is_a_while_ago_or_a_date(text: str, from_us: int):
    assert read_since(text, 1_000_000.0) == from_us


def test_since_is_refused_if_it_is_neither():
    with pytest.raises(Usage):
        read_since("yesterday", 0.0)


def test_every_kind_of_difference_is_explained():
    assert {name.removeprefix(PREFIX) for name in DifferenceKind.keys()[1:]} == set(MEANINGS)
