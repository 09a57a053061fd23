"""The queue is the table `imports`: claimed in the order of domain/scheduling.py, watched as domain/leases.py says.

Claims of all processes follow one another (an advisory lock for the length of one short transaction), so that shares
are counted right. Each statement reads an index that is as long as what waits or is in work, not as history.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shuanglu_common.clock import Clock
from shuanglu_common.database import Database
from shuanglu_media_ingest.domain.imports import Import, ImportState
from shuanglu_media_ingest.domain.leases import Beat
from shuanglu_media_ingest.domain.queue import Answer, Sight, Waiting
from shuanglu_media_ingest.domain.scheduling import Head, Share, choose
from shuanglu_media_ingest.tables import IMPORTS, SHARES, import_of

CLAIM_LOCK = 0x73_6C_71_75
# A delay longer than any that is ever set is the work of a clock that was put back.
LONGEST_DELAY_US = 600_000_000

# Tenants one after the other by the index (a loose index scan), then the oldest of each size class.
HEADS = text(
    """
    with recursive waiting(tenant) as (
      (select tenant from media_ingest.imports where state = 'ACCEPTED' order by tenant limit 1)
      union all
      select (select i.tenant from media_ingest.imports i
              where i.state = 'ACCEPTED' and i.tenant > waiting.tenant order by i.tenant limit 1)
      from waiting where waiting.tenant is not null
    )
    select head.* from waiting
    cross join (values (true), (false)) as class(small)
    cross join lateral (
      select i.tenant, i.import_id, i.small, i.upload_bytes, i.created_at_us from media_ingest.imports i
      where i.state = 'ACCEPTED' and i.tenant = waiting.tenant and i.small = class.small and not i.cancel_requested
        and (i.not_before_us <= :now_us or i.not_before_us > :far_us)
      order by i.created_at_us, i.import_id limit 1
    ) as head
    where waiting.tenant is not null
    """
)
LOOK = text(
    """
    select tenant, import_id, lease, beat, false as waiting, false as to_cancel
    from media_ingest.imports where state = 'STORING'
    union all
    select '', '', '', 0, exists (select from media_ingest.imports where state = 'ACCEPTED'),
      exists (select from media_ingest.imports where cancel_requested and state = 'ACCEPTED')
    """
)
LENGTHS = text(
    """
    select small, count(*) as length, min(created_at_us) as oldest_us
    from media_ingest.imports where state = 'ACCEPTED' group by small
    """
)


class PostgresQueue:
    """The port `Queue` of worker.py."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """`database`: of the schema `media_ingest`."""
        self._database, self._clock = database, clock

    async def claim(self, lease: str, *, small_only: bool) -> Import | None:
        """See Queue."""
        now_us = self._clock.now_us()
        times = {"now_us": now_us, "far_us": now_us + LONGEST_DELAY_US}
        async with self._database.transaction() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": CLAIM_LOCK})
            heads = [Head(**row) for row in (await connection.execute(HEADS, times)).mappings()]
            if not heads:
                return None
            shares = {row.tenant: _share(row) for row in await connection.execute(select(SHARES))}
            choice = choose(heads, shares, small_only=small_only)
            if choice is None:
                return None
            head = choice.head
            taken = await self._take(connection, head.tenant, head.import_id, lease, {"waiting_for": ""})
            if taken is not None:
                await connection.execute(_keep_share(head.tenant, choice.share))
        return taken

    async def claim_cancelled(self, lease: str) -> Import | None:
        """See Queue."""
        waiting = (
            select(IMPORTS.c.tenant, IMPORTS.c.import_id)
            .where(IMPORTS.c.cancel_requested, IMPORTS.c.state == ImportState.ACCEPTED.value)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(waiting)).first()
            return None if row is None else await self._take(connection, row.tenant, row.import_id, lease, {})

    async def look(self) -> Sight:
        """See Queue."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(LOOK)).all()
        beats = [Beat(row.tenant, row.import_id, row.lease, row.beat) for row in rows if row.tenant]
        (whole,) = (row for row in rows if not row.tenant)
        return Sight(beats, whole.waiting, whole.to_cancel)

    async def take_over(self, abandoned: Beat, lease: str) -> Import | None:
        """See Queue."""
        async with self._database.transaction() as connection:
            return await self._take(
                connection, abandoned.tenant, abandoned.import_id, lease, {}, (abandoned.lease, abandoned.count)
            )

    async def beat(self, record: Import) -> Answer:
        """See Queue."""
        statement = (
            update(IMPORTS)
            .where(*_held(record))
            .values(beat=IMPORTS.c.beat + 1, updated_at_us=self._clock.now_us())
            .returning(IMPORTS.c.cancel_requested)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).first()
        if row is None:
            return Answer.LOST
        return Answer.CANCEL if row.cancel_requested else Answer.GO_ON

    async def give_back(self, record: Import, waiting_for: str, delay_s: float, *, excused: bool) -> bool:
        """See Queue."""
        now_us = self._clock.now_us()
        statement = (
            update(IMPORTS)
            .where(*_held(record))
            .values(
                state=ImportState.ACCEPTED.value,
                lease="",
                waiting_for=waiting_for,
                outages=IMPORTS.c.outages + (1 if excused else 0),
                not_before_us=now_us + int(delay_s * 1_000_000),
                updated_at_us=now_us,
            )
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def lengths(self) -> Sequence[Waiting]:
        """See Queue."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as connection:
            rows = await connection.execute(LENGTHS)
            return [Waiting(row.small, row.length, max(0.0, (now_us - row.oldest_us) / 1e6)) for row in rows]

    async def _take(
        self,
        connection: AsyncConnection,
        tenant: str,
        import_id: str,
        lease: str,
        values: Mapping[str, Any],
        before: tuple[str, int] | None = None,
    ) -> Import | None:
        """Into work: from the queue, or from the worker that `before` (lease, beat) shows."""
        found = [IMPORTS.c.tenant == tenant, IMPORTS.c.import_id == import_id]
        if before is None:
            found.append(IMPORTS.c.state == ImportState.ACCEPTED.value)
        else:
            found += [
                IMPORTS.c.state == ImportState.STORING.value,
                IMPORTS.c.lease == before[0],
                IMPORTS.c.beat == before[1],
            ]
        statement = (
            update(IMPORTS)
            .where(*found)
            .values(
                state=ImportState.STORING.value,
                lease=lease,
                beat=IMPORTS.c.beat + 1,
                attempts=IMPORTS.c.attempts + 1,
                updated_at_us=self._clock.now_us(),
                **values,
            )
            .returning(IMPORTS)
        )
        row = (await connection.execute(statement)).mappings().first()
        return None if row is None else import_of(dict(row))


def _held(record: Import) -> tuple[Any, ...]:
    return (
        IMPORTS.c.tenant == record.tenant,
        IMPORTS.c.import_id == record.import_id,
        IMPORTS.c.state == ImportState.STORING.value,
        IMPORTS.c.lease == record.lease,
    )


def _share(row: Any) -> Share:
    return Share(int(row.start_bytes), int(row.end_bytes), row.overtaken)


def _keep_share(tenant: str, share: Share) -> Any:
    values = {"start_bytes": share.start, "end_bytes": share.end, "overtaken": share.overtaken}
    statement = insert(SHARES).values(tenant=tenant, **values)
    return statement.on_conflict_do_update(index_elements=["tenant"], set_=values)
