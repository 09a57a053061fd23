"""Imports in PostgreSQL, schema `media_ingest`. A row and the event that tells of it are one transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from shuanglu_common.bus.events import NewEvent
from shuanglu_common.clock import Clock
from shuanglu_common.database import Database
from shuanglu_media_ingest.domain.imports import ENDED, MOVES, RETRYABLE, Import, ImportState
from shuanglu_media_ingest.errors import ImportNotFound, SessionNotOpen
from shuanglu_media_ingest.tables import IMPORTS, SCHEMA, import_of, values_of

__all__ = ["SCHEMA", "PostgresImports"]

# Counting further tells nobody anything.
MAX_POSITION = 1000


class PostgresImports:
    """The ports `Imports` of importing.py and `ImportDesk` of rpc.py."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """`database`: of the schema `media_ingest`."""
        self._database, self._clock = database, clock

    async def create(self, record: Import, event: NewEvent) -> Import:
        """See ImportDesk."""
        statement = insert(IMPORTS).values(values_of(record))
        statement = statement.on_conflict_do_nothing(index_elements=["tenant", "import_id"])
        try:
            async with self._database.transaction() as connection:
                made = (await connection.execute(statement.returning(IMPORTS))).mappings().first()
                if made is not None:
                    await self._database.outbox.add(connection, event)
                    return import_of(dict(made))
        except IntegrityError as error:
            # The index `one_import_a_session` or `one_import_a_recording`.
            same = await self.of_content(record.tenant, record.content_key)
            if same is not None:
                return same
            raise SessionNotOpen("Another import fills the session.") from error
        return await self.get(record.tenant, record.import_id)

    async def get(self, tenant: str, import_id: str) -> Import:
        """See Imports."""
        condition = (IMPORTS.c.tenant == tenant) & (IMPORTS.c.import_id == import_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(IMPORTS).where(condition))).mappings().first()
        if row is None:
            raise ImportNotFound
        return import_of(dict(row))

    async def of_content(self, tenant: str, content_key: str) -> Import | None:
        """See ImportDesk."""
        live = IMPORTS.c.state.not_in([state.value for state in sorted(RETRYABLE)])
        condition = (IMPORTS.c.tenant == tenant) & (IMPORTS.c.content_key == content_key) & live
        if not content_key:
            return None
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(IMPORTS).where(condition, IMPORTS.c.content_key != ""))).mappings()
            found = row.first()
        return None if found is None else import_of(dict(found))

    async def of_sessions(self, tenant: str, session_ids: Sequence[str]) -> dict[str, list[Import]]:
        """All imports of the sessions, oldest first; sessions without one are left out."""
        query = select(IMPORTS).where(IMPORTS.c.tenant == tenant, IMPORTS.c.session_id.in_(session_ids))
        found: dict[str, list[Import]] = {}
        async with self._database.transaction() as connection:
            rows = await connection.execute(query.order_by(IMPORTS.c.created_at_us))
            for row in rows.mappings():
                found.setdefault(row["session_id"], []).append(import_of(dict(row)))
        return found

    async def states(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], ImportState]:
        """See States."""
        columns = (IMPORTS.c.tenant, IMPORTS.c.import_id, IMPORTS.c.state)
        wanted = tuple_(IMPORTS.c.tenant, IMPORTS.c.import_id).in_(list(keys))
        async with self._database.transaction() as connection:
            rows = await connection.execute(select(*columns).where(wanted))
            return {(row.tenant, row.import_id): ImportState(row.state) for row in rows}

    async def position(self, record: Import) -> int:
        """See ImportDesk."""
        if record.state is not ImportState.ACCEPTED:
            return 0
        earlier = (
            select(IMPORTS.c.import_id)
            .where(
                IMPORTS.c.tenant == record.tenant,
                IMPORTS.c.state == ImportState.ACCEPTED.value,
                IMPORTS.c.created_at_us < record.created_at_us,
            )
            .limit(MAX_POSITION - 1)
        )
        async with self._database.transaction() as connection:
            count = (await connection.execute(select(func.count()).select_from(earlier.subquery()))).scalar_one()
        return int(count) + 1

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

    async def cancelled(self, record: Import, event: NewEvent) -> bool:
        """See Imports and ImportDesk."""
        return await self._move(record, ImportState.CANCELLED, [event], stored_bytes=0)

    async def request_cancel(self, record: Import) -> Import:
        """See ImportDesk."""
        statement = (
            update(IMPORTS)
            .where(
                IMPORTS.c.tenant == record.tenant,
                IMPORTS.c.import_id == record.import_id,
                IMPORTS.c.state.not_in([state.value for state in sorted(ENDED)]),
            )
            .values(cancel_requested=True)
        )
        async with self._database.transaction() as connection:
            await connection.execute(statement)
        return await self.get(record.tenant, record.import_id)

    async def retry(self, record: Import, event: NewEvent) -> bool:
        """See ImportDesk."""
        fresh = {"failure_reason": "", "failure_help": "", "stored_bytes": 0, "total_bytes": 0}
        counters = {"tries": record.tries + 1, "attempts": 0, "outages": 0, "waiting_for": "", "not_before_us": 0}
        try:
            return await self._move(record, ImportState.ACCEPTED, [event], cancel_requested=False, **fresh, **counters)
        except IntegrityError as error:
            raise SessionNotOpen("Another import fills the session, or has this recording.") from error

    async def _move(self, record: Import, to: ImportState, events: list[NewEvent], **values: Any) -> bool:
        """To another state, if the table of moves allows it and the record is as fresh as its lease and try say."""
        sources = [state.value for state, targets in MOVES.items() if to in targets]
        if to is ImportState.ACCEPTED:
            sources = [state.value for state in sorted(RETRYABLE)]
        values = {"state": to.value, "updated_at_us": self._clock.now_us(), **values}
        if to is not ImportState.STORING:
            values["lease"] = ""
        statement = (
            update(IMPORTS)
            .where(
                IMPORTS.c.tenant == record.tenant,
                IMPORTS.c.import_id == record.import_id,
                IMPORTS.c.state.in_(sources),
                IMPORTS.c.lease == record.lease,
                IMPORTS.c.tries == record.tries,
                IMPORTS.c.attempts == record.attempts,
            )
            .values(**values)
        )
        async with self._database.transaction() as connection:
            moved = (await connection.execute(statement)).rowcount == 1
            if moved:
                for event in events:
                    await self._database.outbox.add(connection, event)
        return moved
