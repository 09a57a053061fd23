"""Imports in PostgreSQL, schema `media_ingest`. A row and the event that tells of it are one transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, Text, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.exc import IntegrityError

from shuanglu_common.bus.events import NewEvent
from shuanglu_common.clock import Clock
from shuanglu_common.database import Database
from shuanglu_media_ingest.domain.imports import MOVES, Import, ImportState, Plan
from shuanglu_media_ingest.errors import ImportNotFound, SessionNotOpen

SCHEMA = "media_ingest"

IMPORTS = Table(
    "imports",
    MetaData(),
    Column("tenant", String(39), primary_key=True),
    Column("import_id", String(32), primary_key=True),
    Column("session_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("plan", JSONB, nullable=False),
    Column("failure_reason", String(64), nullable=False),
    Column("failure_help", Text, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("total_bytes", BigInteger, nullable=False),
    Column("tracks", ARRAY(LargeBinary), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    schema=SCHEMA,
)


class PostgresImports:
    """The port `Imports` of importing.py."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """`database`: of the schema `media_ingest`."""
        self._database, self._clock = database, clock

    async def create(self, record: Import, event: NewEvent) -> Import:
        """See Imports."""
        values: dict[str, Any] = {
            "tenant": record.tenant,
            "import_id": record.import_id,
            "session_id": record.session_id,
            "state": record.state.value,
            "plan": record.plan.to_json(),
            "failure_reason": "",
            "failure_help": "",
            "stored_bytes": 0,
            "total_bytes": 0,
            "tracks": [],
            "created_at_us": record.created_at_us,
            "updated_at_us": record.created_at_us,
        }
        statement = insert(IMPORTS).values(values).on_conflict_do_nothing(index_elements=["tenant", "import_id"])
        try:
            async with self._database.transaction() as connection:
                made = await connection.execute(statement.returning(IMPORTS.c.import_id))
                if made.first() is not None:
                    await self._database.outbox.add(connection, event)
        except IntegrityError as error:
            # The index `one_import_a_session`.
            raise SessionNotOpen("Another import fills the session.") from error
        return await self.get(record.tenant, record.import_id)

    async def get(self, tenant: str, import_id: str) -> Import:
        """See Imports."""
        condition = (IMPORTS.c.tenant == tenant) & (IMPORTS.c.import_id == import_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(IMPORTS).where(condition))).mappings().first()
        if row is None:
            raise ImportNotFound
        return Import(
            tenant=row["tenant"],
            import_id=row["import_id"],
            session_id=row["session_id"],
            state=ImportState(row["state"]),
            plan=Plan.from_json(row["plan"]),
            created_at_us=row["created_at_us"],
            failure_reason=row["failure_reason"],
            failure_help=row["failure_help"],
            stored_bytes=row["stored_bytes"],
            total_bytes=row["total_bytes"],
            tracks=tuple(row["tracks"]),
        )

    async def progress(self, record: Import, stored_bytes: int, total_bytes: int) -> bool:
        """See Imports."""
        return await self._move(record, ImportState.STORING, [], stored_bytes=stored_bytes, total_bytes=total_bytes)

    async def stored(self, record: Import, tracks: Sequence[bytes], total_bytes: int, event: NewEvent) -> bool:
        """See Imports."""
        return await self._move(
            record,
            ImportState.STORED,
            [event],
            tracks=list(tracks),
            stored_bytes=total_bytes,
            total_bytes=total_bytes,
        )

    async def failed(self, record: Import, reason: str, help_text: str, event: NewEvent) -> bool:
        """See Imports."""
        return await self._move(
            record, ImportState.FAILED, [event], failure_reason=reason, failure_help=help_text, stored_bytes=0
        )

    async def _move(self, record: Import, to: ImportState, events: list[NewEvent], **values: Any) -> bool:
        """To another state, if the table of moves allows it from where the row stands now."""
        sources = [state.value for state, targets in MOVES.items() if to in targets]
        statement = (
            update(IMPORTS)
            .where(
                IMPORTS.c.tenant == record.tenant,
                IMPORTS.c.import_id == record.import_id,
                IMPORTS.c.state.in_(sources),
            )
            .values(state=to.value, updated_at_us=self._clock.now_us(), **values)
        )
        async with self._database.transaction() as connection:
            moved = (await connection.execute(statement)).rowcount == 1
            if moved:
                for event in events:
                    await self._database.outbox.add(connection, event)
        return moved
