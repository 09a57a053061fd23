"""SessionService: contracts in, desks do the work, contracts out. The door has checked token and role already."""

from typing import Any

import grpc

from shuanglu.session.v1 import session_service_pb2 as pb
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceServicer
from shuanglu_common.access import Role
from shuanglu_common.auth import current_principal
from shuanglu_common.clock import Clock
from shuanglu_signaling import wire
from shuanglu_signaling.domain.desk import Caller, OrderDesk, SessionDesk
from shuanglu_signaling.errors import AdmissionRefused
from shuanglu_signaling.metrics import ADMISSIONS_REFUSED, ORDERS_CREATED, SESSIONS_CREATED

Context = grpc.aio.ServicerContext[Any, Any]
# Who gets the customer's name and number in full; everybody else sees them masked.
SEE_CUSTOMER = frozenset({Role.BANK_APP, Role.AGENT, Role.SERVICE})


def caller() -> Caller:
    """Who made this call."""
    principal = current_principal()
    return Caller(principal.tenant, principal.session_id, bool(SEE_CUSTOMER & principal.roles))


class SessionRpc(SessionServiceServicer):
    """The public door for orders and sessions."""

    def __init__(self, orders: OrderDesk, sessions: SessionDesk, clock: Clock) -> None:
        """`clock` stamps what is made."""
        self.orders = orders
        self.sessions = sessions
        self.clock = clock

    async def CreateOrder(self, request: pb.CreateOrderRequest, context: Context) -> pb.CreateOrderResponse:  # noqa: N802, ARG002
        """Register what will be signed."""
        order = await self.orders.create(caller(), wire.read_order(request.order), self.clock.now_us())
        ORDERS_CREATED.inc()
        return pb.CreateOrderResponse(order=wire.write_order(order))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:  # noqa: N802, ARG002
        """One order."""
        return pb.GetOrderResponse(order=wire.write_order(await self.orders.get(caller(), request.order_id)))

    async def CreateSession(self, request: pb.CreateSessionRequest, context: Context) -> pb.CreateSessionResponse:  # noqa: N802, ARG002
        """Open a dual recording."""
        asked = wire.read_session_request(request)
        try:
            session = await self.sessions.create(caller(), asked, self.clock.now_us())
        except AdmissionRefused:
            ADMISSIONS_REFUSED.labels(asked.channel.value).inc()
            raise
        SESSIONS_CREATED.labels(session.channel.value).inc()
        return pb.CreateSessionResponse(session=wire.write_session(session))

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.GetSessionResponse:  # noqa: N802, ARG002
        """One session."""
        session = await self.sessions.get(caller(), request.session_id)
        return pb.GetSessionResponse(session=wire.write_session(session))

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:  # noqa: N802, ARG002
        """A page of sessions."""
        wanted = wire.read_filter(request)
        found, token = await self.sessions.page(caller(), wanted, request.page_size, request.page_token)
        return pb.ListSessionsResponse(
            sessions=[wire.write_session(session) for session in found], next_page_token=token
        )
