"""A PostgreSQL of the tests' own, with the service's schema."""

import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import text

from shuanglu_common import migrations
from shuanglu_common.clock import SystemClock
from shuanglu_common.database import Database
from shuanglu_signaling.tables import SCHEMA
from shuanglu_stack.postgres_server import database_url, ensure_database, is_ready, postgres_command
from shuanglu_stack.process import ManagedProcess, Spawner

START_TIMEOUT_S = 60
PACKAGE = "shuanglu_signaling"
TABLES = ("orders", "sessions", "calls", "invitation_codes", "outbox")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Its address; the schema is there."""
    password, port, spawner = secrets.token_hex(8), free_port(), Spawner()
    server = ManagedProcess(postgres_command(folder, folder / "logs", port, password), spawner)
    server.start()
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        address = database_url(port, password)
        # Both run an event loop of their own, and this thread may have one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(ensure_database, port, password).result()
            thread.submit(migrations.upgrade, address, PACKAGE, SCHEMA).result()
        yield address
    finally:
        server.stop()
        spawner.close()


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """The schema, empty."""
    database = Database(url, SCHEMA, SystemClock(), "signaling")
    async with database.transaction() as connection:
        await connection.execute(text("truncate " + ", ".join(f"{SCHEMA}.{table}" for table in TABLES)))
    yield database
    await database.close()
