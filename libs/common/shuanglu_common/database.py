"""PostgreSQL: a schema for each service, and an outbox: a row and the event that tells of it stand or fall together."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg  # type: ignore[import-untyped]
import structlog
from sqlalchemy import BigInteger, Column, Identity, LargeBinary, MetaData, String, Table, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.bus.tracing import carried
from shuanglu_common.clock import Clock
from shuanglu_common.errors import DependencyError
from shuanglu_common.metrics import CLOCK_OFFSET, OUTBOX_PENDING

RELAY_BATCH = 100
RELAY_POLL_S = 1.0
QUERY_TIMEOUT_S = 15.0
CLOCK_EVERY_S = 30.0
# SQLSTATE (PostgreSQL, appendix A) of what passes by itself: lost connections, no room for memory, disk or connections,
# an operator or a failover at work, a deadlock, trouble of the machine, a primary that has become a standby.
PASSING = ("08", "53", "57", "40", "58", "25006")
READ_ONLY = "25006"

log = structlog.get_logger()


class DatabaseUnavailable(DependencyError):
    """The database is away or slow."""

    reason = "DATABASE_UNAVAILABLE"


def outbox_table(metadata: MetaData, schema: str) -> Table:
    """Events that a committed transaction wants published; a row goes when the bus has confirmed it."""
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(), primary_key=True),
        Column("tenant", String(39), nullable=False),
        Column("session_id", String(64), nullable=False),
        Column("event_id", String(32), nullable=False),
        Column("subject", String(256), nullable=False),
        Column("message", LargeBinary, nullable=False),
        Column("headers", JSONB, nullable=False),
        schema=schema,
    )


class Outbox:
    """Writes events beside rows, and relays them to the bus after the commit."""

    def __init__(self, table: Table, clock: Clock, producer: str) -> None:
        """`producer` is the service's name."""
        self.table = table
        self.clock = clock
        self.producer = producer
        self.wake = asyncio.Event()

    async def add(self, connection: AsyncConnection, event: NewEvent) -> None:
        """Have `event` published if and when this transaction commits."""
        await connection.execute(
            self.table.insert().values(
                tenant=event.tenant,
                session_id=event.session_id,
                event_id=event.event_id,
                subject=event.subject,
                message=event.envelope(self.producer, self.clock.now_us()),
                headers=carried(),
            )
        )
        self.wake.set()

    async def relay_once(self, database: "Database", bus: Bus) -> int:
        """Publish what is waiting, oldest first; returns how many. Raises BusUnavailable, DatabaseUnavailable."""
        table = self.table
        async with database.transaction() as connection:
            rows = (
                await connection.execute(
                    select(table).order_by(table.c.id).limit(RELAY_BATCH).with_for_update(skip_locked=True)
                )
            ).all()
            for row in rows:
                await bus.publish_raw(row.subject, row.message, row.event_id, row.headers)
            if rows:
                await connection.execute(table.delete().where(table.c.id.in_([row.id for row in rows])))
        return len(rows)

    async def relay(self, database: "Database", bus: Bus, stopping: asyncio.Event) -> None:
        """Relay until told to stop; a last round empties what committed meanwhile."""
        while not stopping.is_set():
            self.wake.clear()
            try:
                sent = await self.relay_once(database, bus)
                OUTBOX_PENDING.set(0 if sent < RELAY_BATCH else await self.pending(database))
                if sent == RELAY_BATCH:
                    continue
            except DependencyError as error:
                log.warning("outbox.waiting", error=error)
                self.wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), RELAY_POLL_S)
        with suppress(DependencyError):
            await self.relay_once(database, bus)

    async def pending(self, database: "Database") -> int:
        """How many events wait."""
        async with database.transaction() as connection:
            return int((await connection.execute(select(func.count()).select_from(self.table))).scalar_one())


def sqlstate(error: DBAPIError | asyncpg.PostgresError) -> str:
    """The server's code for an error, from SQLAlchemy's wrapping or, while connecting, from the driver itself."""
    source = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(source, "sqlstate", None) or "")


def lost(error: DBAPIError | asyncpg.PostgresError) -> bool:
    """Whether the connection broke."""
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or isinstance(error.orig, (OSError, TimeoutError))
    )


class Database:
    """A service's own schema. Every table has `tenant` first in its keys and conditions."""

    def __init__(self, url: str, schema: str, clock: Clock, producer: str, tls: ssl.SSLContext | None = None) -> None:
        """`url`: postgresql+asyncpg://…; connects on first use. `tls`: None for what the URL says."""
        self.schema = schema
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=4,
            max_overflow=4,
            pool_timeout=QUERY_TIMEOUT_S,
            pool_pre_ping=True,
            connect_args={"timeout": 5, "command_timeout": QUERY_TIMEOUT_S, **({"ssl": tls} if tls else {})},
        )
        self.outbox = Outbox(outbox_table(MetaData(), schema), clock, producer)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back on an error.

        Raises DatabaseUnavailable for what passes by itself; errors of statements (IntegrityError) pass through.
        """
        try:
            async with self.engine.begin() as connection:
                yield connection
        except (OSError, PoolTimeoutError, TimeoutError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailable(f"the database is away: {type(error).__name__}") from error
        except (DBAPIError, asyncpg.PostgresError) as error:
            state = sqlstate(error)
            if state == READ_ONLY:
                # The other side of a failover: these connections would refuse every write for ever.
                await self.engine.dispose()
            if state.startswith(PASSING) or lost(error):
                raise DatabaseUnavailable(f"the database cannot do it now: {state or 'connection lost'}") from error
            raise

    async def ping(self) -> bool:
        """Whether the database answers."""
        async with self.transaction() as connection:
            await connection.execute(text("select 1"))
        return True

    async def clock_offset_s(self) -> float:
        """How far the database's clock is ahead of ours, to within half of what the answer takes."""
        async with self.transaction() as connection:
            asked_us = self.outbox.clock.now_us()
            theirs_s = (await connection.execute(text("select extract(epoch from clock_timestamp())"))).scalar_one()
            return float(theirs_s) - (asked_us + self.outbox.clock.now_us()) / 2e6

    async def watch_clock(self, stopping: asyncio.Event) -> None:
        """Keep the metric of the database's clock."""
        offset = CLOCK_OFFSET.labels(self.outbox.producer)
        while not stopping.is_set():
            with suppress(DependencyError):
                offset.set(await self.clock_offset_s())
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), CLOCK_EVERY_S)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
