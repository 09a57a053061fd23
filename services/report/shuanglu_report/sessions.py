"""SessionDirectory over signaling's gRPC."""

from collections.abc import Callable

import grpc

from shuanglu.session.v1.session_pb2 import Order, Session
from shuanglu.session.v1.session_service_pb2 import GetOrderRequest, GetSessionRequest
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceStub
from shuanglu_common.errors import Forbidden, ShuangluError, Unauthenticated
from shuanglu_report.errors import SessionNotFound, SessionsAway

Metadata = tuple[tuple[str, str], ...]
_TIMEOUT_S = 3.0


class GrpcSessionDirectory:
    """See SessionDirectory."""

    def __init__(
        self, channel: grpc.aio.Channel, internal: Callable[[str], Metadata], forwarded: Callable[[], Metadata]
    ) -> None:
        """`internal` gives this service's own metadata for a tenant, `forwarded` the caller's."""
        self._stub = SessionServiceStub(channel)
        self._internal = internal
        self._forwarded = forwarded

    async def case(self, tenant: str, session_id: str) -> tuple[Session, Order]:
        """See SessionDirectory."""
        metadata = self._internal(tenant)
        session = await self._session(session_id, metadata)
        try:
            answer = await self._stub.GetOrder(
                GetOrderRequest(order_id=session.order_id), metadata=metadata, timeout=_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error
        return session, answer.order

    async def session(self, session_id: str) -> Session:
        """See SessionDirectory."""
        return await self._session(session_id, self._forwarded())

    async def _session(self, session_id: str, metadata: Metadata) -> Session:
        try:
            answer = await self._stub.GetSession(
                GetSessionRequest(session_id=session_id), metadata=metadata, timeout=_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error
        return answer.session


def _translated(error: grpc.aio.AioRpcError) -> ShuangluError:
    """Our error for signaling's status; what is neither the caller's fault nor a missing session is tried again."""
    code = error.code()
    if code in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
        return SessionNotFound("there is no such session")
    if code == grpc.StatusCode.PERMISSION_DENIED:
        return Forbidden("signaling refuses the call")
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return Unauthenticated("signaling does not accept the token")
    return SessionsAway(f"signaling answered {code.name}")
