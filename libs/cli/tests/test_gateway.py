"""gRPC errors as people read them, from a real server on a free port."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from shuanglu.session.v1.session_service_pb2 import GetSessionRequest, GetSessionResponse
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceServicer, add_SessionServiceServicer_to_server
from shuanglu_cli.errors import CliError, ExitCode, NoEntry, Refused, Unreachable, Usage
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.target import Target


class Sessions(SessionServiceServicer):
    """Answers GetSession with the status that the session's id names."""

    def GetSession(  # noqa: N802 - the contract's name
        self, request: GetSessionRequest, context: grpc.ServicerContext
    ) -> GetSessionResponse:
        if request.session_id == "plain":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        code = grpc.StatusCode[request.session_id]
        detail = Any()
        detail.Pack(ErrorInfo(reason="STABLE_REASON", domain="shuanglu", metadata={"help": "Do this."}))
        status = Status(code=code.value[0], message="It went wrong. Do this.", details=[detail])
        context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort returns never")


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    add_SessionServiceServicer_to_server(Sessions(), server)  # type: ignore[abstract]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Gateway(Target(gateway=f"http://127.0.0.1:{port}", token="t")) as connected:
        yield connected
    server.stop(None).wait()


def error_of(gateway: Gateway, session_id: str) -> CliError:
    with pytest.raises(CliError) as raised:
        gateway.call(gateway.sessions.GetSession, GetSessionRequest(session_id=session_id))
    return raised.value


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [
        ("NOT_FOUND", Refused, ExitCode.REFUSED),
        ("FAILED_PRECONDITION", Refused, ExitCode.REFUSED),
        ("INVALID_ARGUMENT", Refused, ExitCode.REFUSED),
        ("UNAUTHENTICATED", NoEntry, ExitCode.NO_ENTRY),
        ("PERMISSION_DENIED", NoEntry, ExitCode.NO_ENTRY),
        ("UNAVAILABLE", Unreachable, ExitCode.ERROR),
        ("INTERNAL", CliError, ExitCode.ERROR),
    ],
)
def test_each_status_is_an_error_with_its_own_exit_code(
    status: str, kind: type[CliError], exit_code: ExitCode, gateway: Gateway
) -> None:
    error = error_of(gateway, status)
    assert type(error) is kind
    assert (error.reason, error.help, error.exit_code) == ("STABLE_REASON", "Do this.", exit_code)


def test_the_advice_is_said_once(gateway: Gateway) -> None:
    assert error_of(gateway, "NOT_FOUND").what == "It went wrong."


def test_an_error_without_details_keeps_its_status_as_reason(gateway: Gateway) -> None:
    error = error_of(gateway, "plain")
    assert (error.what, error.reason) == ("no such thing", "NOT_FOUND")


def test_a_gateway_that_is_away_is_unreachable() -> None:
    with Gateway(Target(gateway="http://127.0.0.1:1")) as gateway, pytest.raises(Unreachable, match="does not answer"):
        gateway.call(gateway.sessions.GetSession, GetSessionRequest(), timeout_s=5)


@pytest.mark.parametrize("address", ["localhost:8443", "ftp://host", "https://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Usage, match="not a gateway"):
        Gateway(Target(gateway=address))
