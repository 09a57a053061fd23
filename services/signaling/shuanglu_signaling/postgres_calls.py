"""Calls in PostgreSQL: one row a call, locked while it changes, so that replicas take turns."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shuanglu_common.bus.events import NewEvent
from shuanglu_common.clock import Clock
from shuanglu_common.database import Database
from shuanglu_signaling import call_rows, rows
from shuanglu_signaling.call_metrics import count
from shuanglu_signaling.domain.call import Call, Change
from shuanglu_signaling.domain.call_stores import Changed, Transition
from shuanglu_signaling.domain.call_table import CallState
from shuanglu_signaling.domain.guests import participants_of
from shuanglu_signaling.tables import CALLS, INVITATION_CODES, SESSIONS

Wake = Callable[[str, str], Awaitable[None]]
MOST_GOING_ON = 5000


class PostgresCalls:
    """The port `CallStore`."""

    def __init__(self, database: Database, clock: Clock, wake: Wake) -> None:
        """`wake` is told tenant and session of every change, after its commit; it does not fail."""
        self.database = database
        self.clock = clock
        self.wake = wake

    async def add(self, tenant: str, call: Call) -> Call:
        """Two at once: one row comes in, both read it."""
        statement = insert(CALLS).values(call_rows.call_values(tenant, call, self.clock.now_us()))
        async with self.database.transaction() as connection:
            await connection.execute(statement.on_conflict_do_nothing(index_elements=["tenant", "session_id"]))
        stored = await self.get(tenant, call.session_id)
        if stored is None:
            raise RuntimeError("a call that was just stored is gone: calls are never deleted")
        return stored

    async def get(self, tenant: str, session_id: str) -> Call | None:
        """By key."""
        query = select(CALLS.c.call).where(CALLS.c.tenant == tenant, CALLS.c.session_id == session_id)
        async with self.database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else call_rows.read_call(row.call)

    async def by_code(self, code_hash: str) -> tuple[str, str] | None:
        """By the hash of a code."""
        codes = INVITATION_CODES
        query = select(codes.c.tenant, codes.c.session_id).where(codes.c.code_hash == code_hash)
        async with self.database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (row.tenant, row.session_id)

    async def change(self, tenant: str, session_id: str, transition: Transition) -> Changed | None:
        """Row, events and the session's state stand or fall together."""
        key = (CALLS.c.tenant == tenant, CALLS.c.session_id == session_id)
        async with self.database.transaction() as connection:
            query = select(CALLS.c.call).where(*key).with_for_update()
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                return None
            before = call_rows.read_call(row.call)
            change = transition(before)
            if change.call == before:
                return Changed(before, before)
            change = change.numbered(before.revision + 1)
            values = call_rows.call_values(tenant, change.call, self.clock.now_us())
            await connection.execute(CALLS.update().where(*key).values(values))
            await self.write_codes(connection, tenant, before, change.call)
            await self.write_session(connection, tenant, before, change.call)
            await self.write_events(connection, tenant, change)
        count(change.events)
        await self.wake(tenant, session_id)
        return Changed(before, change.call)

    async def write_codes(self, connection: AsyncConnection, tenant: str, before: Call, after: Call) -> None:
        """Codes of new invitations."""
        fresh = after.invitations[len(before.invitations) :]
        for each in fresh:
            values = {"code_hash": each.code_hash, "tenant": tenant, "session_id": after.session_id}
            await connection.execute(INVITATION_CODES.insert().values(values))

    async def write_session(self, connection: AsyncConnection, tenant: str, before: Call, after: Call) -> None:
        """Third persons, and what the call means for the session."""
        begun = bool(after.started_at_us) and not before.started_at_us
        nothing = after.empty and not before.empty
        joined = len(after.people) > len(before.people)
        if not (begun or nothing or joined):
            return
        key = (SESSIONS.c.tenant == tenant, SESSIONS.c.session_id == after.session_id)
        row = (await connection.execute(select(SESSIONS).where(*key).with_for_update())).one()
        now_us, progress = self.clock.now_us(), rows.read_progress(row)
        if begun:
            progress = progress.call_recording(now_us)
        if nothing:
            progress = progress.call_empty(now_us)
        values = rows.progress_values(progress)
        if joined:
            values["participants"] = [[each.participant_id, each.role.value] for each in participants_of(after)]
        await connection.execute(SESSIONS.update().where(*key).values(values))

    async def write_events(self, connection: AsyncConnection, tenant: str, change: Change) -> None:
        """Into the outbox; the revision tells the same kind of event of one call apart."""
        for index, event in enumerate(change.events):
            key = f"{change.call.revision}/{index}"
            new = NewEvent(tenant, change.call.session_id, call_rows.payload_of(event), key)
            await self.database.outbox.add(connection, new)

    async def going_on(self) -> Sequence[tuple[str, Call]]:
        """Walks the index `calls_going_on`."""
        query = select(CALLS.c.tenant, CALLS.c.call).where(CALLS.c.state != CallState.ENDED.value).limit(MOST_GOING_ON)
        async with self.database.transaction() as connection:
            found = (await connection.execute(query)).all()
        return [(row.tenant, call_rows.read_call(row.call)) for row in found]
