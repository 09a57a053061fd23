"""Orders and sessions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shuanglu_common.migrations import create_outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "signaling"


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("tenant", sa.String(39), primary_key=True),
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("order_no", sa.String(64), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("term_months", sa.Integer, nullable=False),
        sa.Column("customer_no", sa.String(64), nullable=False),
        sa.Column("customer_sealed", sa.LargeBinary, nullable=False),
        sa.Column("branch", sa.String(64), nullable=False),
        sa.Column("agent_no", sa.String(64), nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("orders_order_no", "orders", ["tenant", "order_no"], unique=True, schema=SCHEMA)
    op.create_table(
        "sessions",
        sa.Column("tenant", sa.String(39), primary_key=True),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("strategy_id", sa.String(64), nullable=False),
        sa.Column("strategy_version", sa.String(64), nullable=False),
        sa.Column("participants", JSONB, nullable=False),
        sa.Column("inspection", JSONB, nullable=False),
        sa.Column("facts", JSONB, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("idempotency_key", sa.String(64), nullable=True),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("updated_at_us", sa.BigInteger, nullable=False),
        schema=SCHEMA,
    )
    newest = ["tenant", sa.text("created_at_us desc"), sa.text("session_id desc")]
    op.create_index("sessions_newest", "sessions", newest, schema=SCHEMA)
    op.create_index("sessions_order", "sessions", ["tenant", "order_id"], schema=SCHEMA)
    key = ["tenant", "idempotency_key"]
    op.create_index("sessions_idempotency_key", "sessions", key, unique=True, schema=SCHEMA)
    create_outbox(op, SCHEMA)


def downgrade() -> None:
    op.drop_table("outbox", schema=SCHEMA)
    op.drop_table("sessions", schema=SCHEMA)
    op.drop_table("orders", schema=SCHEMA)
