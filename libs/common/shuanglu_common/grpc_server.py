"""The gRPC server of a service: token and role on every call, typed errors, traces, metrics."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from opentelemetry.trace import SpanKind, get_current_span

from shuanglu_common.auth import CURRENT, TokenVerifier, authorise, bearer, current_principal, is_open
from shuanglu_common.bus.subjects import SESSION_ID
from shuanglu_common.errors import DOMAIN, DependencyError, InternalError, InvalidInput, ShuangluError, TooMany
from shuanglu_common.metrics import RPC_SECONDS
from shuanglu_common.telemetry import extract, failed, spanning

MAX_MESSAGE_BYTES = 8 << 20
MAX_RPCS = 512
# Of one subject at one service: a page that watches has one, a program a few.
MAX_STREAMS = 64
LAST_WORD_S = 0.2
# gRPC refuses trailers of more than 8 KiB. The message is percent-encoded (three bytes for one), the details are base64
# and hold the message again.
MESSAGE_BYTES = 900
DETAIL_BYTES = 600
DETAILS_BYTES = 2500

Reader = Callable[[bytes], Any]
log = structlog.get_logger()


class MessageUnreadable(InvalidInput):
    """The bytes are not a message of the call."""

    reason = "REQUEST_INVALID"
    help = "Build the request from the contracts in protos/."


class TooManyStreams(TooMany):
    """The subject has as many streams open as it may."""

    reason = "TOO_MANY_STREAMS"
    help = "请先关闭一些。Close some of them first."


class CallTooSlow(DependencyError):
    """The caller's time ran out before the answer was there."""

    reason = "SERVICE_TOO_SLOW"
    status = grpc.StatusCode.DEADLINE_EXCEEDED
    help = "请稍后重试。Try again in a few seconds."


class Unforeseen(InternalError):
    """A fault that nobody thought of; the log has it under the trace id."""

    reason = "INTERNAL"
    help = "Report it with the request id; nothing was changed."


def status_of(error: ShuangluError) -> Status:
    """The error as google.rpc.Status with ErrorInfo, cut to what fits into the trailers of a call."""
    detail = AnyProto()
    detail.Pack(ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=fitting(error.metadata)))
    return Status(code=error.status.value[0], message=clipped(error.diagnostics(), MESSAGE_BYTES), details=[detail])


def clipped(text: str, most: int) -> str:
    """The text in at most `most` bytes of UTF-8."""
    data = text.encode()
    return text if len(data) <= most else data[: most - 3].decode(errors="ignore") + "…"


def fitting(details: Mapping[str, str]) -> dict[str, str]:
    """What to do first, then as many details as fit: some repeat what a caller sent, however long."""
    room, kept = DETAILS_BYTES, {}
    for name in sorted(details, key=lambda each: (each != "help", each != "field")):
        value = clipped(details[name], DETAIL_BYTES)
        room -= len(name) + len(value.encode())
        if room < 0:
            break
        kept[name] = value
    return kept


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: ShuangluError) -> NoReturn:
    """End the call with a typed error."""
    status = status_of(error)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(error.status, status.message)
    raise AssertionError("abort returns never")


