"""Wires the media nodes and the WHIP and WHEP door; `__main__.py` builds what they stand on."""

import asyncio
import secrets

from shuanglu_common.app import App
from shuanglu_common.database import Database
from shuanglu_signaling.domain.call_ports import IceServers, Seats
from shuanglu_signaling.janus import Janus
from shuanglu_signaling.janus_rooms import JanusRooms, RoomSettings
from shuanglu_signaling.media_nodes import MediaNodes
from shuanglu_signaling.media_plane import LEASE_S, JanusMediaPlane, MediaNode
from shuanglu_signaling.node_names import NodeNames
from shuanglu_signaling.recorders import GrpcRecorders
from shuanglu_signaling.settings import MediaNode as Place
from shuanglu_signaling.settings import SignalingSettings
from shuanglu_signaling.turn import TurnServers
from shuanglu_signaling.whip import WhipDoor
from shuanglu_signaling.whip_connections import Connections
from shuanglu_signaling.whip_postgres import PostgresResources


def media_plane(app: App[SignalingSettings], database: Database) -> JanusMediaPlane:
    """Without a node yet: without one no call can be opened."""
    store = PostgresResources(database, secrets.token_hex(16), LEASE_S)
    return JanusMediaPlane({}, store, app.settings.zone)


def keep_nodes(app: App[SignalingSettings], plane: JanusMediaPlane, recorders: GrpcRecorders) -> None:
    """Janus and recorder of every node, those of the settings and those that come and go."""
    settings = app.settings
    rooms = RoomSettings(settings.video_bitrate, settings.key_frame_s)

    async def attend(place: Place, stopping: asyncio.Event) -> None:
        if place.name not in plane.nodes:
            janus = Janus(place.name, place.janus, settings.janus_secret.get_secret_value())
            plane.add(place.name, MediaNode(janus, JanusRooms(janus, rooms)))
        recorder = recorders.add(place.name, place.recorder, place.zone)
        await asyncio.gather(plane.nodes[place.name].janus.run(stopping), recorders.watch(recorder, stopping))

    def answers(name: str) -> bool:
        return name in plane.nodes and plane.nodes[name].janus.connected.is_set()

    plane.standing = recorders.standing
    look = NodeNames(settings.media_nodes_dns).look if settings.media_nodes_dns else None
    app.background("media-servers", MediaNodes(settings.media_nodes, look, attend, answers).run)


def ice_servers(app: App[SignalingSettings]) -> IceServers:
    """STUN and TURN servers as configured."""
    settings = app.settings
    return TurnServers(settings.turn_urls, settings.turn_secret.get_secret_value(), settings.turn_ttl_s, app.clock)


def serve_media(app: App[SignalingSettings], plane: JanusMediaPlane, seats: Seats, ice: IceServers) -> None:
    """Keep the nodes, listen to them, and open the door."""
    plane.seats = seats
    app.background("media-events", plane.listen)
    app.background("media-leases", plane.beat)
    app.background("media-nodes", plane.look_after)
    app.serve_http(WhipDoor(seats, Connections(plane), ice).app())
