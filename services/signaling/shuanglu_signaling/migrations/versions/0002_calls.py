"""Calls and the codes of their invitations; a session keeps its script and what is asked of its recording."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "signaling"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("script", JSONB, nullable=False, server_default="[]"), schema=SCHEMA)
    op.add_column("sessions", sa.Column("recording", JSONB, nullable=False, server_default="{}"), schema=SCHEMA)
    op.create_table(
        "calls",
        sa.Column("tenant", sa.String(39), primary_key=True),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("call", JSONB, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("updated_at_us", sa.BigInteger, nullable=False),
        schema=SCHEMA,
    )
    going_on = sa.text("state <> 'ENDED'")
    op.create_index("calls_going_on", "calls", ["node"], postgresql_where=going_on, schema=SCHEMA)
    op.create_table(
        "invitation_codes",
        sa.Column("code_hash", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(39), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        schema=SCHEMA,
    )
    op.create_index("invitation_codes_session", "invitation_codes", ["tenant", "session_id"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_table("invitation_codes", schema=SCHEMA)
    op.drop_table("calls", schema=SCHEMA)
    op.drop_column("sessions", "recording", schema=SCHEMA)
    op.drop_column("sessions", "script", schema=SCHEMA)
