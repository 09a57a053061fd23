"""The stores on a real PostgreSQL keep the same promises as the fakes: one contract, both run it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from real_database import PACKAGE, open_database
from sqlalchemy import MetaData, select, text

from shuanglu_common import migrations
from shuanglu_common.clock import SystemClock
from shuanglu_common.database import Database
from shuanglu_common.sealing import SealBroken, Sealer
from shuanglu_signaling import whip_tables
from shuanglu_signaling.domain.listing import Cursor, SessionFilter
from shuanglu_signaling.domain.words import Channel, SessionState
from shuanglu_signaling.postgres import PostgresOrders, PostgresSessions
from shuanglu_signaling.tables import METADATA, ORDERS, SCHEMA


@dataclass
class Stores:
    """The three ports, and how to look behind them."""

    orders: Any
    sessions: Any
    database: Database | None

    async def published(self) -> list[str]:
        if self.database is None:
            return list(self.sessions.published)
        async with self.database.transaction() as connection:
            rows = await connection.execute(select(self.database.outbox.table.c.session_id).order_by(text("id")))
            return [row.session_id for row in rows]


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.integration)])
async def stores(request: pytest.FixtureRequest, desk: Any) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(desk.order_rows, desk.session_rows, None)
        return
    async with open_database(request.getfixturevalue("url")) as database:
        yield Stores(PostgresOrders(database, Sealer(b"m" * 32)), PostgresSessions(database), database)


async def test_an_order_comes_back_as_it_went_in(stores: Stores, build: Any) -> None:
    order = build.order(order_id="o-1", created_at_us=5)
    assert await stores.orders.add("demo", order) == order
    assert await stores.orders.get("demo", "o-1") == order
    assert await stores.orders.get("other", "o-1") is None
    assert await stores.orders.get("demo", "o-2") is None


async def test_the_first_order_of_a_number_stays(stores: Stores, build: Any) -> None:
    first = build.order(order_id="o-1")
    await stores.orders.add("demo", first)
    assert await stores.orders.add("demo", build.order(order_id="o-2", amount_fen=1)) == first
    assert await stores.orders.get("demo", "o-2") is None
    other = build.order(order_id="o-3")
    assert await stores.orders.add("other", other) == other


async def test_many_at_once_make_one_order(stores: Stores, build: Any) -> None:
    orders = [build.order(order_id=f"o-{number}") for number in range(8)]
    made = await asyncio.gather(*(stores.orders.add("demo", order) for order in orders))
    assert len({order.order_id for order in made}) == 1


async def test_a_session_comes_back_as_it_went_in(stores: Stores, build: Any) -> None:
    session = build.session(1, channel=Channel.COUNTER)
    assert (await stores.sessions.add("demo", session, "", "digest")).session == session
    assert await stores.sessions.get("demo", session.session_id) == session
    assert await stores.sessions.get("other", session.session_id) is None
    assert await stores.published() == [session.session_id]


async def test_a_key_opens_one_session_and_tells_once(stores: Stores, build: Any) -> None:
    sessions = [build.session(number) for number in range(8)]
    made = await asyncio.gather(*(stores.sessions.add("demo", each, "key-0001", "digest") for each in sessions))
    assert len({each.session.session_id for each in made}) == 1
    assert {each.request_digest for each in made} == {"digest"}
    assert await stores.published() == [made[0].session.session_id]
    assert await stores.sessions.by_key("demo", "key-0001") == made[0]
    assert await stores.sessions.by_key("other", "key-0001") is None


async def test_sessions_without_a_key_never_collide(stores: Stores, build: Any) -> None:
    for number in (1, 2):
        await stores.sessions.add("demo", build.session(number), "", "digest")
    assert len(await stores.published()) == 2


async def test_filters_and_pages(stores: Stores, build: Any) -> None:
    now_us = build.now_us
    made = [build.session(number, created_at_us=now_us + number // 2) for number in range(6)]
    made[1] = replace(made[1], order_id="order-2")
    made[2] = replace(made[2], channel=Channel.FIELD)
    made[3] = replace(made[3], progress=made[3].progress.report_ready(now_us + 9))
    for session in made:
        await stores.sessions.add("demo", session, "", "")
    await stores.sessions.add("other", build.session(9), "", "")

    async def shown(wanted: SessionFilter, after: Cursor | None = None, size: int = 50) -> list[int]:
        found = await stores.sessions.page("demo", wanted, after, size)
        return [int(session.session_id[-4:]) for session in found]

    assert await shown(SessionFilter()) == [5, 4, 3, 2, 1, 0]
    assert await shown(SessionFilter(), size=2) == [5, 4]
    assert await shown(SessionFilter(), Cursor(now_us + 1, "session-0003")) == [2, 1, 0]
    assert await shown(SessionFilter(order_id="order-2")) == [1]
    assert await shown(SessionFilter(channel=Channel.FIELD)) == [2]
    assert await shown(SessionFilter(state=SessionState.REPORTED)) == [3]
    assert await shown(SessionFilter(created_from_us=now_us + 1, created_to_us=now_us + 2)) == [3, 2]


async def test_no_fact_is_lost_between_workers(stores: Stores, build: Any) -> None:
    await stores.sessions.add("demo", build.session(1), "", "")
    ids = [f"import-{number}" for number in range(12)]

    def requested(import_id: str) -> Any:
        return lambda now: now.import_requested(import_id, build.now_us + 7)

    await asyncio.gather(*(stores.sessions.advance("demo", "session-0001", requested(each)) for each in ids))
    await stores.sessions.advance(
        "demo", "session-0001", lambda now: now.import_failed("import-0", "NO_MEDIA", build.now_us + 8)
    )
    progress = (await stores.sessions.get("demo", "session-0001")).progress
    assert progress.requested == set(ids)
    assert [failure.reason for failure in progress.failures] == ["NO_MEDIA"]
    assert progress.updated_at_us == build.now_us + 8
    assert progress.state is SessionState.RECORDING


async def test_what_does_not_exist_does_not_advance(stores: Stores, build: Any) -> None:
    await stores.sessions.add("demo", build.session(1), "", "")
    for tenant, session_id in (("other", "session-0001"), ("demo", "session-0002")):
        assert await stores.sessions.advance(tenant, session_id, lambda now: now.report_ready(1)) is None


@pytest.mark.integration
async def test_the_database_holds_no_name_and_no_number(url: str, build: Any) -> None:
    async with open_database(url) as database:
        await PostgresOrders(database, Sealer(b"m" * 32)).add("demo", build.order(order_id="o-1"))
        async with database.transaction() as connection:
            row = (await connection.execute(select(ORDERS))).one()
    stored = b" ".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    assert b"personal_loan" in stored
    assert "王小明".encode() not in stored
    assert b"1101051949" not in stored


@pytest.mark.integration
async def test_another_master_key_does_not_open_the_customer(url: str, build: Any) -> None:
    async with open_database(url) as database:
        await PostgresOrders(database, Sealer(b"m" * 32)).add("demo", build.order(order_id="o-1"))
        with pytest.raises(SealBroken):
            await PostgresOrders(database, Sealer(b"n" * 32)).get("demo", "o-1")


@pytest.mark.integration
async def test_migrations_make_the_tables_of_the_code_and_can_run_twice(url: str) -> None:
    await asyncio.to_thread(migrations.upgrade, url, PACKAGE, SCHEMA)
    database = Database(url, SCHEMA, SystemClock(), "signaling")
    found = MetaData(schema=SCHEMA)
    async with database.transaction() as connection:
        await connection.run_sync(found.reflect)
    await database.close()
    assert whip_tables.METADATA is METADATA
    for name, table in METADATA.tables.items():
        made = {column.name: (str(column.type), column.nullable) for column in found.tables[name].columns}
        wanted = {
            column.name: (str(column.type.compile(database.engine.dialect)), column.nullable)
            for column in table.columns
        }
        assert made == wanted
        assert {index.name for index in found.tables[name].indexes} == {index.name for index in table.indexes}


def test_the_package_brings_its_migrations() -> None:
    from shuanglu_signaling import tables

    assert (Path(tables.__file__).parent / "migrations" / "env.py").is_file()
