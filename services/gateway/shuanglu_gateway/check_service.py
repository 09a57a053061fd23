"""The checker of JSON bodies: Envoy asks it before it transcodes a request (`ext_authz`), see docs/adr/0008.

`POST /check/v1/orders` with the caller's body: 200 lets the request pass, 400 is what the caller gets. It keeps
nothing, logs no body, and calls nobody.
"""

import asyncio
import signal

import structlog
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shuanglu_common import logs
from shuanglu_common.errors import InvalidInput, NotFound
from shuanglu_common.http_server import error_response, ops_app, start_http

from .json_body import BodyRefused, check
from .json_calls import JsonCalls
from .settings import CheckSettings

PREFIX = "/check"
CHECKED = Counter("shuanglu_gateway_json_checked", "JSON requests that were checked.", ["outcome"])

log = structlog.get_logger()


class JsonInvalid(InvalidInput):
    """The JSON body is not exactly the message that the call takes; `field` in the details says where."""

    reason = "JSON_INVALID"
    help = "请对照 protos/ 中的字段名与类型。Compare names and types with the contracts in protos/."


class NoSuchPath(NotFound):
    """There is no JSON call at this path."""

    reason = "NO_SUCH_PATH"
    help = "See docs/api.md for the paths."


class Checker:
    """The ASGI application."""

    def __init__(self, calls: JsonCalls) -> None:
        """`calls`: what the contracts have."""
        self._calls = calls
        self._ops: ASGIApp = ops_app({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/"):
            response = await self.answer(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await self._ops(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """200, or what the caller is told."""
        try:
            self.judge(request, await request.body())
        except (JsonInvalid, NoSuchPath) as error:
            CHECKED.labels("refused").inc()
            return error_response(error)
        CHECKED.labels("passed").inc()
        return JSONResponse({})

    def judge(self, request: Request, body: bytes) -> None:
        """Raises JsonInvalid, NoSuchPath."""
        raw: bytes = request.scope["raw_path"]
        call = self._calls.find(request.method, raw.decode("ascii", "replace").removeprefix(PREFIX))
        if call is None:
            raise NoSuchPath("没有此路径。There is nothing at this path.")
        if call.message is None:
            if body:
                raise JsonInvalid("此调用不接受请求体。This call takes no body.")
            return
        if request.url.query:
            raise JsonInvalid("参数应放在请求体中。This call takes its fields in the body, not in the query.")
        try:
            check(body, call.message, call.bound)
        except BodyRefused as error:
            raise JsonInvalid(str(error), field=error.field) from error


async def serve(calls: JsonCalls, settings: CheckSettings) -> None:
    """Answer until SIGTERM. Raises RuntimeError if the port is taken."""
    logs.start("gateway-check", settings.log_level)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server, task = await start_http(Checker(calls), settings.check_host, settings.check_port)
    log.info("service.started")
    await stopping.wait()
    server.should_exit = True
    await task
