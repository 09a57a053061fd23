"""Importing against small services on a free port: what is sent, what is given up, how a broken stream goes on."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from shuanglu.common.v1.types_pb2 import Channel, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import (
    Import,
    ImportRecordingRequest,
    ImportRecordingResponse,
    ImportState,
)
from shuanglu.media.v1.import_service_pb2_grpc import ImportServiceServicer, add_ImportServiceServicer_to_server
from shuanglu.report.v1.report_service_pb2 import InspectionPhase, WatchInspectionRequest, WatchInspectionResponse
from shuanglu.report.v1.report_service_pb2_grpc import ReportServiceServicer, add_ReportServiceServicer_to_server
from shuanglu.session.v1.session_pb2 import Order, Session
from shuanglu.session.v1.session_service_pb2 import (
    CreateOrderRequest,
    CreateOrderResponse,
    CreateSessionRequest,
    CreateSessionResponse,
)
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceServicer, add_SessionServiceServicer_to_server
from shuanglu_cli import recording as importing
from shuanglu_cli.errors import Refused, TookTooLong
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.recording import Recording, watch
from shuanglu_cli.sending import import_recording
from shuanglu_cli.target import Target

CUSTOMER = ParticipantRole.PARTICIPANT_ROLE_CUSTOMER
AGENT = ParticipantRole.PARTICIPANT_ROLE_AGENT
INSPECTING = WatchInspectionResponse(phase=InspectionPhase.INSPECTION_PHASE_INSPECTING, observed=1)
REPORTED = WatchInspectionResponse(phase=InspectionPhase.INSPECTION_PHASE_REPORTED)


@dataclass
class Services(SessionServiceServicer, ImportServiceServicer, ReportServiceServicer):
    """What the three services were asked, and what they are to answer."""

    sessions: list[CreateSessionRequest] = field(default_factory=list)
    imports: list[ImportRecordingRequest] = field(default_factory=list)
    refuse: str = ""
    streams: list[list[WatchInspectionResponse]] = field(default_factory=list)

    def CreateOrder(self, request: CreateOrderRequest, context: grpc.ServicerContext) -> CreateOrderResponse:  # noqa: N802
        return CreateOrderResponse(order=Order(order_id="o-1", order_no=request.order.order_no))

    def CreateSession(self, request: CreateSessionRequest, context: grpc.ServicerContext) -> CreateSessionResponse:  # noqa: N802
        self.sessions.append(request)
        return CreateSessionResponse(session=Session(session_id="s-1", order_id=request.order_id))

    def ImportRecording(  # noqa: N802
        self, request: ImportRecordingRequest, context: grpc.ServicerContext
    ) -> ImportRecordingResponse:
        self.imports.append(request)
        if self.refuse:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, self.refuse)
        accepted = Import(session_id=request.session_id, import_id="i-1", state=ImportState.IMPORT_STATE_ACCEPTED)
        return ImportRecordingResponse(**{"import": accepted})

    def WatchInspection(  # noqa: N802
        self, request: WatchInspectionRequest, context: grpc.ServicerContext
    ) -> Iterator[WatchInspectionResponse]:
        yield from self.streams.pop(0)
        if self.streams:
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")


@dataclass
class FakeDoor:
    """Takes files by name."""

    terminated: list[str] = field(default_factory=list)

    def create(self, file: Path, sha256: str) -> str:
        assert len(sha256) == 64
        return f"https://gateway/files/upload-of-{file.name}"

    def offset(self, url: str) -> int | None:
        return None

    def send(self, file: Path, url: str, progress: Callable[[int], None], offset: int) -> None:
        progress(file.stat().st_size)

    def terminate(self, upload_id: str) -> None:
        self.terminated.append(upload_id)


@pytest.fixture
def services() -> Services:
    return Services()  # type: ignore[abstract]


@pytest.fixture
def gateway(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setattr(importing, "RECONNECT_AFTER_S", 0.0)
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    add_SessionServiceServicer_to_server(services, server)
    add_ImportServiceServicer_to_server(services, server)
    add_ReportServiceServicer_to_server(services, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Gateway(Target(gateway=f"http://127.0.0.1:{port}")) as connected:
        yield connected
    server.stop(None).wait()


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    for name in ("customer.mp4", "agent.mp4", "id.jpg"):
        (tmp_path / name).write_bytes(b"12345")
    return Recording(
        files=((tmp_path / "customer.mp4", (CUSTOMER,)), (tmp_path / "agent.mp4", (AGENT,))),
        order=Order(order_no="A-1"),
        channel=Channel.CHANNEL_REMOTE,
        id_photo=tmp_path / "id.jpg",
    )


def test_each_file_is_bound_to_the_people_in_it(gateway: Gateway, services: Services, recording: Recording) -> None:
    heard: list[tuple[str, int, int]] = []
    session = import_recording(gateway, FakeDoor(), recording, lambda *step: heard.append(step))
    (request,) = services.imports
    assert (session.session_id, request.session_id) == ("s-1", "s-1")
    bound = [(file.upload_id, [one.role for one in file.participants]) for file in request.files]
    assert bound == [("upload-of-customer.mp4", [CUSTOMER]), ("upload-of-agent.mp4", [AGENT])]
    assert request.id_photo_upload_id == "upload-of-id.jpg"
    assert heard == [("customer.mp4", 5, 5), ("agent.mp4", 5, 5), ("id.jpg", 5, 5)]


def test_the_session_has_everybody_once(gateway: Gateway, services: Services, recording: Recording) -> None:
    import_recording(gateway, FakeDoor(), recording)
    (request,) = services.sessions
    assert [one.participant_id for one in request.participants] == ["customer", "agent"]
    assert (request.order_id, request.channel) == ("o-1", Channel.CHANNEL_REMOTE)


def test_two_files_with_the_same_bytes_are_two_uploads(
    gateway: Gateway, services: Services, recording: Recording
) -> None:
    assert recording.files[0][0].read_bytes() == recording.files[1][0].read_bytes()
    import_recording(gateway, FakeDoor(), recording)
    (request,) = services.imports
    assert len({file.upload_id for file in request.files}) == 2


def test_the_same_recording_asks_for_the_same_session_again(
    gateway: Gateway, services: Services, recording: Recording
) -> None:
    import_recording(gateway, FakeDoor(), recording)
    import_recording(gateway, FakeDoor(), recording)
    recording.files[0][0].write_bytes(b"other bytes")
    import_recording(gateway, FakeDoor(), recording)
    first, second, third = (request.idempotency_key for request in services.sessions)
    assert first == second != third


def test_refused_files_are_given_up_at_once(gateway: Gateway, services: Services, recording: Recording) -> None:
    services.refuse = "not a recording"
    door = FakeDoor()
    with pytest.raises(Refused, match="not a recording"):
        import_recording(gateway, door, recording)
    assert door.terminated == ["upload-of-customer.mp4", "upload-of-agent.mp4", "upload-of-id.jpg"]


def test_a_broken_stream_is_taken_up_again(gateway: Gateway, services: Services) -> None:
    services.streams = [[INSPECTING], [INSPECTING, REPORTED]]
    phases = [step.phase for step in watch(gateway, "s-1", 30)]
    assert phases == [INSPECTING.phase, INSPECTING.phase, REPORTED.phase]


def test_a_stream_that_breaks_for_too_long_is_an_error(gateway: Gateway, services: Services) -> None:
    services.streams = [[INSPECTING] for _ in range(1000)]
    with pytest.raises(TookTooLong) as given_up:
        list(watch(gateway, "s-1", 0.3))
    assert "shuanglu status s-1" in given_up.value.help
