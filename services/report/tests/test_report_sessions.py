from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from report_examples import SESSION, TENANT, order

from shuanglu.session.v1 import session_service_pb2 as pb
from shuanglu.session.v1.session_pb2 import Session
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceServicer, add_SessionServiceServicer_to_server
from shuanglu_common.errors import Forbidden, Unauthenticated
from shuanglu_report.errors import SessionNotFound, SessionsAway
from shuanglu_report.sessions import GrpcSessionDirectory


class Signaling(SessionServiceServicer):
    """Knows one session; refuses with whatever it is told to."""

    def __init__(self) -> None:
        self.refusal: grpc.StatusCode | None = None
        self.tokens: list[str] = []

    async def seen(self, context: Any) -> None:
        self.tokens.append(dict(context.invocation_metadata())["authorization"])
        if self.refusal:
            await context.abort(self.refusal, "no")

    async def GetSession(self, request: pb.GetSessionRequest, context: Any) -> pb.GetSessionResponse:  # noqa: N802
        await self.seen(context)
        if request.session_id != SESSION:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no")
        return pb.GetSessionResponse(session=Session(session_id=SESSION, order_id="order-1"))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:  # noqa: N802
        await self.seen(context)
        assert request.order_id == "order-1"
        return pb.GetOrderResponse(order=order())


@pytest.fixture
async def signaling() -> AsyncIterator[tuple[Signaling, GrpcSessionDirectory]]:
    servicer, server = Signaling(), grpc.aio.server()
    add_SessionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        directory = GrpcSessionDirectory(
            channel,
            lambda tenant: (("authorization", f"Bearer own of {tenant}"),),
            lambda: (("authorization", "Bearer caller"),),
        )
        yield servicer, directory
    await server.stop(None)


async def test_a_case_is_asked_with_our_own_token_and_a_session_with_the_callers(
    signaling: tuple[Signaling, GrpcSessionDirectory],
) -> None:
    servicer, directory = signaling
    session, case = await directory.case(TENANT, SESSION)
    assert (session.session_id, case) == (SESSION, order())
    assert await directory.session(SESSION) == session
    assert servicer.tokens == [f"Bearer own of {TENANT}"] * 2 + ["Bearer caller"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.NOT_FOUND, SessionNotFound),
        (grpc.StatusCode.PERMISSION_DENIED, Forbidden),
        (grpc.StatusCode.UNAUTHENTICATED, Unauthenticated),
        (grpc.StatusCode.UNAVAILABLE, SessionsAway),
        (grpc.StatusCode.INTERNAL, SessionsAway),
    ],
)
async def test_signalings_refusals_have_our_names(
    signaling: tuple[Signaling, GrpcSessionDirectory], status: grpc.StatusCode, error: type[Exception]
) -> None:
    servicer, directory = signaling
    servicer.refusal = status
    with pytest.raises(error):
        await directory.session(SESSION)
    with pytest.raises(error):
        await directory.case(TENANT, SESSION)


async def test_an_unknown_session_is_not_found(signaling: tuple[Signaling, GrpcSessionDirectory]) -> None:
    with pytest.raises(SessionNotFound):
        await signaling[1].session("other")


async def test_no_signaling_is_worth_another_try() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        directory = GrpcSessionDirectory(channel, lambda _: (), tuple)
        with pytest.raises(SessionsAway) as raised:
            await directory.session(SESSION)
    assert raised.value.retryable
