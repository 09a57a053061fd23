"""Reports, and the tracks that prove them."""

import sqlalchemy as sa
from alembic import op

from shuanglu_common.migrations import create_outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "report"


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("tenant", sa.String(39), primary_key=True),
        sa.Column("report_id", sa.String(32), primary_key=True),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("stage", sa.SmallInteger, nullable=False),
        sa.Column("verdict", sa.SmallInteger, nullable=False),
        sa.Column("failed_count", sa.Integer, nullable=False),
        sa.Column("unsure_count", sa.Integer, nullable=False),
        sa.Column("report_ref", sa.LargeBinary, nullable=False),
        sa.Column("pdf_ref", sa.LargeBinary, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("reports_session", "reports", ["tenant", "session_id", "stage"], unique=True, schema=SCHEMA)
    op.create_index("reports_newest", "reports", ["tenant", "created_at_us", "report_id"], schema=SCHEMA)
    op.create_table(
        "tracks",
        sa.Column("tenant", sa.String(39), primary_key=True),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("track_id", sa.String(64), primary_key=True),
        sa.Column("stored", sa.LargeBinary, nullable=False),
        sa.Column("occurred_at_us", sa.BigInteger, nullable=False),
        schema=SCHEMA,
    )
    create_outbox(op, SCHEMA)


def downgrade() -> None:
    for table in ("outbox", "tracks", "reports"):
        op.drop_table(table, schema=SCHEMA)
