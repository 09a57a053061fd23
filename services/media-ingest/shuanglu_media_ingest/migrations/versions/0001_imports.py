"""Imports and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shuanglu_common.migrations import create_outbox

revision = "0001"
down_revision = None

SCHEMA = "media_ingest"


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("tenant", sa.String(39), nullable=False),
        sa.Column("import_id", sa.String(32), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("plan", JSONB, nullable=False),
        sa.Column("failure_reason", sa.String(64), nullable=False),
        sa.Column("failure_help", sa.Text, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("total_bytes", sa.BigInteger, nullable=False),
        sa.Column("tracks", ARRAY(sa.LargeBinary), nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("updated_at_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "import_id"),
        schema=SCHEMA,
    )
    # A session takes one recording: only a failed import makes room for another.
    op.create_index(
        "one_import_a_session",
        "imports",
        ["tenant", "session_id"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("state <> 'FAILED'"),
    )
    create_outbox(op, SCHEMA)  # type: ignore[arg-type]


def downgrade() -> None:
    op.drop_table("outbox", schema=SCHEMA)
    op.drop_table("imports", schema=SCHEMA)
