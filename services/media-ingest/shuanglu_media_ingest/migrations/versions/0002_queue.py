"""Imports become a queue that workers claim from; batches of imports; shares of tenants."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "media_ingest"
LIVE = "state not in ('FAILED', 'CANCELLED')"


def upgrade() -> None:
    for column in (
        sa.Column("batch_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("content_key", sa.String(32), nullable=False, server_default=""),
        sa.Column("upload_bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("small", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("tries", sa.Integer, nullable=False, server_default="1"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("outages", sa.Integer, nullable=False, server_default="0"),
        sa.Column("waiting_for", sa.String(64), nullable=False, server_default=""),
        sa.Column("not_before_us", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("lease", sa.String(32), nullable=False, server_default=""),
        sa.Column("beat", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    ):
        op.add_column("imports", column, schema=SCHEMA)
    # A session takes one recording: a failed or cancelled import makes room for another.
    op.drop_index("one_import_a_session", table_name="imports", schema=SCHEMA)
    op.create_index(
        "one_import_a_session",
        "imports",
        ["tenant", "session_id"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text(LIVE),
    )
    # The same recording of the same order is imported once.
    op.create_index(
        "one_import_a_recording",
        "imports",
        ["tenant", "content_key"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text(f"content_key <> '' and {LIVE}"),
    )
    # The heads of the queue, tenant by tenant; and what is in work. Both stay as small as the queue is.
    op.create_index(
        "imports_waiting",
        "imports",
        ["tenant", "small", "created_at_us", "import_id"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'ACCEPTED'"),
    )
    op.create_index(
        "imports_in_work", "imports", ["lease"], schema=SCHEMA, postgresql_where=sa.text("state = 'STORING'")
    )
    op.create_index(
        "imports_to_cancel",
        "imports",
        ["tenant", "import_id"],
        schema=SCHEMA,
        postgresql_where=sa.text("cancel_requested and state in ('ACCEPTED', 'STORING')"),
    )
    op.create_table(
        "shares",
        sa.Column("tenant", sa.String(39), primary_key=True),
        sa.Column("start_bytes", sa.Numeric(40, 0), nullable=False),
        sa.Column("end_bytes", sa.Numeric(40, 0), nullable=False),
        sa.Column("overtaken", sa.Integer, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "batches",
        sa.Column("tenant", sa.String(39), nullable=False),
        sa.Column("batch_id", sa.String(64), nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "batch_id"),
        schema=SCHEMA,
    )
    op.create_index("batches_newest", "batches", ["tenant", "created_at_us", "batch_id"], schema=SCHEMA)
    op.create_table(
        "batch_items",
        sa.Column("tenant", sa.String(39), nullable=False),
        sa.Column("batch_id", sa.String(64), nullable=False),
        sa.Column("import_id", sa.String(32), nullable=False),
        sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "batch_id", "import_id"),
        schema=SCHEMA,
    )
    op.create_index("batch_items_in_order", "batch_items", ["tenant", "batch_id", "position"], schema=SCHEMA)


def downgrade() -> None:
    for table in ("batch_items", "batches", "shares"):
        op.drop_table(table, schema=SCHEMA)
    for index in (
        "imports_to_cancel",
        "imports_in_work",
        "imports_waiting",
        "one_import_a_recording",
        "one_import_a_session",
    ):
        op.drop_index(index, table_name="imports", schema=SCHEMA)
    for column in (
        "cancel_requested",
        "beat",
        "lease",
        "not_before_us",
        "waiting_for",
        "outages",
        "attempts",
        "tries",
        "small",
        "upload_bytes",
        "content_key",
        "batch_id",
    ):
        op.drop_column("imports", column, schema=SCHEMA)
    op.create_index(
        "one_import_a_session",
        "imports",
        ["tenant", "session_id"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("state <> 'FAILED'"),
    )
