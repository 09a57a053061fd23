"""HTTP servers of a service: its own pages behind a token, and /healthz, /readyz, /metrics on the operations port."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import structlog
import uvicorn
from opentelemetry.trace import SpanKind
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shuanglu_common.auth import CURRENT, TokenVerifier, authorise_http, bearer
from shuanglu_common.errors import DOMAIN, ShuangluError
from shuanglu_common.telemetry import extract, spanning

Check = Callable[[], Awaitable[bool]]
# Whether more work waits than is usual.
Burden = Callable[[], bool]
CHECK_TIMEOUT_S = 2.0
HTTP_STATUS = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 13: 500, 14: 503, 15: 500, 16: 401}

log = structlog.get_logger()


def error_response(error: ShuangluError) -> JSONResponse:
    """The same shape as the gateway gives for gRPC errors: code, message, details with ErrorInfo."""
    code = error.status.value[0]
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": error.reason,
        "domain": DOMAIN,
        "metadata": error.metadata,
    }
    body = {"code": code, "message": error.diagnostics(), "details": [info]}
    return JSONResponse(body, HTTP_STATUS.get(code, 500))


class PrincipalMiddleware:
    """Puts the caller's principal in place, or answers 401 or 403. Paths in `public` carry their own authority."""

    def __init__(self, app: ASGIApp, verifier: TokenVerifier, public: tuple[str, ...] = ()) -> None:
        """`public`: path prefixes without a token."""
        self.app = app
        self.verifier = verifier
        self.public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            if not self.is_public(scope):
                principal = self.verifier.verify(bearer(headers.get("authorization")))
                authorise_http(str(scope["path"]), principal)
                CURRENT.set(principal)
        except ShuangluError as error:
            await error_response(error)(scope, receive, send)
            return
        attributes = {"http.request.method": str(scope["method"])}
        with spanning(f"http {scope['method']}", extract(headers), SpanKind.SERVER, attributes):
            await self.app(scope, receive, send)

    def is_public(self, scope: Scope) -> bool:
        """A capability request (OPTIONS) or a public path."""
        return scope["method"] == "OPTIONS" or str(scope["path"]).startswith(self.public or ("\0",))


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the app decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def start_http(app: ASGIApp, host: str, port: int) -> tuple[Server, asyncio.Task[None]]:
    """A running server and its task. Raises RuntimeError if it does not start."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="httptools",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    server = Server(config)

    async def serve() -> None:
        try:
            await server.serve()
        except SystemExit as error:  # uvicorn's way to say that the port is taken
            raise RuntimeError(f"cannot listen on {host}:{port}") from error

    task = asyncio.create_task(serve())
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError(f"cannot listen on {host}:{port}")
        await asyncio.sleep(0.01)
    return server, task


NOT_YET = "not yet"


async def fault_of(check: Check) -> str:
    """Why a readiness check does not hold, in one line; empty if it does."""
    try:
        return "" if await asyncio.wait_for(check(), CHECK_TIMEOUT_S) else NOT_YET
    except ShuangluError as error:
        return error.diagnostics()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"
    except Exception as error:  # noqa: BLE001 - a check that breaks is a check that fails
        return type(error).__name__


class Told:
    """What the log was told of checks: a probe asks every few seconds, the log is told of changes."""

    def __init__(self) -> None:
        """Everything is well."""
        self.faults: dict[str, str] = {}

    def tell(self, faults: Mapping[str, str]) -> None:
        """What came, what went."""
        for name, fault in faults.items():
            if self.faults.get(name) != fault:
                log.warning("readiness.lost", check=name, fault=fault)
        for name in self.faults.keys() - faults.keys():
            log.info("readiness.found", check=name)
        self.faults = dict(faults)


def ops_app(checks: Mapping[str, Check], burdens: Mapping[str, Burden] = MappingProxyType({})) -> Starlette:
    """/healthz: the process answers. /readyz: it can do its work. /metrics: Prometheus.

    A burden does not make a service unready: who takes work from a queue must not be stopped because the queue is long.
    It is told as `strained`, for people and autoscalers. `faults` says in words why a check does not hold.
    """
    told = Told()

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        names = list(checks)
        results = await asyncio.gather(*(fault_of(checks[name]) for name in names))
        faults = {name: fault for name, fault in zip(names, results, strict=True) if fault}
        told.tell(faults)
        strained = sorted(name for name, burden in burdens.items() if burden())
        state = {name: name not in faults for name in names}
        answer = {"ready": not faults, "checks": state, "faults": faults, "strained": strained}
        return JSONResponse(answer, 503 if faults else 200)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])
