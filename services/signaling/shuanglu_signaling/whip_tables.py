"""Tables of connections to media servers, in the schema `signaling`; the migrations make the same."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from shuanglu_signaling.tables import METADATA

WHIP_RESOURCES = Table(
    "whip_resources",
    METADATA,
    Column("tenant", String(39), primary_key=True),
    Column("session_id", String(64), primary_key=True),
    Column("resource_id", String(32), primary_key=True),
    Column("participant_id", String(32), nullable=False),
    Column("way", String(8), nullable=False),
    Column("watched", String(32), nullable=False),
    # Of the publisher; of the participant's own seat.
    Column("connection", Integer, nullable=False),
    Column("seat_connection", Integer, nullable=False),
    Column("node", String(64), nullable=False),
    Column("file_prefix", String(256), nullable=False),
    Column("janus_session", BigInteger, nullable=False),
    Column("janus_handle", BigInteger, nullable=False),
    Column("etag", String(32), nullable=False),
    Column("remote", Text, nullable=False),
    Column("owner", String(32), nullable=False),
    Index("whip_resources_owner", "owner"),
    Index("whip_resources_node", "node"),
)
REPLICAS = Table(
    "replicas",
    METADATA,
    Column("replica_id", String(32), primary_key=True),
    # By the database's clock.
    Column("beat_at_us", BigInteger, nullable=False),
)
MEDIA_NODES = Table(
    "media_nodes",
    METADATA,
    Column("node", String(64), primary_key=True),
    Column("beacon", String(64), nullable=False),
)
