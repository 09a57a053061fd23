"""Connections, their events, and what follows when something dies; over a real WebSocket to a Janus of our own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from janus_double import SECRET, JanusDouble, running_janus
from whip_doubles import AGENT, SEAT, MemoryResources, NotedSeats, Shared

from shuanglu_signaling import janus as janus_module
from shuanglu_signaling import media_plane
from shuanglu_signaling.domain.sdp_publish import publish_offer
from shuanglu_signaling.domain.sdpfrag import parse_fragment
from shuanglu_signaling.domain.whip_resource import Way
from shuanglu_signaling.errors import RecorderUnavailable
from shuanglu_signaling.janus import Janus, JanusError
from shuanglu_signaling.janus_rooms import JanusRooms, RoomSettings
from shuanglu_signaling.media_plane import JanusMediaPlane, MediaNode
from shuanglu_signaling.whip_connections import Connections
from shuanglu_signaling.whip_errors import AlreadyAnswered, EtagChanged, NotAnswered, NothingToWatch, NotNegotiable

OFFER = publish_offer((Path(__file__).parent / "offers" / "chromium-publish.sdp").read_text())
FRAGMENT = parse_fragment(f"a=ice-ufrag:newu\r\na=ice-pwd:{'n' * 24}\r\na=end-of-candidates\r\n")
BEAT_S = 0.05
LEASE_S = 0.4


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_plane, "BEAT_S", BEAT_S)
    monkeypatch.setattr(media_plane, "LEASE_S", LEASE_S)
    monkeypatch.setattr(janus_module, "REQUEST_TIMEOUT_S", 0.5)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another task tells
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    shared: Shared, replica: str, *doubles: JanusDouble
) -> AsyncIterator[tuple[JanusMediaPlane, NotedSeats]]:
    """A replica with a media node for each double."""
    nodes = {}
    for number, double in enumerate(doubles, 1):
        janus = Janus(f"media-{number}", double.url, SECRET)
        nodes[janus.name] = MediaNode(janus, JanusRooms(janus, RoomSettings(800_000, 1)))
    plane, seats = JanusMediaPlane(nodes, MemoryResources(shared, replica, LEASE_S)), NotedSeats()
    plane.seats = seats
    stopping = asyncio.Event()
    work = [plane.listen(stopping), plane.beat(stopping), plane.look_after(stopping)]
    work += [node.janus.run(stopping) for node in nodes.values()]
    tasks = [asyncio.create_task(each) for each in work]
    try:
        for node in nodes.values():
            await asyncio.wait_for(node.janus.connected.wait(), 5)
        yield plane, seats
    finally:
        stopping.set()
        await asyncio.gather(*tasks)


@pytest.fixture
async def janus() -> AsyncIterator[JanusDouble]:
    async with running_janus() as double:
        yield double


async def test_a_publisher_comes_up_goes_silent_and_hangs_up(janus: JanusDouble) -> None:
    async with running(Shared(), "a", janus) as (plane, seats):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        made = await Connections(plane).publish(SEAT, OFFER)
        session = made.resource.janus_session
        await janus.tell(session, "webrtcup")
        for mid, receiving in (("0", True), ("1", True), ("1", False), ("0", False), ("0", True)):
            await janus.tell(session, "media", mid=mid, receiving=receiving)
        await janus.tell(session, "hangup", reason="DTLS alert")
        await until(lambda: len(seats.told) == 4)
        assert [what for what, _ in seats.told] == ["up", "down", "up", "down"]
        assert plane.held == {}
        assert session not in janus.sessions


async def test_watchers_of_a_publisher_end_with_it(janus: JanusDouble) -> None:
    async with running(Shared(), "a", janus) as (plane, _):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        connections = Connections(plane)
        published = await connections.publish(SEAT, OFFER)
        watching = await connections.watch(AGENT, "customer", None)
        assert watching.offered
        assert (watching.resource.way, watching.resource.feed) == (Way.WATCH, published.resource.feed)
        await plane.end(published.resource, "deleted")
        assert plane.held == {}
        with pytest.raises(NothingToWatch):
            await connections.watch(AGENT, "customer", None)


async def test_a_watcher_that_watches_anew_has_one_connection(janus: JanusDouble) -> None:
    async with running(Shared(), "a", janus) as (plane, _):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        connections = Connections(plane)
        await connections.publish(SEAT, OFFER)
        for _ in range(5):
            await connections.watch(AGENT, "customer", None)
        assert len(plane.held) == 2


async def test_an_answer_comes_once_and_before_candidates(janus: JanusDouble) -> None:
    async with running(Shared(), "a", janus) as (plane, _):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        connections = Connections(plane)
        await connections.publish(SEAT, OFFER)
        made = (await connections.watch(AGENT, "customer", None)).resource
        with pytest.raises(NotAnswered):
            await connections.trickle(made, FRAGMENT, made.etag)
        await connections.answer(made, OFFER)
        answered = await plane.store.get("demo", "session-1", made.resource_id)
        assert answered is not None
        with pytest.raises(AlreadyAnswered):
            await connections.answer(answered, OFFER)
        with pytest.raises(EtagChanged):
            await connections.trickle(answered, FRAGMENT, answered.etag)
        changed, text = await connections.restart(answered, FRAGMENT)
        assert changed.etag != answered.etag
        assert "a=ice-ufrag:Z7Fr" in text
        await connections.trickle(changed, FRAGMENT, changed.etag)
        assert janus.trickled[-1] == {"completed": True}


async def test_what_the_media_server_refuses_leaves_nothing_behind(janus: JanusDouble) -> None:
    shared = Shared()
    async with running(shared, "a", janus) as (plane, _):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        connections = Connections(plane)
        janus.refuse = {"joinandconfigure": 438}
        with pytest.raises(NotNegotiable):
            await connections.publish(SEAT, OFFER)
        janus.refuse = {"joinandconfigure": 426}
        with pytest.raises(RecorderUnavailable):
            await connections.publish(SEAT, OFFER)
        assert shared.rows == {}
        janus.refuse = {"create": 490}
        with pytest.raises(RecorderUnavailable):
            await connections.publish(SEAT, OFFER)


async def test_a_restarted_media_server_is_told_by_one_replica_once(janus: JanusDouble) -> None:
    shared = Shared()
    async with running(shared, "a", janus) as (one, first), running(shared, "b", janus) as (_, second):
        await one.open_room("media-1", "demo", SEAT.session_id)
        await Connections(one).publish(SEAT, OFFER)
        before = shared.beacons["media-1"]
        await janus.restart()
        await until(lambda: shared.beacons["media-1"] != before)
        await until(lambda: ("lost", "media-1") in first.told + second.told)
        await until(lambda: not one.held)
        assert sorted(first.told + second.told) == [("lost", "media-1")]
        assert shared.rows == {}


async def test_a_connection_that_broke_to_a_media_server_that_lives_loses_nothing(janus: JanusDouble) -> None:
    async with running(Shared(), "a", janus) as (plane, seats):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        made = await Connections(plane).publish(SEAT, OFFER)
        await janus.tell(made.resource.janus_session, "webrtcup")
        await until(lambda: seats.told)
        assert janus.server is not None
        for socket in list(janus.server.connections):
            await socket.close()
        await until(lambda: janus.asked.count("claim") >= 1)
        await until(plane.nodes["media-1"].janus.connected.is_set)
        assert [what for what, _ in seats.told] == ["up", "up"]
        await janus.tell(made.resource.janus_session, "hangup")
        await until(lambda: seats.told[-1] == ("down", "customer"))


async def test_connections_of_a_dead_replica_are_claimed_and_those_that_ended_meanwhile_are_told(
    janus: JanusDouble,
) -> None:
    shared = Shared()
    async with running(shared, "b", janus) as (other, seats):
        async with running(shared, "a", janus) as (plane, _):
            await plane.open_room("media-1", "demo", SEAT.session_id)
            connections = Connections(plane)
            lives = (await connections.publish(SEAT, OFFER)).resource
            ended = (await connections.publish(AGENT, OFFER)).resource
            janus.end(ended.janus_session)
            await asyncio.sleep(2 * BEAT_S)
        await until(lambda: seats.told and len(other.held) == 1)
        await until(lambda: sorted(seats.told) == [("down", "agent"), ("up", "customer")])
        assert [held.resource for held in other.held.values()] == [lives]
        await janus.tell(lives.janus_session, "hangup")
        await until(lambda: seats.told[-1] == ("down", "customer"))


async def test_while_the_database_is_away_nothing_is_dropped_and_ends_are_written_later(janus: JanusDouble) -> None:
    shared = Shared()
    async with running(shared, "a", janus) as (plane, seats):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        connections = Connections(plane)
        stays = (await connections.publish(SEAT, OFFER)).resource
        goes = (await connections.publish(AGENT, OFFER)).resource
        shared.away = True
        await asyncio.sleep(2 * LEASE_S)
        assert len(plane.held) == 2
        await plane.end(goes, "deleted")
        assert seats.told == [("down", "agent")]
        shared.away = False
        await until(lambda: list(shared.rows) == [stays.resource_id])


async def test_who_never_connects_is_forgotten(janus: JanusDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_plane, "CONNECT_S", 0.1)
    shared = Shared()
    async with running(shared, "a", janus) as (plane, _):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        await Connections(plane).publish(SEAT, OFFER)
        await until(lambda: not plane.held and not shared.rows)


async def test_dropping_ends_the_older_connections_of_one_person_alone(janus: JanusDouble) -> None:
    shared = Shared()
    async with running(shared, "a", janus) as (plane, _):
        await plane.open_room("media-1", "demo", SEAT.session_id)
        connections = Connections(plane)
        await connections.publish(SEAT, OFFER)
        newer = (await connections.publish(replace(SEAT, connection=2), OFFER)).resource
        agent = (await connections.publish(AGENT, OFFER)).resource
        await plane.drop("media-1", "demo", "session-1", "customer", older_than=2)
        assert set(shared.rows) == {newer.resource_id, agent.resource_id}
        await plane.drop("media-1", "demo", "session-1", "customer")
        assert set(shared.rows) == {agent.resource_id}
        await plane.close_room("media-1", "demo", "session-1")
        assert shared.rows == {}
        assert "session-1" not in janus.rooms


async def test_sessions_go_where_there_are_few_and_never_where_nobody_is(janus: JanusDouble) -> None:
    async with AsyncExitStack() as opened:
        other = await opened.enter_async_context(running_janus())
        plane, _ = await opened.enter_async_context(running(Shared(), "a", janus, other))
        placed = [plane.place() for _ in range(4)]
        assert sorted(placed) == ["media-1", "media-1", "media-2", "media-2"]
        assert other.server is not None
        other.server.close()
        await until(lambda: not plane.nodes["media-2"].janus.connected.is_set())
        assert {plane.place() for _ in range(4)} == {"media-1"}
    with pytest.raises(RecorderUnavailable):
        JanusMediaPlane({}, MemoryResources(Shared(), "a")).place()
    with pytest.raises(RecorderUnavailable):
        await JanusMediaPlane({}, MemoryResources(Shared(), "a")).open_room("media-9", "demo", "session-1")


async def test_a_media_server_that_does_not_answer_is_unavailable_and_one_that_refuses_says_why(
    janus: JanusDouble,
) -> None:
    async with running(Shared(), "a", janus) as (plane, _):
        client = plane.nodes["media-1"].janus
        janus.refuse = {"attach": 460}
        with pytest.raises(JanusError, match="460"):
            await client.attach(await client.create())
        janus.silent = True
        with pytest.raises(RecorderUnavailable):
            await client.create()
        janus.silent = False
        assert await client.create()
