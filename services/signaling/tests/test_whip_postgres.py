"""Resources, leases and beacons in a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from real_database import open_database, running_postgres
from sqlalchemy import text
from whip_doubles import AGENT, SEAT

from shuanglu_common.database import Database
from shuanglu_signaling.domain.whip_resource import Resource, Way
from shuanglu_signaling.whip_postgres import PostgresResources

pytestmark = pytest.mark.integration
LEASE_S = 0.3
TABLES = ("signaling.whip_resources", "signaling.replicas", "signaling.media_nodes")
PUBLISHED = Resource("r1", SEAT, Way.PUBLISH, "", 1, 2**50, 2**51, "tag", "v=0")
WATCHED = Resource("r2", AGENT, Way.WATCH, "customer", 1, 7, 8, "tag", "")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as address:
        yield address


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as opened:
        async with opened.transaction() as connection:
            await connection.execute(
                text("truncate signaling.whip_resources, signaling.replicas, signaling.media_nodes")
            )
        yield opened


async def test_a_resource_is_found_changed_and_removed_once(database: Database) -> None:
    store = PostgresResources(database, "a", LEASE_S)
    await store.add(PUBLISHED)
    await store.add(WATCHED)
    assert await store.get("demo", "session-1", "r1") == PUBLISHED
    assert await store.get("other", "session-1", "r1") is None
    assert {each.resource_id for each in await store.find("demo", "session-1")} == {"r1", "r2"}
    changed = replace(WATCHED, etag="next", remote="v=0 answered")
    await store.change(changed)
    assert await store.get("demo", "session-1", "r2") == changed
    assert [await store.remove(PUBLISHED), await store.remove(PUBLISHED)] == [True, False]


async def test_connections_of_a_silent_replica_go_to_one_of_the_others(database: Database) -> None:
    dead, *others = (PostgresResources(database, name, LEASE_S) for name in "abc")
    for store in (dead, *others):
        assert not await store.beat()
        assert await store.beat()
    await dead.add(PUBLISHED)
    await dead.add(WATCHED)
    assert [await store.take_over() for store in others] == [[], []]
    await asyncio.sleep(2 * LEASE_S)
    for store in others:
        assert await store.beat()
    taken = await asyncio.gather(*(store.take_over() for store in others))
    assert sorted(len(each) for each in taken) == [0, 2]
    assert await dead.owned() == []
    # It learns of it at its next beat.
    assert not await dead.beat()


async def test_a_replica_that_leaves_is_taken_over_at_once(database: Database) -> None:
    leaving, other = PostgresResources(database, "a", 60), PostgresResources(database, "b", 60)
    await leaving.beat()
    await leaving.add(PUBLISHED)
    await leaving.leave()
    assert await other.take_over() == [PUBLISHED]


async def test_a_beacon_is_replaced_by_one_and_takes_the_connections_of_its_node_along(database: Database) -> None:
    one, other = PostgresResources(database, "a", LEASE_S), PostgresResources(database, "b", LEASE_S)
    elsewhere = replace(WATCHED, resource_id="r3", seat=replace(AGENT, node="media-2"))
    assert await one.beacon("media-1") == ""
    assert await one.replace("media-1", "", "first") == []
    for resource in (PUBLISHED, WATCHED, elsewhere):
        await one.add(resource)
    results = await asyncio.gather(one.replace("media-1", "first", "A"), other.replace("media-1", "first", "B"))
    (gone,) = [result for result in results if result is not None]
    assert {each.resource_id for each in gone} == {"r1", "r2"}
    assert await one.beacon("media-1") in {"A", "B"}
    assert await one.find("demo", "session-1") == [elsewhere]
