"""Resources, leases and beacons in PostgreSQL. Its clock is the one that leases run by."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Row, cast, func, select
from sqlalchemy.dialects.postgresql import insert

from shuanglu_common.database import Database
from shuanglu_signaling.domain.call_ports import Seat
from shuanglu_signaling.domain.whip_resource import Resource, Way
from shuanglu_signaling.whip_tables import MEDIA_NODES, REPLICAS, WHIP_RESOURCES

TABLE = WHIP_RESOURCES.c
NOW_US = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)


def read(row: Row[Any]) -> Resource:
    """A resource of a row."""
    seat = Seat(row.tenant, row.session_id, row.participant_id, row.seat_connection, row.node, row.file_prefix)
    return Resource(
        row.resource_id,
        seat,
        Way(row.way),
        row.watched,
        row.connection,
        row.janus_session,
        row.janus_handle,
        row.etag,
        row.remote,
    )


class PostgresResources:
    """The ports `ResourceStore`, `Leases` and `Beacons`, for one replica."""

    def __init__(self, database: Database, replica_id: str, lease_s: float) -> None:
        """`lease_s`: a replica that has not beaten for so long is dead."""
        self.database = database
        self.replica_id = replica_id
        self.lease_s = lease_s

    async def add(self, resource: Resource) -> None:
        """As this replica's."""
        seat = resource.seat
        values = {
            "tenant": seat.tenant,
            "session_id": seat.session_id,
            "resource_id": resource.resource_id,
            "participant_id": seat.participant_id,
            "way": resource.way.value,
            "watched": resource.watched,
            "connection": resource.connection,
            "seat_connection": seat.connection,
            "node": seat.node,
            "file_prefix": seat.file_prefix,
            "janus_session": resource.janus_session,
            "janus_handle": resource.janus_handle,
            "etag": resource.etag,
            "remote": resource.remote,
            "owner": self.replica_id,
        }
        async with self.database.transaction() as connection:
            await connection.execute(WHIP_RESOURCES.insert().values(values))

    async def get(self, tenant: str, session_id: str, resource_id: str) -> Resource | None:
        """By key."""
        query = select(WHIP_RESOURCES).where(
            TABLE.tenant == tenant, TABLE.session_id == session_id, TABLE.resource_id == resource_id
        )
        async with self.database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else read(row)

    async def find(self, tenant: str, session_id: str) -> Sequence[Resource]:
        """All of a session."""
        query = select(WHIP_RESOURCES).where(TABLE.tenant == tenant, TABLE.session_id == session_id)
        async with self.database.transaction() as connection:
            return [read(row) for row in await connection.execute(query)]

    async def change(self, resource: Resource) -> None:
        """Tag, description and owner."""
        values = {"etag": resource.etag, "remote": resource.remote, "owner": self.replica_id}
        async with self.database.transaction() as connection:
            await connection.execute(WHIP_RESOURCES.update().where(*_key(resource)).values(values))

    async def remove(self, resource: Resource) -> bool:
        """Whoever removes it first tells of it."""
        async with self.database.transaction() as connection:
            removed = await connection.execute(WHIP_RESOURCES.delete().where(*_key(resource)))
        return removed.rowcount > 0

    async def beat(self) -> bool:
        """A row that is gone was taken over."""
        mine = REPLICAS.update().where(REPLICAS.c.replica_id == self.replica_id).values(beat_at_us=NOW_US)
        async with self.database.transaction() as connection:
            if (await connection.execute(mine)).rowcount:
                return True
            fresh = insert(REPLICAS).values(replica_id=self.replica_id, beat_at_us=NOW_US)
            await connection.execute(fresh.on_conflict_do_nothing())
        return False

    async def owned(self) -> Sequence[Resource]:
        """What is this replica's."""
        async with self.database.transaction() as connection:
            rows = await connection.execute(select(WHIP_RESOURCES).where(TABLE.owner == self.replica_id))
            return [read(row) for row in rows]

    async def take_over(self) -> Sequence[Resource]:
        """The dead replica's row is locked, so that one of the survivors gets all of it."""
        stale = REPLICAS.c.beat_at_us < NOW_US - int(self.lease_s * 1_000_000)
        query = select(REPLICAS.c.replica_id).where(stale).with_for_update(skip_locked=True)
        async with self.database.transaction() as connection:
            dead = list((await connection.execute(query)).scalars())
            if not dead:
                return []
            taken = WHIP_RESOURCES.update().where(TABLE.owner.in_(dead)).values(owner=self.replica_id)
            rows = (await connection.execute(taken.returning(WHIP_RESOURCES))).all()
            await connection.execute(REPLICAS.delete().where(REPLICAS.c.replica_id.in_(dead)))
        return [read(row) for row in rows]

    async def leave(self) -> None:
        """As if it had not beaten for long."""
        long_ago = REPLICAS.update().where(REPLICAS.c.replica_id == self.replica_id).values(beat_at_us=0)
        async with self.database.transaction() as connection:
            await connection.execute(long_ago)

    async def beacon(self, node: str) -> str:
        """Empty before the first."""
        query = select(MEDIA_NODES.c.beacon).where(MEDIA_NODES.c.node == node)
        async with self.database.transaction() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or ""

    async def replace(self, node: str, before: str, after: str) -> Sequence[Resource] | None:
        """Only if nobody has replaced it since `before` was read."""
        fresh = insert(MEDIA_NODES).values(node=node, beacon="").on_conflict_do_nothing()
        known = select(MEDIA_NODES.c.beacon).where(MEDIA_NODES.c.node == node).with_for_update()
        async with self.database.transaction() as connection:
            await connection.execute(fresh)
            if (await connection.execute(known)).scalar_one() != before:
                return None
            await connection.execute(MEDIA_NODES.update().where(MEDIA_NODES.c.node == node).values(beacon=after))
            gone = WHIP_RESOURCES.delete().where(TABLE.node == node).returning(WHIP_RESOURCES)
            return [read(row) for row in await connection.execute(gone)]


def _key(resource: Resource) -> tuple[Any, ...]:
    seat = resource.seat
    return (
        TABLE.tenant == seat.tenant,
        TABLE.session_id == seat.session_id,
        TABLE.resource_id == resource.resource_id,
    )
