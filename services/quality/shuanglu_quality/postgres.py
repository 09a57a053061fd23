"""Strategies in PostgreSQL, schema `quality`. Rows are only ever added."""

from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Row, String, Table, Text, select
from sqlalchemy.dialects.postgresql import insert

from shuanglu_common.database import Database
from shuanglu_quality.builtin import BUILT_IN
from shuanglu_quality.strategies import StoredStrategy

SCHEMA = "quality"
strategies = Table(
    "strategies",
    MetaData(),
    Column("tenant", String(39), primary_key=True),
    Column("strategy_id", String(63), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("yaml", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("created_by", String(256), nullable=False),
    schema=SCHEMA,
)


class PostgresStrategies:
    """See strategies.StrategyRows."""

    def __init__(self, database: Database) -> None:
        """`database`: of schema `quality`."""
        self._database = database

    async def add(self, tenant: str, row: StoredStrategy) -> bool:
        """See StrategyRows."""
        statement = (
            insert(strategies)
            .values(
                tenant=tenant,
                strategy_id=row.strategy_id,
                version=row.version,
                yaml=row.yaml,
                created_at_us=row.created_at_us,
                created_by=row.created_by,
            )
            .on_conflict_do_nothing()
            .returning(strategies.c.version)
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).first() is not None

    async def get(self, tenant: str, strategy_id: str, version: str) -> StoredStrategy | None:
        """See StrategyRows."""
        table = strategies.c
        statement = select(strategies).where(
            table.tenant == tenant, table.strategy_id == strategy_id, table.version == version
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).first()
        return _stored(row) if row else None

    async def newest(self, tenant: str) -> list[StoredStrategy]:
        """See StrategyRows."""
        table = strategies.c
        statement = (
            select(strategies)
            .where(table.tenant == tenant)
            .order_by(
                table.strategy_id,
                (table.created_by == BUILT_IN).asc(),
                table.created_at_us.desc(),
                table.version,
            )
            .distinct(table.strategy_id)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(statement)).all()
        return [_stored(row) for row in rows]


def _stored(row: Row[Any]) -> StoredStrategy:
    return StoredStrategy(row.strategy_id, row.version, row.yaml, row.created_at_us, row.created_by)
