"""Connections of participants, from an offer to their end: what WHIP and WHEP have in common."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shuanglu_signaling.domain import sdp_publish, sdp_watch
from shuanglu_signaling.domain.call_ports import Seat
from shuanglu_signaling.domain.sdp import Description, parse
from shuanglu_signaling.domain.sdpfrag import Fragment, fragment_of
from shuanglu_signaling.domain.whip_resource import Resource, Way, feed_of
from shuanglu_signaling.errors import RecorderUnavailable
from shuanglu_signaling.janus import HANDLE_NOT_FOUND, SESSION_NOT_FOUND, JanusError, Message
from shuanglu_signaling.media_plane import JanusMediaPlane
from shuanglu_signaling.whip_errors import (
    AlreadyAnswered,
    EtagChanged,
    EtagRequired,
    NotAnswered,
    NothingToWatch,
    NotNegotiable,
    ResourceNotFound,
)

ANY_ETAG = "*"


@dataclass(frozen=True, slots=True)
class Negotiated:
    """A connection and what its client gets; `offered`: it is an offer, which the client must answer."""

    resource: Resource
    description: Description
    offered: bool = False


class Connections:
    """Makes, changes and ends connections on the media nodes."""

    def __init__(self, plane: JanusMediaPlane) -> None:
        """`plane` looks after what is made."""
        self.plane = plane

    async def publish(self, seat: Seat, offer: Description) -> Negotiated:
        """`offer` is what `publish_offer` gave. Raises NotNegotiable, RecorderUnavailable, DatabaseUnavailable."""
        rooms = self.plane.node(seat.node).rooms
        resource = await self.attach(seat, Way.PUBLISH, "", seat.connection, offer.without_candidates().text())
        try:
            answer = await rooms.publish(
                resource.janus_session,
                resource.janus_handle,
                seat.session_id,
                resource.feed,
                seat.file_name,
                offer,
            )
            return Negotiated(resource, sdp_publish.publish_answer(answer.text(), offer))
        except Exception:
            await self.plane.end(resource, "not negotiated")
            raise

    async def watch(self, seat: Seat, watched: str, offer: Description | None) -> Negotiated:
        """Without an offer, and for one that does not fit, the client gets the media server's offer.

        Raises NothingToWatch, NotNegotiable, RecorderUnavailable, DatabaseUnavailable.
        """
        of_call = await self.plane.store.find(seat.tenant, seat.session_id)
        connection = newest(of_call, watched)
        for older in of_call:
            if older.way is Way.WATCH and (older.seat.participant_id, older.watched) == (seat.participant_id, watched):
                await self.plane.end(older, "watched anew")
        rooms = self.plane.node(seat.node).rooms
        resource = await self.attach(seat, Way.WATCH, watched, connection, "")
        try:
            server = await rooms.watch(
                resource.janus_session, resource.janus_handle, seat.session_id, feed_of(watched, connection)
            )
            answers = sdp_watch.match(offer, server) if offer is not None else None
            if answers is None:
                return Negotiated(resource, server, offered=True)
            await rooms.start(resource, answers.to_server)
            resource = replace(resource, remote=answers.to_server.without_candidates().text())
            await self.plane.change(resource)
            return Negotiated(resource, answers.to_watcher)
        except Exception:
            await self.plane.end(resource, "not negotiated")
            raise

    async def attach(self, seat: Seat, way: Way, watched: str, connection: int, remote: str) -> Resource:
        """A Janus session of its own for each connection, so that each can be claimed by itself."""
        janus = self.plane.node(seat.node).janus
        try:
            session = await janus.create()
            handle = await janus.attach(session)
        except JanusError as error:
            raise RecorderUnavailable(f"the media server refused: {error.code}") from error
        resource = Resource(secrets.token_hex(16), seat, way, watched, connection, session, handle, new_etag(), remote)
        await self.plane.keep(resource)
        return resource

    async def answer(self, resource: Resource, answer: Description) -> None:
        """The client's answer to the media server's offer. Raises AlreadyAnswered, NotNegotiable, ResourceNotFound."""
        if resource.remote:
            raise AlreadyAnswered("the offer was answered before")
        await self.plane.own(resource)
        await self.plane.node(resource.seat.node).rooms.start(resource, answer)
        await self.plane.change(replace(resource, remote=answer.without_candidates().text()))

    async def trickle(self, resource: Resource, fragment: Fragment, if_match: str) -> None:
        """Further candidates. Raises EtagRequired, EtagChanged, NotAnswered, ResourceNotFound, RecorderUnavailable."""
        if not if_match:
            raise EtagRequired("PATCH needs If-Match")
        if if_match != resource.etag or fragment.ice != self.remote(resource).ice:
            raise EtagChanged("the ICE session is another one")
        await self.send_candidates(resource, fragment)

    async def restart(self, resource: Resource, fragment: Fragment) -> tuple[Resource, str]:
        """A new ICE session; the media server's side of it. Raises NotAnswered, NotNegotiable, RecorderUnavailable."""
        remote = self.remote(resource)
        renewed = remote.with_ice(fragment.ice).with_version(version_after(remote))
        await self.plane.own(resource)
        rooms = self.plane.node(resource.seat.node).rooms
        if resource.way is Way.PUBLISH:
            server = await rooms.restart_publisher(resource, renewed)
        else:
            server = await rooms.restart_watcher(resource)
            await rooms.start(resource, renewed)
        changed = replace(resource, etag=new_etag(), remote=renewed.text())
        await self.plane.change(changed)
        await self.send_candidates(changed, fragment)
        return changed, fragment_of(server)

    async def send_candidates(self, resource: Resource, fragment: Fragment) -> None:
        """All media is bundled: every candidate is the first section's."""
        mid = self.remote(resource).media[0].mid
        found: list[Message] = [
            {"candidate": text, "sdpMid": mid, "sdpMLineIndex": 0} for _, text in fragment.candidates
        ]
        if fragment.ended:
            found.append({"completed": True})
        if not found:
            return
        janus = self.plane.node(resource.seat.node).janus
        try:
            await janus.trickle(resource.janus_session, resource.janus_handle, found)
        except JanusError as error:
            if error.code in {SESSION_NOT_FOUND, HANDLE_NOT_FOUND}:
                raise ResourceNotFound("the connection is over") from error
            raise NotNegotiable(f"the media server refused: {error.code}") from error

    def remote(self, resource: Resource) -> Description:
        """The client's side. Raises NotAnswered."""
        if not resource.remote:
            raise NotAnswered("the offer was not answered yet")
        return parse(resource.remote)


def newest(resources: Sequence[Resource], publisher: str) -> int:
    """Number of a publisher's newest connection. Raises NothingToWatch."""
    numbers = [
        each.connection for each in resources if each.way is Way.PUBLISH and each.seat.participant_id == publisher
    ]
    if not numbers:
        raise NothingToWatch("对方尚未发送音视频。The participant publishes nothing.")
    return max(numbers)


def new_etag() -> str:
    """Names an ICE session."""
    return secrets.token_hex(8)


def version_after(description: Description) -> int:
    """Version of the next description of a session (RFC 8866 §5.2)."""
    origin = next(line for line in description.lines if line.startswith("o="))
    version = origin.split(" ")[2]
    return int(version) + 1 if version.isdigit() else 1
