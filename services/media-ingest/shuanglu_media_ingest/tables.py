"""The tables of schema `media_ingest`, and a row as an Import."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shuanglu_media_ingest.domain.imports import Import, ImportState, Plan

SCHEMA = "media_ingest"
METADATA = MetaData()

IMPORTS = Table(
    "imports",
    METADATA,
    Column("tenant", String(39), primary_key=True),
    Column("import_id", String(32), primary_key=True),
    Column("session_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("plan", JSONB, nullable=False),
    Column("failure_reason", String(64), nullable=False),
    Column("failure_help", Text, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("total_bytes", BigInteger, nullable=False),
    Column("tracks", ARRAY(LargeBinary), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("batch_id", String(64), nullable=False),
    Column("content_key", String(32), nullable=False),
    Column("upload_bytes", BigInteger, nullable=False),
    Column("small", Boolean, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),  # times that a worker took it, in this try
    Column("outages", Integer, nullable=False),  # of these, those that were not its fault
    Column("waiting_for", String(64), nullable=False),
    Column("not_before_us", BigInteger, nullable=False),
    Column("lease", String(32), nullable=False),  # of the worker that has it; empty if none has
    Column("beat", BigInteger, nullable=False),  # changes while the worker lives
    Column("cancel_requested", Boolean, nullable=False),
    Column("trace_parent", String(64), nullable=False),  # of the request, so that one trace leads to the report
    schema=SCHEMA,
)
SHARES = Table(
    "shares",
    METADATA,
    Column("tenant", String(39), primary_key=True),
    Column("start_bytes", Numeric(40, 0), nullable=False),
    Column("end_bytes", Numeric(40, 0), nullable=False),
    Column("overtaken", Integer, nullable=False),
    schema=SCHEMA,
)
BATCHES = Table(
    "batches",
    METADATA,
    Column("tenant", String(39), primary_key=True),
    Column("batch_id", String(64), primary_key=True),
    Column("created_at_us", BigInteger, nullable=False),
    schema=SCHEMA,
)
BATCH_ITEMS = Table(
    "batch_items",
    METADATA,
    Column("tenant", String(39), primary_key=True),
    Column("batch_id", String(64), primary_key=True),
    Column("import_id", String(32), primary_key=True),
    Column("position", BigInteger, Identity(), nullable=False),
    schema=SCHEMA,
)


def import_of(row: Mapping[str, Any]) -> Import:
    """A row of `imports`."""
    return Import(
        tenant=row["tenant"],
        import_id=row["import_id"],
        session_id=row["session_id"],
        state=ImportState(row["state"]),
        plan=Plan.from_json(row["plan"]),
        created_at_us=row["created_at_us"],
        failure_reason=row["failure_reason"],
        failure_help=row["failure_help"],
        stored_bytes=row["stored_bytes"],
        total_bytes=row["total_bytes"],
        tracks=tuple(row["tracks"]),
        batch_id=row["batch_id"],
        content_key=row["content_key"],
        upload_bytes=row["upload_bytes"],
        small=row["small"],
        tries=row["tries"],
        attempts=row["attempts"],
        outages=row["outages"],
        waiting_for=row["waiting_for"],
        lease=row["lease"],
        trace_parent=row["trace_parent"],
    )


def values_of(record: Import) -> dict[str, Any]:
    """A new import as a row."""
    return {
        "tenant": record.tenant,
        "import_id": record.import_id,
        "session_id": record.session_id,
        "state": record.state.value,
        "plan": record.plan.to_json(),
        "failure_reason": "",
        "failure_help": "",
        "stored_bytes": 0,
        "total_bytes": 0,
        "tracks": [],
        "created_at_us": record.created_at_us,
        "updated_at_us": record.created_at_us,
        "batch_id": record.batch_id,
        "content_key": record.content_key,
        "upload_bytes": record.upload_bytes,
        "small": record.small,
        "tries": record.tries,
        "attempts": 0,
        "outages": 0,
        "waiting_for": "",
        "not_before_us": 0,
        "lease": "",
        "beat": 0,
        "cancel_requested": False,
        "trace_parent": record.trace_parent,
    }
