"""Orders and sessions in PostgreSQL."""

from collections.abc import Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert

from shuanglu.session.v1.session_events_pb2 import SessionCreated
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.database import Database
from shuanglu_common.sealing import Sealer
from shuanglu_signaling import rows, wire
from shuanglu_signaling.domain.lifecycle import Progress
from shuanglu_signaling.domain.listing import Cursor, SessionFilter
from shuanglu_signaling.domain.order import Order
from shuanglu_signaling.domain.ports import KeyedSession, Transition
from shuanglu_signaling.domain.session import Session
from shuanglu_signaling.tables import ORDERS, SESSIONS


class PostgresOrders:
    """The port `OrderStore`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        """`sealer` seals the customer."""
        self.database = database
        self.sealer = sealer

    async def add(self, tenant: str, order: Order) -> Order:
        """Two callers at once with one number: the unique index lets one in, the other reads it."""
        values = rows.order_values(tenant, order, self.sealer)
        statement = insert(ORDERS).values(values).on_conflict_do_nothing(index_elements=["tenant", "order_no"])
        query = select(ORDERS).where(ORDERS.c.tenant == tenant, ORDERS.c.order_no == order.order_no)
        async with self.database.transaction() as connection:
            await connection.execute(statement)
            row = (await connection.execute(query)).one()
        return rows.read_order(row, self.sealer)

    async def get(self, tenant: str, order_id: str) -> Order | None:
        """By key."""
        query = select(ORDERS).where(ORDERS.c.tenant == tenant, ORDERS.c.order_id == order_id)
        async with self.database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else rows.read_order(row, self.sealer)


def created_event(tenant: str, session: Session) -> NewEvent:
    """SessionCreated of a session."""
    payload = SessionCreated(
        order_id=session.order_id,
        channel=wire.CHANNELS[session.channel],
        strategy_id=session.strategy_id,
        strategy_version=session.strategy_version,
        participants=[wire.write_participant(person) for person in session.participants],
        inspection=wire.write_inspection(session.inspection),
    )
    return NewEvent(tenant, session.session_id, payload, "created")


class PostgresSessions:
    """The ports `SessionStore` and `ProgressStore`."""

    def __init__(self, database: Database) -> None:
        """`database` is the schema `signaling`."""
        self.database = database

    async def add(self, tenant: str, session: Session, idempotency_key: str, request_digest: str) -> KeyedSession:
        """Row and event in one transaction; an event only for a row that is new."""
        values = rows.session_values(tenant, session, idempotency_key, request_digest)
        fresh = insert(SESSIONS).values(values)
        fresh = fresh.on_conflict_do_nothing(index_elements=["tenant", "idempotency_key"])
        async with self.database.transaction() as connection:
            made = (await connection.execute(fresh.returning(SESSIONS.c.session_id))).one_or_none()
            if made is not None:
                await self.database.outbox.add(connection, created_event(tenant, session))
                return KeyedSession(session, request_digest)
        known = await self.by_key(tenant, idempotency_key)
        if known is None:
            raise RuntimeError("a session that was in the way is gone: sessions are never deleted")
        return known

    async def by_key(self, tenant: str, idempotency_key: str) -> KeyedSession | None:
        """By the caller's key."""
        query = select(SESSIONS).where(SESSIONS.c.tenant == tenant, SESSIONS.c.idempotency_key == idempotency_key)
        async with self.database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else KeyedSession(rows.read_session(row), row.request_digest)

    async def get(self, tenant: str, session_id: str) -> Session | None:
        """By key."""
        query = select(SESSIONS).where(SESSIONS.c.tenant == tenant, SESSIONS.c.session_id == session_id)
        async with self.database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else rows.read_session(row)

    async def page(self, tenant: str, wanted: SessionFilter, after: Cursor | None, size: int) -> Sequence[Session]:
        """Walks the index `sessions_newest`, however deep the page is."""
        query = select(SESSIONS).where(SESSIONS.c.tenant == tenant)
        if wanted.order_id:
            query = query.where(SESSIONS.c.order_id == wanted.order_id)
        if wanted.state:
            query = query.where(SESSIONS.c.state == wanted.state.value)
        if wanted.channel:
            query = query.where(SESSIONS.c.channel == wanted.channel.value)
        if wanted.created_from_us:
            query = query.where(SESSIONS.c.created_at_us >= wanted.created_from_us)
        if wanted.created_to_us:
            query = query.where(SESSIONS.c.created_at_us < wanted.created_to_us)
        if after:
            place = tuple_(SESSIONS.c.created_at_us, SESSIONS.c.session_id)
            query = query.where(place < (after.created_at_us, after.session_id))
        query = query.order_by(SESSIONS.c.created_at_us.desc(), SESSIONS.c.session_id.desc()).limit(size)
        async with self.database.transaction() as connection:
            found = (await connection.execute(query)).all()
        return [rows.read_session(row) for row in found]

    async def advance(self, tenant: str, session_id: str, transition: Transition) -> tuple[Progress, Progress] | None:
        """The row is locked from reading to writing, so that no fact is lost between two workers."""
        key = (SESSIONS.c.tenant == tenant, SESSIONS.c.session_id == session_id)
        async with self.database.transaction() as connection:
            row = (await connection.execute(select(SESSIONS).where(*key).with_for_update())).one_or_none()
            if row is None:
                return None
            before = rows.read_progress(row)
            after = transition(before)
            if after != before:
                await connection.execute(SESSIONS.update().where(*key).values(rows.progress_values(after)))
        return before, after
