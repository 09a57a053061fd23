"""Sessions that were there before: rows, folds and what follows, cloned from one that really went through.

Every row of every service that names the template's session is copied with other ids, so that each query meets tables,
indexes and buckets as large as after as many imports. Objects are not copied: no query of ours lists them.
"""

import asyncio
import json
import secrets
from dataclasses import dataclass

import asyncpg  # type: ignore[import-untyped]
import nats
from nats.js.errors import NoKeysError, NotFoundError
from nats.js.kv import KeyValue

from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.postgres_server import DATABASE, SUPERUSER
from shuanglu_stack.stack import EmbeddedStack

SCHEMAS = ("signaling", "media_ingest", "quality", "report")
HOUR_US = 3_600_000_000
TIMEOUT_S = 300
PUT_TOGETHER = 64
TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema = ANY($1) AND table_type = 'BASE TABLE' AND table_name NOT IN ('alembic_version', 'outbox')
"""
# A row as JSON, its ids replaced by the copy's wherever they stand, and made a row again.
COPY = """
INSERT INTO {table} OVERRIDING USER VALUE
SELECT (jsonb_populate_record(NULL::{table}, own.row)).*
FROM (SELECT to_jsonb(t)::text AS text FROM {table} t WHERE to_jsonb(t)::text LIKE ANY($1)) AS one
CROSS JOIN unnest($2::text[], $3::bigint[]) AS copy(suffix, earlier_us)
CROSS JOIN LATERAL (
  SELECT coalesce(
    jsonb_set(replaced, '{{created_at_us}}', to_jsonb((replaced->>'created_at_us')::bigint - earlier_us), false),
    replaced
  )
  FROM (SELECT shuanglu_bench_copy(one.text, $4, copy.suffix)::jsonb AS replaced) AS r
) AS own(row)
ON CONFLICT DO NOTHING
"""
FUNCTION = """
CREATE OR REPLACE FUNCTION public.shuanglu_bench_copy(body text, ids text[], suffix text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE id text;
BEGIN
  FOREACH id IN ARRAY ids LOOP
    body := replace(body, id, left(id, length(id) - length(suffix)) || suffix);
  END LOOP;
  RETURN body;
END $$
"""


@dataclass(frozen=True, slots=True)
class Ids:
    """What names the template: session, order, its number, import, report; each at least 8 characters."""

    session_id: str
    order_id: str
    others: tuple[str, ...]

    @property
    def all(self) -> list[str]:
        """All of them."""
        return [self.session_id, self.order_id, *self.others]


@dataclass(frozen=True, slots=True)
class Reads:
    """Counters of the database since it was made."""

    statements: int
    rows_read: int


class History:
    """The database and the bus of a stack, from outside."""

    def __init__(self, stack: EmbeddedStack) -> None:
        """Nothing is asked yet."""
        self._stack = stack

    def count_statements(self) -> None:
        """Have the server write each statement to its log: its own counters of statements need a restart."""
        asyncio.run(self._execute("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()"))

    def reads(self) -> Reads:
        """Statements and rows so far. The log is large: ask seldom."""
        return asyncio.run(self._reads())

    def reports(self) -> int:
        """Reports that are there."""
        return asyncio.run(self._count("SELECT count(*) FROM report.reports"))

    def seed(self, session_id: str, copies: int) -> int:
        """So many copies of a session; rows that were made."""
        return asyncio.run(self._seed(session_id, copies))

    async def _connect(self) -> asyncpg.Connection:
        stack = self._stack
        return await asyncpg.connect(
            host=LOOPBACK,
            port=stack.ports["postgres"],
            user=SUPERUSER,
            password=stack.keys.postgres_password,
            database=DATABASE,
            command_timeout=TIMEOUT_S,
        )

    async def _execute(self, *statements: str) -> None:
        connection = await self._connect()
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def _count(self, query: str) -> int:
        connection = await self._connect()
        try:
            return int(await connection.fetchval(query))
        finally:
            await connection.close()

    async def _reads(self) -> Reads:
        connection = await self._connect()
        try:
            await connection.execute("SELECT pg_stat_force_next_flush()")
            rows = await connection.fetchval(
                "SELECT tup_returned + tup_fetched FROM pg_stat_database WHERE datname = $1", DATABASE
            )
        finally:
            await connection.close()
        log = self._stack.log_file("postgres")
        lines = 0
        for file in (log.with_suffix(".log.1"), log):
            if file.exists():
                with file.open("rb") as opened:
                    lines += sum(b"LOG:  execute " in line or b"LOG:  statement: " in line for line in opened)
        return Reads(lines, int(rows))

    async def _seed(self, session_id: str, copies: int) -> int:
        ids = await self._ids(session_id)
        suffixes = [secrets.token_hex(4) for _ in range(copies)]
        made = await self._copy_rows(ids, suffixes)
        await self._copy_folds(session_id, suffixes)
        return made

    async def _ids(self, session_id: str) -> Ids:
        connection = await self._connect()
        try:
            session = await connection.fetchrow(
                "SELECT order_id, idempotency_key FROM signaling.sessions WHERE session_id = $1", session_id
            )
            order_id = session["order_id"]
            order_no = await connection.fetchval("SELECT order_no FROM signaling.orders WHERE order_id = $1", order_id)
            imports = await connection.fetch(
                "SELECT import_id, content_key FROM media_ingest.imports WHERE session_id = $1", session_id
            )
            reports = await connection.fetch("SELECT report_id FROM report.reports WHERE session_id = $1", session_id)
        finally:
            await connection.close()
        others = [order_no, session["idempotency_key"]]
        others += [value for row in (*imports, *reports) for value in row.values()]
        return Ids(session_id, order_id, tuple(other for other in others if other))

    async def _copy_rows(self, ids: Ids, suffixes: list[str]) -> int:
        connection = await self._connect()
        made = 0
        try:
            await connection.execute(FUNCTION)
            earlier = [HOUR_US * (number + 1) // 60 for number in range(len(suffixes))]
            patterns = [f"%{json.dumps(one)[1:-1]}%" for one in (ids.session_id, ids.order_id)]
            for schema, table in await connection.fetch(TABLES, list(SCHEMAS)):
                statement = COPY.format(table=f"{schema}.{table}")
                made += int((await connection.execute(statement, patterns, suffixes, earlier, ids.all)).split()[-1])
            await connection.execute("DROP FUNCTION public.shuanglu_bench_copy", timeout=TIMEOUT_S)
            await connection.execute("ANALYZE")
        finally:
            await connection.close()
        return made

    async def _copy_folds(self, session_id: str, suffixes: list[str]) -> None:
        """Every key of every bucket that names the session, again under each copy's name."""
        client = await nats.connect(self._stack.nats_url)
        try:
            jetstream = client.jetstream()
            for name in [one.config.name for one in await jetstream.streams_info()]:
                if not name or not name.startswith("KV_"):
                    continue
                bucket = await jetstream.key_value(name.removeprefix("KV_"))
                try:
                    keys = [key for key in await bucket.keys() if session_id in key]
                except (NoKeysError, NotFoundError):
                    continue
                for key in keys:
                    value = (await bucket.get(key)).value or b""
                    for at in range(0, len(suffixes), PUT_TOGETHER):
                        copies = [session_id[:-8] + suffix for suffix in suffixes[at : at + PUT_TOGETHER]]
                        await asyncio.gather(*(_put(bucket, key, value, session_id, copy) for copy in copies))
        finally:
            await client.close()


async def _put(bucket: KeyValue, key: str, value: bytes, session_id: str, copy: str) -> None:
    """An entry under a copy's name. Ids are equally long, so a value that names the session stays well formed."""
    await bucket.put(key.replace(session_id, copy), value.replace(session_id.encode(), copy.encode()))
