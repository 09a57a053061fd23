"""A WHIP or WHEP resource: one connection of one participant to a media server, and who looks after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shuanglu_signaling.domain.call_ports import Seat


class Way(StrEnum):
    """Which way the media goes."""

    PUBLISH = "publish"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class Resource:
    """Everything that another replica needs to go on with a connection.

    `connection` is the publisher's: of the participant, or of the one who is watched. `remote` is the last description
    that the media server got of the client's side, without addresses; empty while the client has not answered.
    """

    resource_id: str
    seat: Seat
    way: Way
    watched: str
    connection: int
    janus_session: int
    janus_handle: int
    etag: str
    remote: str

    @property
    def publisher(self) -> str:
        """Whose media it carries."""
        return self.watched if self.way is Way.WATCH else self.seat.participant_id

    @property
    def feed(self) -> str:
        """The publisher's name in the room; a connection that is made anew is another one."""
        return feed_of(self.publisher, self.connection)


def feed_of(participant_id: str, connection: int) -> str:
    """A publisher's name in the room."""
    return f"{participant_id}~{connection}"


class ResourceStore(Protocol):
    """Keeps resources for all replicas. All raise DatabaseUnavailable."""

    async def add(self, resource: Resource) -> None:
        """Keep a new one as this replica's."""
        ...

    async def get(self, tenant: str, session_id: str, resource_id: str) -> Resource | None:
        """By key."""
        ...

    async def find(self, tenant: str, session_id: str) -> Sequence[Resource]:
        """All of a session."""
        ...

    async def change(self, resource: Resource) -> None:
        """Write `etag` and `remote`; the resource is this replica's from now on."""
        ...

    async def remove(self, resource: Resource) -> bool:
        """False if it was gone already."""
        ...


class Leases(Protocol):
    """Which replica looks after which resource; a replica that does not beat loses its resources to the others."""

    async def beat(self) -> bool:
        """This replica lives. False if it had been taken for dead: what it had is no longer its own."""
        ...

    async def owned(self) -> Sequence[Resource]:
        """What is this replica's."""
        ...

    async def take_over(self) -> Sequence[Resource]:
        """Make resources of dead replicas this one's; each goes to one replica only."""
        ...

    async def leave(self) -> None:
        """This replica ends; the others may take over at once."""
        ...


class Beacons(Protocol):
    """Tells a media server that was restarted from one that was only out of reach."""

    async def beacon(self, node: str) -> str:
        """Name of the room that the node's media server has as long as it lives; empty before its first one."""
        ...

    async def replace(self, node: str, before: str, after: str) -> Sequence[Resource] | None:
        """The media server is a new one: all resources of the node are removed and given back.

        None if another replica was first.
        """
        ...
