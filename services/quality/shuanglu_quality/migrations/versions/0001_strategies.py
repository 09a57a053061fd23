"""Strategies and the outbox."""

import sqlalchemy as sa
from alembic import op

from shuanglu_common.migrations import create_outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
SCHEMA = "quality"


def upgrade() -> None:
    op.create_table(
        "strategies",
        sa.Column("tenant", sa.String(39), primary_key=True),
        sa.Column("strategy_id", sa.String(63), primary_key=True),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("yaml", sa.Text, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(256), nullable=False),
        schema=SCHEMA,
    )
    create_outbox(op, SCHEMA)


def downgrade() -> None:
    op.drop_table("outbox", schema=SCHEMA)
    op.drop_table("strategies", schema=SCHEMA)
