"""Tables of the schema `signaling`; the migrations make the same. The tenant comes first in every key."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, text
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "signaling"
METADATA = MetaData(schema=SCHEMA)

ORDERS = Table(
    "orders",
    METADATA,
    Column("tenant", String(39), primary_key=True),
    Column("order_id", String(64), primary_key=True),
    Column("order_no", String(64), nullable=False),
    Column("product", String(64), nullable=False),
    Column("amount_fen", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("term_months", Integer, nullable=False),
    Column("customer_no", String(64), nullable=False),
    # Name and identity number, sealed for this order.
    Column("customer_sealed", LargeBinary, nullable=False),
    Column("branch", String(64), nullable=False),
    Column("agent_no", String(64), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Index("orders_order_no", "tenant", "order_no", unique=True),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("tenant", String(39), primary_key=True),
    Column("session_id", String(64), primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("strategy_id", String(64), nullable=False),
    Column("strategy_version", String(64), nullable=False),
    # [[participant_id, role], …]
    Column("participants", JSONB, nullable=False),
    # {"face_frames_per_kilosecond": …, "languages": […]}
    Column("inspection", JSONB, nullable=False),
    # Nodes of the script, and what is asked of a live recording (domain/script.py).
    Column("script", JSONB, nullable=False, server_default="[]"),
    Column("recording", JSONB, nullable=False, server_default="{}"),
    # Facts of the lifecycle; `state` is read off them and stored for lists.
    Column("facts", JSONB, nullable=False),
    Column("state", String(16), nullable=False),
    Column("idempotency_key", String(64), nullable=True),
    Column("request_digest", String(64), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Index("sessions_newest", "tenant", text("created_at_us desc"), text("session_id desc")),
    Index("sessions_order", "tenant", "order_id"),
    Index("sessions_idempotency_key", "tenant", "idempotency_key", unique=True),
)

CALLS = Table(
    "calls",
    METADATA,
    Column("tenant", String(39), primary_key=True),
    Column("session_id", String(64), primary_key=True),
    # Read off the call and stored for those who look for calls that go on.
    Column("state", String(16), nullable=False),
    Column("node", String(64), nullable=False),
    # The whole of domain/call.py's `Call`.
    Column("call", JSONB, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Index("calls_going_on", "node", postgresql_where=text("state <> 'ENDED'")),
)

# The one key without a tenant in front: who brings a code has no token yet, and the code says whose it is.
INVITATION_CODES = Table(
    "invitation_codes",
    METADATA,
    Column("code_hash", String(64), primary_key=True),
    Column("tenant", String(39), nullable=False),
    Column("session_id", String(64), nullable=False),
    Index("invitation_codes_session", "tenant", "session_id"),
)
