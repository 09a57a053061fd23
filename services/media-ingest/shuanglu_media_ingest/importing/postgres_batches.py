"""Batches in PostgreSQL: names, and which imports belong to them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import insert

from shuanglu_common.clock import Clock
from shuanglu_common.database import Database
from shuanglu_media_ingest.domain.batches import MAX_BATCH, Batch, BatchPlace, Item
from shuanglu_media_ingest.domain.imports import ENDED, RETRYABLE, Import, ImportState
from shuanglu_media_ingest.errors import BatchFull, BatchNotFound
from shuanglu_media_ingest.tables import BATCH_ITEMS, BATCHES, IMPORTS, import_of

# Tracks can be long and are not shown in lists.
LISTED = [column for column in IMPORTS.c if column.name != "tracks"]


class PostgresBatches:
    """The port `Batches` of batching.py."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """`database`: of the schema `media_ingest`."""
        self._database, self._clock = database, clock

    async def open(self, tenant: str, batch_id: str, more: int) -> None:
        """See Batches."""
        count = select(func.count()).where(BATCH_ITEMS.c.tenant == tenant, BATCH_ITEMS.c.batch_id == batch_id)
        values = {"tenant": tenant, "batch_id": batch_id, "created_at_us": self._clock.now_us()}
        async with self._database.transaction() as connection:
            if (await connection.execute(count)).scalar_one() + more > MAX_BATCH:
                raise BatchFull(f"A batch has at most {MAX_BATCH} items.")
            await connection.execute(insert(BATCHES).values(values).on_conflict_do_nothing())

    async def add(self, tenant: str, batch_id: str, import_ids: Sequence[str]) -> None:
        """See Batches."""
        if not import_ids:
            return
        rows = [{"tenant": tenant, "batch_id": batch_id, "import_id": import_id} for import_id in import_ids]
        async with self._database.transaction() as connection:
            await connection.execute(insert(BATCH_ITEMS).values(rows).on_conflict_do_nothing())

    async def get(self, tenant: str, batch_id: str) -> Batch:
        """See Batches."""
        found = await self._batches(tenant, [batch_id])
        if not found:
            raise BatchNotFound
        return found[0]

    async def page(self, tenant: str, after: BatchPlace | None, size: int) -> Sequence[Batch]:
        """See Batches."""
        wanted = [BATCHES.c.tenant == tenant]
        if after is not None:
            earlier = BATCHES.c.created_at_us < after.created_at_us
            same = and_(BATCHES.c.created_at_us == after.created_at_us, BATCHES.c.batch_id < after.batch_id)
            wanted.append(earlier | same)
        order = (BATCHES.c.created_at_us.desc(), BATCHES.c.batch_id.desc())
        async with self._database.transaction() as connection:
            rows = await connection.execute(select(BATCHES.c.batch_id).where(*wanted).order_by(*order).limit(size))
            ids = list(rows.scalars())
        return await self._batches(tenant, ids)

    async def items(
        self, tenant: str, batch_id: str, after: int, size: int, states: Sequence[ImportState] = ()
    ) -> Sequence[Item]:
        """See Batches."""
        wanted = [BATCH_ITEMS.c.tenant == tenant, BATCH_ITEMS.c.batch_id == batch_id, BATCH_ITEMS.c.position > after]
        if states:
            wanted.append(IMPORTS.c.state.in_([state.value for state in states]))
        statement = (
            select(BATCH_ITEMS.c.position, *LISTED)
            .join(IMPORTS, _same_import())
            .where(*wanted)
            .order_by(BATCH_ITEMS.c.position)
            .limit(size)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return [Item(row["position"], import_of({**row, "tracks": ()})) for row in rows]

    async def made_here(self, tenant: str, batch_id: str, *, ended: bool) -> Sequence[Import]:
        """See Batches."""
        states = RETRYABLE if ended else frozenset(ImportState) - ENDED
        statement = (
            select(*LISTED)
            .join(BATCH_ITEMS, _same_import())
            .where(
                BATCH_ITEMS.c.tenant == tenant,
                BATCH_ITEMS.c.batch_id == batch_id,
                IMPORTS.c.batch_id == batch_id,
                IMPORTS.c.state.in_([state.value for state in states]),
            )
            .order_by(BATCH_ITEMS.c.position)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return [import_of({**row, "tracks": ()}) for row in rows]

    async def _batches(self, tenant: str, batch_ids: Sequence[str]) -> list[Batch]:
        """In the order of `batch_ids`; those that do not exist are left out."""
        bare = select(BATCHES).where(BATCHES.c.tenant == tenant, BATCHES.c.batch_id.in_(list(batch_ids)))
        counts = (
            select(
                BATCH_ITEMS.c.batch_id,
                IMPORTS.c.state,
                func.count().label("number"),
                func.coalesce(func.sum(IMPORTS.c.upload_bytes), 0).label("upload_bytes"),
            )
            .join(IMPORTS, _same_import())
            .where(BATCH_ITEMS.c.tenant == tenant, BATCH_ITEMS.c.batch_id.in_(list(batch_ids)))
            .group_by(BATCH_ITEMS.c.batch_id, IMPORTS.c.state)
        )
        async with self._database.transaction() as connection:
            created = {row.batch_id: row.created_at_us for row in await connection.execute(bare)}
            rows = (await connection.execute(counts)).all()
        found: list[Batch] = []
        for batch_id in batch_ids:
            if batch_id in created:
                own = {ImportState(row.state): row for row in rows if row.batch_id == batch_id}
                stored = own.get(ImportState.STORED)
                found.append(
                    Batch(
                        batch_id=batch_id,
                        created_at_us=created[batch_id],
                        counts={state: int(own[state].number) for state in ImportState if state in own},
                        upload_bytes=sum(int(row.upload_bytes) for row in own.values()),
                        stored_upload_bytes=int(stored.upload_bytes) if stored else 0,
                    )
                )
        return found


def _same_import() -> Any:
    return and_(IMPORTS.c.tenant == BATCH_ITEMS.c.tenant, IMPORTS.c.import_id == BATCH_ITEMS.c.import_id)
