"""What the bus tells of a session, on a real NATS server."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import nats
import pytest
from nats.aio.client import Client
from report_examples import SESSION, TENANT

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested
from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_common.bus.bus import Bus, BusUnavailable
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.clock import SystemClock
from shuanglu_report.bus_feed import BusInspectionFeed
from shuanglu_report.errors import SessionNotFound
from shuanglu_report.ports import InspectionNews, LastNews
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.process import ManagedProcess, Spawner

pytestmark = pytest.mark.integration
PASSWORD = "test-only"
START_TIMEOUT_S = 20


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nats")
    ports = choose_ports(["bus", "monitor"], "free", 0, 0)
    spawner = Spawner()
    server = ManagedProcess(nats_command(folder, folder, ports["bus"], ports["monitor"], PASSWORD), spawner)
    server.start()
    try:
        yield nats_url(ports["bus"], PASSWORD)
    finally:
        server.stop()
        spawner.close()


async def connected(url: str) -> Client:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return await nats.connect(url, allow_reconnect=False)
        except (OSError, nats.errors.Error):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    client = await connected(url)
    await ensure_streams(client.jetstream())
    yield Bus(client, "tester", SystemClock())
    await client.close()


async def tell(bus: Bus, payload: InspectionNews, session_id: str, key: str = "") -> None:
    await bus.publish(NewEvent(TENANT, session_id, payload, key or str(payload)))


async def test_news_of_the_session_are_heard_and_no_others(bus: Bus) -> None:
    async with BusInspectionFeed(bus.client).follow(TENANT, SESSION) as news:
        await tell(bus, InspectionProgressed(observed=1, expected=9), "other-session")
        await tell(bus, InspectionProgressed(observed=2, expected=9), SESSION)
        await tell(bus, ReportReady(verdict=Outcome.OUTCOME_PASS), SESSION)
        assert await news.next(2) == InspectionProgressed(observed=2, expected=9)
        assert await news.next(2) == ReportReady(verdict=Outcome.OUTCOME_PASS)
        assert await news.next(0.05) is None


async def test_a_caller_that_does_not_read_loses_the_oldest_news(bus: Bus) -> None:
    async with BusInspectionFeed(bus.client).follow(TENANT, "slow") as news:
        for number in range(1, 101):
            await tell(bus, InspectionProgressed(observed=number), "slow")
        await asyncio.sleep(0.2)
        first = await news.next(2)
    assert isinstance(first, InspectionProgressed)
    assert first.observed == 37


async def test_the_last_news_are_known_without_having_listened(bus: Bus) -> None:
    feed = BusInspectionFeed(bus.client)
    assert await feed.last(TENANT, "past") == LastNews()
    await tell(bus, ImportRequested(import_id="1"), "past")
    await tell(bus, InspectionProgressed(observed=1), "past")
    await tell(bus, InspectionProgressed(observed=4), "past")
    assert await feed.last(TENANT, "past") == LastNews(progress=InspectionProgressed(observed=4), requested=True)
    assert await feed.last("bank-b", "past") == LastNews()


async def test_a_failure_counts_until_another_import_is_requested(bus: Bus) -> None:
    feed = BusInspectionFeed(bus.client)
    await tell(bus, ImportRequested(import_id="1"), "twice")
    await tell(bus, ImportFailed(import_id="1", reason="NOT_A_RECORDING"), "twice")
    assert (await feed.last(TENANT, "twice")).failure == ImportFailed(import_id="1", reason="NOT_A_RECORDING")
    await tell(bus, ImportRequested(import_id="2"), "twice")
    assert (await feed.last(TENANT, "twice")).failure is None


async def test_what_is_no_event_is_passed_over(bus: Bus) -> None:
    async with BusInspectionFeed(bus.client).follow(TENANT, "noise") as news:
        await bus.client.publish(f"report.v1.{TENANT}.noise.report_ready", b"noise")
        await tell(bus, ReportReady(), "noise")
        assert await news.next(2) == ReportReady()


async def test_an_id_that_would_widen_the_subject_is_no_session(bus: Bus) -> None:
    feed = BusInspectionFeed(bus.client)
    for session_id in ("*", ">", "a.b", ""):
        with pytest.raises(SessionNotFound):
            async with feed.follow(TENANT, session_id):
                pass
        with pytest.raises(SessionNotFound):
            await feed.last(TENANT, session_id)


async def test_a_bus_that_is_away_is_said_to_be(url: str) -> None:
    client = await connected(url)
    await client.close()
    feed = BusInspectionFeed(client)
    with pytest.raises(BusUnavailable):
        await feed.last(TENANT, SESSION)
    with pytest.raises(BusUnavailable):
        async with feed.follow(TENANT, SESSION):
            pass
