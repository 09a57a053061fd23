"""Signaling examines itself for `shuanglu doctor`: sessions against their orders, its outbox and its schema."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from sqlalchemy import func, select

from shuanglu.ops.v1 import doctor_service_pb2 as pb
from shuanglu.ops.v1.doctor_service_pb2_grpc import SignalingDoctorServiceServicer
from shuanglu_common.ailments import Ailment, Code
from shuanglu_common.auth import current_principal
from shuanglu_common.database import Database
from shuanglu_common.doctor import DatabaseDoctor, RemedyUnknown, ailment_message, checked, in_key_order, session_pages
from shuanglu_common.sealing import SealBroken, Sealer
from shuanglu_signaling.rows import CUSTOMER
from shuanglu_signaling.tables import CALLS, ORDERS, SESSIONS

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class SignalingDoctor(SignalingDoctorServiceServicer):
    """See protos/shuanglu/ops/v1/doctor_service.proto."""

    database: Database
    common: DatabaseDoctor
    sealer: Sealer

    async def ExamineSessions(  # noqa: N802 - the contract's name
        self,
        request: pb.ExamineSessionsRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.ExamineSessionsResponse]:
        """See the contract."""
        tenant, wanted = current_principal().tenant, checked(request.examination)
        yield pb.ExamineSessionsResponse(session_count=await self._count(tenant, wanted.session_id))
        if not wanted.session_id:
            for ailment in await self.common.examine(tenant, at_rest=wanted.at_rest):
                yield pb.ExamineSessionsResponse(ailment=ailment_message(ailment))
        async for page in session_pages(self.database, [SESSIONS.c.session_id], tenant, wanted.session_id):
            calls = await self._calls(tenant, page)
            for holding, ailments in await self._sessions(tenant, page, deep=wanted.deep):
                for ailment in ailments:
                    yield pb.ExamineSessionsResponse(ailment=ailment_message(ailment))
                yield pb.ExamineSessionsResponse(holding=holding)
                if call := calls.get(holding.session_id):
                    yield pb.ExamineSessionsResponse(holding=call)

    async def MendSessions(  # noqa: N802 - the contract's name
        self,
        request: pb.MendSessionsRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.MendSessionsResponse:
        """See the contract."""
        if request.treatment.remedy != pb.REMEDY_RELAY_OUTBOX:
            raise RemedyUnknown
        return pb.MendSessionsResponse(treated=await self.common.relay())

    async def _count(self, tenant: str, session_id: str) -> int:
        query = select(func.count()).select_from(SESSIONS).where(SESSIONS.c.tenant == tenant)
        if session_id:
            query = query.where(SESSIONS.c.session_id == session_id)
        async with self.database.transaction() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def _sessions(
        self, tenant: str, session_ids: list[str], *, deep: bool
    ) -> list[tuple[pb.Holding, list[Ailment]]]:
        same_order = (ORDERS.c.tenant == SESSIONS.c.tenant) & (ORDERS.c.order_id == SESSIONS.c.order_id)
        query = (
            select(
                SESSIONS.c.session_id,
                SESSIONS.c.order_id,
                SESSIONS.c.state,
                SESSIONS.c.updated_at_us,
                ORDERS.c.customer_sealed,
            )
            .select_from(SESSIONS.outerjoin(ORDERS, same_order))
            .where(SESSIONS.c.tenant == tenant, SESSIONS.c.session_id.in_(session_ids))
            .order_by(in_key_order(SESSIONS.c.session_id))
        )
        async with self.database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        found = []
        for row in rows:
            holding = pb.Holding(
                session_id=row.session_id,
                kind=pb.HOLDING_KIND_SESSION,
                id=row.order_id,
                state=row.state,
                changed_at_us=row.updated_at_us,
            )
            found.append(
                (holding, self._ailments(tenant, row.session_id, row.order_id, row.customer_sealed, deep=deep))
            )
        return found

    async def _calls(self, tenant: str, session_ids: list[str]) -> dict[str, pb.Holding]:
        """The calls of the sessions: what is in the store may be theirs."""
        query = select(CALLS.c.session_id, CALLS.c.state, CALLS.c.updated_at_us).where(
            CALLS.c.tenant == tenant, CALLS.c.session_id.in_(session_ids)
        )
        async with self.database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return {
            row.session_id: pb.Holding(
                session_id=row.session_id,
                kind=pb.HOLDING_KIND_CALL,
                state=row.state,
                changed_at_us=row.updated_at_us,
            )
            for row in rows
        }

    def _ailments(
        self, tenant: str, session_id: str, order_id: str, customer: bytes | None, *, deep: bool
    ) -> list[Ailment]:
        if customer is None:
            return [Ailment(Code.SESSION_WITHOUT_ORDER, session_id, order_id)]
        if deep:
            try:
                self.sealer.open(tenant, order_id, CUSTOMER, customer)
            except SealBroken as error:
                return [Ailment(Code.SEAL_BROKEN, session_id, f"order {order_id}", str(error))]
        return []
