"""The trace of the request that asked for an import goes on in the work."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = "media_ingest"


def upgrade() -> None:
    column = sa.Column("trace_parent", sa.String(64), nullable=False, server_default="")
    op.add_column("imports", column, schema=SCHEMA)


def downgrade() -> None:
    op.drop_column("imports", "trace_parent", schema=SCHEMA)
