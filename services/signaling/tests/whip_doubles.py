"""Resources in a dictionary for several replicas, and seats that note what they are told."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shuanglu_common.database import DatabaseUnavailable
from shuanglu_signaling.domain.call_ports import Pass, Seat
from shuanglu_signaling.domain.whip_resource import Resource
from shuanglu_signaling.errors import CallNotFound

SEAT = Seat("demo", "session-1", "customer", 1, "media-1", "demo/session-1/")
AGENT = replace(SEAT, participant_id="agent")


@dataclass
class Shared:
    """What the replicas have in common. `away`: as if the database were."""

    rows: dict[str, tuple[Resource, str]] = field(default_factory=dict)
    beats: dict[str, float] = field(default_factory=dict)
    beacons: dict[str, str] = field(default_factory=dict)
    away: bool = False


class MemoryResources:
    """The ports `ResourceStore`, `Leases` and `Beacons`."""

    def __init__(self, shared: Shared, replica_id: str, lease_s: float = 6.0) -> None:
        self.shared = shared
        self.replica_id = replica_id
        self.lease_s = lease_s

    def look(self) -> Shared:
        if self.shared.away:
            raise DatabaseUnavailable("the database is away")
        return self.shared

    async def add(self, resource: Resource) -> None:
        self.look().rows[resource.resource_id] = (resource, self.replica_id)

    async def get(self, tenant: str, session_id: str, resource_id: str) -> Resource | None:
        resource, _ = self.look().rows.get(resource_id, (None, ""))
        fits = resource is not None and (resource.seat.tenant, resource.seat.session_id) == (tenant, session_id)
        return resource if fits else None

    async def find(self, tenant: str, session_id: str) -> Sequence[Resource]:
        rows = self.look().rows.values()
        return [each for each, _ in rows if (each.seat.tenant, each.seat.session_id) == (tenant, session_id)]

    async def change(self, resource: Resource) -> None:
        if resource.resource_id in self.look().rows:
            self.shared.rows[resource.resource_id] = (resource, self.replica_id)

    async def remove(self, resource: Resource) -> bool:
        return self.look().rows.pop(resource.resource_id, None) is not None

    async def beat(self) -> bool:
        known = self.replica_id in self.look().beats
        self.shared.beats[self.replica_id] = time.monotonic()
        return known

    async def owned(self) -> Sequence[Resource]:
        return [each for each, owner in self.look().rows.values() if owner == self.replica_id]

    async def take_over(self) -> Sequence[Resource]:
        now, taken = time.monotonic(), []
        dead = {name for name, at in self.look().beats.items() if now - at > self.lease_s}
        for key, (resource, owner) in list(self.shared.rows.items()):
            if owner in dead:
                self.shared.rows[key] = (resource, self.replica_id)
                taken.append(resource)
        for name in dead:
            del self.shared.beats[name]
        return taken

    async def leave(self) -> None:
        self.look().beats[self.replica_id] = float("-inf")

    async def beacon(self, node: str) -> str:
        return self.look().beacons.get(node, "")

    async def replace(self, node: str, before: str, after: str) -> Sequence[Resource] | None:
        if self.look().beacons.get(node, "") != before:
            return None
        self.shared.beacons[node] = after
        gone = [each for each, _ in self.shared.rows.values() if each.seat.node == node]
        for each in gone:
            del self.shared.rows[each.resource_id]
        return gone


@dataclass
class NotedSeats:
    """The port `Seats`: everybody of session-1 may do everything."""

    told: list[tuple[str, str]] = field(default_factory=list)
    connection: int = 0

    async def publisher(self, tenant: str, session_id: str, participant_id: str, admission: Pass | None = None) -> Seat:
        if session_id != SEAT.session_id:
            raise CallNotFound("there is no such call")
        self.connection += 1
        return Seat(tenant, session_id, participant_id, self.connection, "media-1", SEAT.file_prefix)

    async def watcher(
        self, tenant: str, session_id: str, participant_id: str, watched: str, admission: Pass | None = None
    ) -> Seat:
        return Seat(tenant, session_id, participant_id, self.connection, "media-1", SEAT.file_prefix)

    async def media_up(self, seat: Seat) -> None:
        self.told.append(("up", seat.participant_id))

    async def media_down(self, seat: Seat, reason: str) -> None:
        self.told.append(("down", seat.participant_id))

    async def node_lost(self, node: str) -> None:
        self.told.append(("lost", node))
