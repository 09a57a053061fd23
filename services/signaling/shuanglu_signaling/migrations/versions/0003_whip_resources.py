"""Connections to media servers, and which replica looks after them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "signaling"


def upgrade() -> None:
    op.create_table(
        "whip_resources",
        sa.Column("tenant", sa.String(39), primary_key=True),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("resource_id", sa.String(32), primary_key=True),
        sa.Column("participant_id", sa.String(32), nullable=False),
        sa.Column("way", sa.String(8), nullable=False),
        sa.Column("watched", sa.String(32), nullable=False),
        sa.Column("connection", sa.Integer, nullable=False),
        sa.Column("seat_connection", sa.Integer, nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("file_prefix", sa.String(256), nullable=False),
        sa.Column("janus_session", sa.BigInteger, nullable=False),
        sa.Column("janus_handle", sa.BigInteger, nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.Column("remote", sa.Text, nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        schema=SCHEMA,
    )
    op.create_index("whip_resources_owner", "whip_resources", ["owner"], schema=SCHEMA)
    op.create_index("whip_resources_node", "whip_resources", ["node"], schema=SCHEMA)
    op.create_table(
        "replicas",
        sa.Column("replica_id", sa.String(32), primary_key=True),
        sa.Column("beat_at_us", sa.BigInteger, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "media_nodes",
        sa.Column("node", sa.String(64), primary_key=True),
        sa.Column("beacon", sa.String(64), nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.drop_table("media_nodes", schema=SCHEMA)
    op.drop_table("replicas", schema=SCHEMA)
    op.drop_table("whip_resources", schema=SCHEMA)
