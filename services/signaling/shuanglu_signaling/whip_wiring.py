"""Wires the media nodes and the WHIP and WHEP door; `__main__.py` builds what they stand on."""

import secrets

from shuanglu_common.app import App
from shuanglu_common.database import Database
from shuanglu_signaling.domain.call_ports import IceServers, Seats
from shuanglu_signaling.janus import Janus
from shuanglu_signaling.janus_rooms import JanusRooms, RoomSettings
from shuanglu_signaling.media_plane import LEASE_S, JanusMediaPlane, MediaNode
from shuanglu_signaling.settings import SignalingSettings
from shuanglu_signaling.turn import TurnServers
from shuanglu_signaling.whip import WhipDoor
from shuanglu_signaling.whip_connections import Connections
from shuanglu_signaling.whip_postgres import PostgresResources


def media_plane(app: App[SignalingSettings], database: Database) -> JanusMediaPlane:
    """The configured media nodes; none means that no call can be opened."""
    settings = app.settings
    rooms = RoomSettings(settings.video_bitrate, settings.key_frame_s)
    nodes = {}
    for each in settings.media_nodes:
        janus = Janus(each.name, each.janus, settings.janus_secret.get_secret_value())
        nodes[each.name] = MediaNode(janus, JanusRooms(janus, rooms))
    return JanusMediaPlane(nodes, PostgresResources(database, secrets.token_hex(16), LEASE_S))


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
    for name, node in plane.nodes.items():
        app.background(f"janus-{name}", node.janus.run)
    app.serve_http(WhipDoor(seats, Connections(plane), ice).app())
