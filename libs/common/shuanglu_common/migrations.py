"""Alembic for a service's schema; safe to run twice and by several at once (an advisory lock in PostgreSQL).

A service has `<package>/migrations/env.py` that calls `run_env()` from here, and its versions beside it.
"""

import asyncio
import ssl
import zlib
from importlib import resources

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


def upgrade(url: str, package: str, schema: str, tls: ssl.SSLContext | None = None) -> None:
    """Bring a schema to the newest version. Raises SQLAlchemy and connection errors."""
    config = Config()
    config.set_main_option("script_location", str(resources.files(package) / "migrations"))
    config.attributes.update(url=url, schema=schema, tls=tls)
    command.upgrade(config, "head")


def run_env() -> None:
    """What a service's env.py does."""
    attributes = context.config.attributes
    asyncio.run(migrate(attributes["url"], attributes["schema"], attributes["tls"]))


async def migrate(url: str, schema: str, tls: ssl.SSLContext | None) -> None:
    """Run the migrations on a connection of their own."""
    arguments = {"timeout": 10, **({"ssl": tls} if tls else {})}
    engine = create_async_engine(url, poolclass=NullPool, connect_args=arguments)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run_locked, schema)
            await connection.commit()
    finally:
        await engine.dispose()


def run_locked(connection: Connection, schema: str) -> None:
    """One migration at a time for a schema."""
    connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": zlib.crc32(schema.encode())})
    connection.execute(sa.text(f'create schema if not exists "{schema}"'))
    context.configure(connection=connection, version_table_schema=schema, transactional_ddl=False)
    context.run_migrations()


def create_outbox(op: Operations, schema: str) -> None:
    """The table of `shuanglu_common.database.outbox_table`."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("tenant", sa.String(39), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("event_id", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("headers", JSONB, nullable=False),
        schema=schema,
    )