class DoorInterceptor(grpc.aio.ServerInterceptor):
    """Stands before every RPC: who calls, may they, and what came of it."""

    def __init__(self, verifier: TokenVerifier) -> None:
        """`verifier` checks the tokens."""
        self.verifier = verifier
        self.streams: Counter[tuple[str, str]] = Counter()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the RPC's handler."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None:
            return None
        # Requests are read here and not by gRPC, which would tell the caller of unreadable bytes as UNKNOWN.
        read, write = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self.unary(method, handler.unary_unary, read), None, write)
        if handler.unary_stream and not is_open(method):
            return grpc.unary_stream_rpc_method_handler(self.stream(method, handler.unary_stream, read), None, write)
        # A stream of requests cannot be judged by its first one: until a contract needs it, there is no such call.
        return handler if is_open(method) else None

    def unary(self, method: str, inner: Callable[..., Awaitable[Any]], read: Reader) -> Callable[..., Awaitable[Any]]:
        """One request, one response."""

        async def call(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            with watched(method, context) as outcome:
                try:
                    async with in_time(context):
                        return await inner(self.admit(method, context, data, read), context)
                except Exception as error:  # noqa: BLE001 - a door answers, whatever happens
                    outcome.append(translate(method, error))
                return await abort(context, outcome[0])

        return call

    def stream(
        self, method: str, inner: Callable[..., AsyncGenerator[Any, None]], read: Reader
    ) -> Callable[..., Awaitable[None]]:
        """One request, many responses.

        Written one by one, not yielded: a generator that is dropped in the middle is closed later and elsewhere, and
        until then its place among the caller's streams is taken.
        """

        async def call(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            with watched(method, context) as outcome:
                try:
                    request = self.admit(method, context, data, read)
                    with self.one_more_stream():
                        async with aclosing(inner(request, context)) as responses:
                            async for response in responses:
                                await context.write(response)
                except Exception as error:  # noqa: BLE001 - a door answers, whatever happens
                    outcome.append(translate(method, error))
                if outcome:
                    await abort(context, outcome[0])

        return call

    @contextmanager
    def one_more_stream(self) -> Iterator[None]:
        """Counts the open streams of the caller. Raises TooManyStreams: nobody takes all places of a service."""
        principal = current_principal()
        key = (principal.tenant, principal.subject)
        if self.streams[key] >= MAX_STREAMS:
            raise TooManyStreams("打开的流过多。Too many streams are open.")
        self.streams[key] += 1
        try:
            yield
        finally:
            self.streams[key] -= 1
            if not self.streams[key]:
                del self.streams[key]

    def admit(self, method: str, context: grpc.aio.ServicerContext[Any, Any], data: bytes, read: Reader) -> Any:
        """The request, if token, role and session allow it.

        Raises Unauthenticated, MessageUnreadable, Forbidden, SessionHidden.
        """
        if is_open(method):
            return request_of(data, read)
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        principal = self.verifier.verify(bearer(metadata.get("authorization")))
        request = request_of(data, read)
        authorise(method, principal, request)
        CURRENT.set(principal)
        structlog.contextvars.bind_contextvars(tenant=principal.tenant)
        if session_id := session_of(request):
            structlog.contextvars.bind_contextvars(session_id=session_id)
            get_current_span().set_attribute("shuanglu.session_id", session_id)
        return request


@asynccontextmanager
async def in_time(context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[None]:
    """Ends the work a little before the caller stops listening, so that it still hears why. Raises CallTooSlow."""
    remaining = context.time_remaining()
    limit = asyncio.timeout(None if remaining is None else max(remaining - LAST_WORD_S, remaining * 0.8))
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise CallTooSlow("服务超时。The service did not answer in time.") from error
        raise


def session_of(request: Message) -> str:
    """The session that a request names; empty if it names none, or something that is no id."""
    session_id = getattr(request, "session_id", "")
    return session_id if isinstance(session_id, str) and SESSION_ID.fullmatch(session_id) else ""


def request_of(data: bytes, read: Reader) -> Any:
    """The message in the bytes. Raises MessageUnreadable."""
    try:
        request = read(data)
    except DecodeError as error:
        raise MessageUnreadable("请求无法解析。The request is not a message of this call.") from error
    # No database keeps a NUL, and no text of a person has one. Most requests have no such byte at all.
    if b"\0" in data and _has_nul(request):
        raise MessageUnreadable("请求含有空字符。The request holds a NUL character.")
    return request


def _has_nul(message: Message) -> bool:
    """Whether any text in a message holds a NUL."""
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            items: list[Any] = [*value.keys(), *value.values()]
        else:
            items = list(value) if field.is_repeated else [value]
        for item in items:
            if (isinstance(item, str) and "\0" in item) or (isinstance(item, Message) and _has_nul(item)):
                return True
    return False


def translate(method: str, error: Exception) -> ShuangluError:
    """A typed error for whatever was raised; the unforeseen is logged, not told."""
    if isinstance(error, ShuangluError):
        if error.fault_is_ours:
            log.error("rpc.failed", method=method, error=error)
        return error
    log.error("rpc.unforeseen", method=method, error=error)
    return Unforeseen()


@contextmanager
def watched(method: str, context: grpc.aio.ServicerContext[Any, Any]) -> Iterator[list[ShuangluError]]:
    """Span and metrics of a call; the list takes the error it ends with."""
    headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    outcome: list[ShuangluError] = []
    started = time.monotonic()
    service, _, name = method.strip("/").partition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
    with spanning(method.strip("/"), extract(headers), SpanKind.SERVER, attributes) as span:
        try:
            yield outcome
        finally:
            code = outcome[0].status.name if outcome else "OK"
            span.set_attribute("rpc.grpc.status_code", outcome[0].status.value[0] if outcome else 0)
            if outcome and outcome[0].fault_is_ours:
                failed(span, outcome[0].reason)
            RPC_SECONDS.labels(method, code).observe(time.monotonic() - started)


async def start_server(
    address: str, verifier: TokenVerifier, registers: list[Callable[[grpc.aio.Server], None]]
) -> grpc.aio.Server:
    """A running server. Raises RuntimeError if the address is taken."""
    server = grpc.aio.server(
        interceptors=[DoorInterceptor(verifier)],
        options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=MAX_RPCS,
    )
    for register in registers:
        register(server)
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(address)
    await server.start()
    return server
