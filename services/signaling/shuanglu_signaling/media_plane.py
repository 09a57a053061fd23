"""The media nodes: rooms and connections on them, what Janus tells, and replicas that take over from each other.

A connection's events go to the replica that made it. Each replica beats in the database; connections of one that
stopped are claimed by another. A restarted media server is told by its beacon, a room that lives as long as it does.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from shuanglu_common.errors import DependencyError
from shuanglu_signaling.domain.call_ports import Seats
from shuanglu_signaling.domain.placement import Candidate, Standing, choose
from shuanglu_signaling.domain.whip_resource import Beacons, Leases, Resource, ResourceStore, Way
from shuanglu_signaling.errors import RecorderUnavailable
from shuanglu_signaling.janus import Janus, JanusError, Message
from shuanglu_signaling.janus_rooms import JanusRooms
from shuanglu_signaling.whip_metrics import CONNECTIONS_ENDED, NODES_LOST, TAKEN_OVER

BEAT_S = 2.0
LEASE_S = 6.0
KEEP_ALIVE_S = 60.0
# A client that offered and never came, or never answered, is forgotten after this.
CONNECT_S = 45.0
MAX_EVENTS = 10_000

log = structlog.get_logger()


class Store(ResourceStore, Leases, Beacons, Protocol):
    """All that the plane keeps."""


@dataclass(slots=True)
class MediaNode:
    """One Janus. `load`: rooms it has; those placed here since it was asked count too."""

    janus: Janus
    rooms: JanusRooms
    load: int = 0
    beacon: str = ""


@dataclass(slots=True)
class Held:
    """A connection that this replica looks after. `receiving`: by mid, whether packets arrive.

    `taken`: it was another replica's, and it is not known yet what has become of it.
    """

    resource: Resource
    since: float
    up: bool = False
    taken: bool = False
    receiving: dict[str, bool] = field(default_factory=dict)


class JanusMediaPlane:
    """The port `MediaPlane`, and what the door does with connections. `seats` is set before it runs."""

    seats: Seats

    def __init__(self, nodes: dict[str, MediaNode], store: Store, zone: str = "") -> None:
        """`nodes` by name; more may come (`add`). `zone`: where we stand."""
        self.nodes: dict[str, MediaNode] = {}
        self.store = store
        self.zone = zone
        # What the recorder beside a media server tells of the node.
        self.standing: Callable[[str], Standing] = lambda _: Standing()
        self.held: dict[tuple[str, int], Held] = {}
        self.doomed: dict[str, Resource] = {}
        self.unheld: set[tuple[str, int]] = set()
        self.events: asyncio.Queue[tuple[str, Message]] = asyncio.Queue(MAX_EVENTS)
        self.steady_since = float("inf")
        self.kept_alive_at = 0.0
        for name, node in nodes.items():
            self.add(name, node)

    def add(self, name: str, node: MediaNode) -> None:
        """Another media server; who keeps its connection is the caller's business."""
        self.nodes[name] = node
        node.janus.on_event = lambda message: self.hear(name, message)
        node.janus.on_connect = lambda: self.come_back(name)

    # What the call desk asks.

    def place(self) -> str:
        """Placed sessions count at once, so that a rush of them spreads."""
        candidates = [
            Candidate(name, node.load, node.janus.connected.is_set(), self.standing(name))
            for name, node in self.nodes.items()
        ]
        name = choose(candidates, self.zone)
        self.nodes[name].load += 1
        return name

    async def open_room(self, node: str, tenant: str, session_id: str) -> None:  # noqa: ARG002 - ids are unique
        """A room of the session's name."""
        with _translated():
            await self.node(node).rooms.open(session_id)

    async def close_room(self, node: str, tenant: str, session_id: str) -> None:
        """First the connections: their files are complete when the room goes."""
        with suppress(DependencyError):
            for resource in await self.store.find(tenant, session_id):
                await self.end(resource, "call ended")
        with _translated():
            await self.node(node).rooms.close(session_id)

    async def drop(
        self, node: str, tenant: str, session_id: str, participant_id: str, older_than: int | None = None
    ) -> None:
        """Publishing and, without `older_than`, watching."""
        try:
            for resource in await self.store.find(tenant, session_id):
                newer = older_than is not None and (resource.way is Way.WATCH or resource.connection >= older_than)
                if resource.seat.participant_id == participant_id and not newer:
                    await self.end(resource, "taken over" if older_than is not None else "dropped")
        except DependencyError as error:
            log.warning("media.not_dropped", node=node, error=error)

    # Connections.

    def node(self, name: str) -> MediaNode:
        """Raises RecorderUnavailable for one that is not configured."""
        if name not in self.nodes:
            raise RecorderUnavailable(f"there is no media node {name}")
        return self.nodes[name]

    async def keep(self, resource: Resource) -> None:
        """Look after a connection from before its first event on."""
        await self.store.add(resource)
        self.hold(resource)

    def hold(self, resource: Resource) -> Held:
        """Its events are this replica's."""
        held = Held(resource, time.monotonic())
        return self.held.setdefault((resource.seat.node, resource.janus_session), held)

    async def own(self, resource: Resource) -> None:
        """Have the events of a connection come here. Raises RecorderUnavailable if it is gone or out of reach."""
        if (resource.seat.node, resource.janus_session) in self.held:
            return
        with _translated():
            if not await self.node(resource.seat.node).janus.claim(resource.janus_session):
                raise RecorderUnavailable("the connection is over")
        self.hold(resource).up = True

    async def change(self, resource: Resource) -> None:
        """Another ICE session, or an answer."""
        key = (resource.seat.node, resource.janus_session)
        if key in self.held:
            self.held[key].resource = resource
        await self.store.change(resource)

    async def end(self, resource: Resource, reason: str) -> None:
        """End a connection, whoever looks after it. Raises nothing."""
        key = (resource.seat.node, resource.janus_session)
        self.held.pop(key, None)
        with suppress(DependencyError, JanusError):
            await self.node(resource.seat.node).janus.destroy(resource.janus_session)
        try:
            if not await self.store.remove(resource):
                return
        except DependencyError:
            self.doomed[resource.resource_id] = resource
        CONNECTIONS_ENDED.labels(resource.way.value).inc()
        log.info("media.ended", session_id=resource.seat.session_id, way=resource.way.value, reason=reason)
        if resource.way is Way.PUBLISH:
            await self.seats.media_down(resource.seat, reason)
            await self.end_watchers(resource)

    async def end_watchers(self, publisher: Resource) -> None:
        """Who watched a connection that is over sees its end, and watches the next one."""
        try:
            found: Sequence[Resource] = await self.store.find(publisher.seat.tenant, publisher.seat.session_id)
        except DependencyError:
            found = [held.resource for held in self.held.values()]
        for resource in found:
            same_call = resource.seat.session_id == publisher.seat.session_id
            if same_call and resource.way is Way.WATCH and resource.feed == publisher.feed:
                await self.end(resource, "publisher ended")

    # What Janus tells.

    def hear(self, node: str, message: Message) -> None:
        """Keep the order; never block the connection."""
        try:
            self.events.put_nowait((node, message))
        except asyncio.QueueFull:
            log.error("media.event_lost", node=node, kind=message.get("janus"))

    async def listen(self, stopping: asyncio.Event) -> None:
        """Handle events until told to stop."""
        stop = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            get = asyncio.create_task(self.events.get())
            await asyncio.wait([get, stop], return_when=asyncio.FIRST_COMPLETED)
            if get.done():
                await self.handle(*get.result())
            else:
                get.cancel()
        stop.cancel()

    async def handle(self, node: str, message: Message) -> None:
        """One event."""
        held = self.held.get((node, int(message.get("session_id", 0))))
        if held is None:
            return
        kind = message.get("janus")
        if kind == "webrtcup":
            await self.rise(held)
        elif kind == "media":
            await self.flow(held, str(message.get("mid", "")), receiving=bool(message.get("receiving")))
        elif kind in {"hangup", "detached", "timeout"}:
            await self.end(held.resource, str(message.get("reason", kind)))

    async def rise(self, held: Held) -> None:
        """Media flows, or flows again."""
        held.up = True
        if held.resource.way is Way.PUBLISH:
            await self.seats.media_up(held.resource.seat)

    async def flow(self, held: Held, mid: str, *, receiving: bool) -> None:
        """Nothing at all for 2 s (`no_media_timer`): the publisher is out of reach, and may come back as it is."""
        if held.resource.way is not Way.PUBLISH:
            return
        before = bool(held.receiving) and not any(held.receiving.values())
        held.receiving[mid] = receiving
        after = not any(held.receiving.values())
        if after and not before:
            await self.seats.media_down(held.resource.seat, "no packets")
        elif before and not after:
            await self.rise(held)

    # Coming back to a media server.

    async def come_back(self, name: str) -> None:
        """After each connect: is it the one from before, and what has become of our connections meanwhile?"""
        node = self.nodes[name]
        await node.rooms.prepare()
        await self.recognise(name, node)
        for held in [held for (where, _), held in self.held.items() if where == name]:
            await self.check(held)
        node.load = await node.rooms.count()

    async def recognise(self, name: str, node: MediaNode) -> None:
        """One of the replicas finds out first that a media server is new, and tells of it."""
        if node.beacon and await node.rooms.exists(node.beacon):
            return
        known = await self.store.beacon(name)
        while not (known and await node.rooms.exists(known)):
            fresh = f"beacon-{secrets.token_hex(12)}"
            await node.rooms.open(fresh)
            gone = await self.store.replace(name, known, fresh)
            if gone is not None:
                node.beacon = fresh
                self.forget(name)
                if known:
                    NODES_LOST.inc()
                    log.warning("media.node_lost", node=name, connections=len(gone))
                    await self.seats.node_lost(name)
                return
            await node.rooms.close(fresh)
            known = await self.store.beacon(name)
        if node.beacon and node.beacon != known:
            self.forget(name)
        node.beacon = known

    def forget(self, name: str) -> None:
        """Connections of a media server that is no more."""
        for key in [key for key in self.held if key[0] == name]:
            del self.held[key]

    async def check(self, held: Held) -> None:
        """Claim a connection; end it if it is over."""
        resource = held.resource
        node = self.node(resource.seat.node)
        if not await node.janus.claim(resource.janus_session):
            await self.end(resource, "gone")
        elif held.up and resource.way is Way.PUBLISH:
            if resource.feed in await node.rooms.publishing(resource.seat.session_id):
                await self.rise(held)
            else:
                await self.end(resource, "gone")

    # Replicas.

    async def beat(self, stopping: asyncio.Event) -> None:
        """Live and take over from the dead, until told to stop; then let the others take over.

        Asks the database alone: a media server that hangs must not make a replica look dead.
        """
        while not stopping.is_set():
            try:
                await self.tend()
            except DependencyError as error:
                self.steady_since = float("inf")
                log.warning("media.waiting", error=error)
            await pause(stopping)
        with suppress(DependencyError):
            await self.store.leave()

    async def tend(self) -> None:
        """One beat. Who was away itself takes nobody for dead yet. Raises DatabaseUnavailable."""
        now = time.monotonic()
        if not await self.store.beat():
            self.steady_since = now
        self.steady_since = min(self.steady_since, now)
        for resource in list(self.doomed.values()):
            await self.store.remove(resource)
            self.doomed.pop(resource.resource_id, None)
        mine = {(each.seat.node, each.janus_session): each for each in await self.store.owned()}
        for key in [key for key in self.held if key not in mine and now - self.held[key].since > BEAT_S]:
            del self.held[key]
        # One that is just being made is not held yet; one that is not held at the next beat either was lost.
        unheld = {key for key in mine if key not in self.held}
        for key in unheld & self.unheld:
            self.take(mine[key])
        self.unheld = unheld
        if now - self.steady_since > LEASE_S:
            for resource in await self.store.take_over():
                TAKEN_OVER.inc()
                self.take(resource)

    def take(self, resource: Resource) -> None:
        """Look after a connection that somebody else made."""
        held = self.hold(resource)
        held.up = held.taken = True

    async def look_after(self, stopping: asyncio.Event) -> None:
        """Connections that were taken over, those whose client never came, and the nodes, until told to stop."""
        while not stopping.is_set():
            for held in [each for each in self.held.values() if each.taken]:
                await self.adopt(held)
            now = time.monotonic()
            for held in [each for each in self.held.values() if not each.up and now - each.since > CONNECT_S]:
                await self.end(held.resource, "never connected")
            await self.visit(now)
            await pause(stopping)

    async def adopt(self, held: Held) -> None:
        """A media server that is out of reach now is asked later."""
        with suppress(RecorderUnavailable, JanusError):
            await self.check(held)
            held.taken = False

    async def visit(self, now: float) -> None:
        """Load of the nodes; sessions must be spoken to now and then."""
        keep_alive = now - self.kept_alive_at > KEEP_ALIVE_S
        for name, node in list(self.nodes.items()):
            if node.janus.connected.is_set():
                with suppress(RecorderUnavailable, JanusError):
                    node.load = await node.rooms.count()
                    if keep_alive:
                        await self.keep_alive(name, node)
        if keep_alive:
            self.kept_alive_at = now

    async def keep_alive(self, name: str, node: MediaNode) -> None:
        """All sessions of this replica on a node."""
        await node.janus.keep_alive(node.rooms.session)
        for held in [held for (where, _), held in self.held.items() if where == name]:
            if not await node.janus.keep_alive(held.resource.janus_session):
                await self.end(held.resource, "gone")


async def pause(stopping: asyncio.Event) -> None:
    """Until the next beat, or until told to stop."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), BEAT_S)


@contextmanager
def _translated() -> Iterator[None]:
    """Janus' refusals as the port's error."""
    try:
        yield
    except JanusError as error:
        raise RecorderUnavailable(f"the media server refused: {error.code}") from error
