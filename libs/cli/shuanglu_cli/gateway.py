"""Calls to the public services through the gateway, with every gRPC error turned into one that a person can read."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from shuanglu.media.v1.import_service_pb2_grpc import ImportServiceStub
from shuanglu.media.v1.recording_service_pb2_grpc import RecordingServiceStub
from shuanglu.ops.v1.doctor_service_pb2_grpc import (
    MediaDoctorServiceStub,
    QualityDoctorServiceStub,
    ReportDoctorServiceStub,
    SignalingDoctorServiceStub,
)
from shuanglu.quality.v1.strategy_service_pb2_grpc import StrategyServiceStub
from shuanglu.report.v1.report_service_pb2_grpc import ReportServiceStub
from shuanglu.session.v1.call_service_pb2_grpc import CallServiceStub
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceStub
from shuanglu_cli.errors import Busy, CliError, NoEntry, Refused, Unreachable, Usage
from shuanglu_cli.target import Target

CALL_TIMEOUT_S = 30.0
# A report with its transcript, or its PDF with stills.
MAX_ANSWER_BYTES = 64 << 20
DEFAULT_PORTS = {"https": 443, "http": 80}

NO_ENTRY = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


class Doctors:
    """How each service with state examines itself."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.signaling = SignalingDoctorServiceStub(channel)
        self.media = MediaDoctorServiceStub(channel)
        self.quality = QualityDoctorServiceStub(channel)
        self.report = ReportDoctorServiceStub(channel)


class Gateway:
    """The public door. A context manager; every method of the stubs is called inside `readable_errors()`."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.address = target.need_gateway()
        parts = urlsplit(self.address)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise Usage(
                f"{self.address} is not a gateway", "", "give an address such as https://host:8443", "BAD_GATEWAY"
            )
        authority = f"{parts.hostname}:{parts.port or DEFAULT_PORTS[parts.scheme]}"
        options = [("grpc.max_receive_message_length", MAX_ANSWER_BYTES)]
        if parts.scheme == "https":
            root = target.ca.read_bytes() if target.ca is not None else None
            credentials = grpc.ssl_channel_credentials(root_certificates=root)
            self._channel = grpc.secure_channel(authority, credentials, options)
        else:
            self._channel = grpc.insecure_channel(authority, options)
        self.metadata = (("authorization", f"Bearer {target.token}"),) if target.token else ()
        self.sessions = SessionServiceStub(self._channel)
        self.calls = CallServiceStub(self._channel)
        self.imports = ImportServiceStub(self._channel)
        self.recordings = RecordingServiceStub(self._channel)
        self.strategies = StrategyServiceStub(self._channel)
        self.reports = ReportServiceStub(self._channel)
        self.doctors = Doctors(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def call(self, method: Any, request: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Make one unary call. Raises CliError."""
        with readable_errors():
            return method(request, timeout=timeout_s, metadata=self.metadata)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn gRPC errors into CliErrors."""
    try:
        yield
    except grpc.RpcError as error:
        raise readable(error) from error


def readable(error: grpc.RpcError) -> CliError:
    """The error as a person should read it: what the service said, and its advice."""
    call: Any = error
    code, message = call.code(), str(call.details() or "")
    reason, help_text = reason_and_help(call)
    if help_text and message.endswith(help_text):
        message = message.removesuffix(help_text).strip()
    if code in AWAY:
        return Unreachable(
            "the service does not answer",
            message,
            help_text or "look whether it runs, then try again",
            reason or code.name,
        )
    if code in NO_ENTRY:
        help_text = help_text or "get a token with the right roles and tenant (`shuanglu token` in development)"
        return NoEntry("the token does not open this", message, help_text, reason or code.name)
    if code is grpc.StatusCode.INTERNAL or code is grpc.StatusCode.UNKNOWN:
        return CliError("the service failed", message, help_text or "look into its log", reason or code.name)
    kind = Busy if code is grpc.StatusCode.RESOURCE_EXHAUSTED else Refused
    return kind(message or "the service refused", reason or code.name, help_text, reason or code.name)


def reason_and_help(call: Any) -> tuple[str, str]:
    """From google.rpc.ErrorInfo; empty if the error has none (it came from the gateway itself)."""
    try:
        status = rpc_status.from_call(call)
    except ValueError:
        return "", ""
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR) and detail.Unpack(info):
            return info.reason, info.metadata.get("help", "")
    return "", ""
