"""What the desks need from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shuanglu_signaling.domain.lifecycle import Progress
from shuanglu_signaling.domain.listing import Cursor, SessionFilter
from shuanglu_signaling.domain.order import Order
from shuanglu_signaling.domain.script import HOLD_ON_STALL, RecordingPolicy, ScriptNode
from shuanglu_signaling.domain.session import Inspection, Session
from shuanglu_signaling.domain.words import Channel


@dataclass(frozen=True, slots=True)
class Resolution:
    """Which strategy governs an order, and whether it admits it. The refusal's texts are empty if it does."""

    strategy_id: str
    strategy_version: str
    admitted: bool
    refusal_zh: str
    refusal_en: str
    refusal_rule: str
    open_channels: tuple[Channel, ...]
    inspection: Inspection
    script: tuple[ScriptNode, ...] = ()
    recording: RecordingPolicy = HOLD_ON_STALL


class Strategies(Protocol):
    """Knows the strategies."""

    async def resolve(self, tenant: str, order: Order, channel: Channel, strategy_id: str) -> Resolution:
        """Raises StrategyNotFound, StrategyNotChosen, StrategiesUnavailable. Sees no personal data."""
        ...


class OrderStore(Protocol):
    """Keeps orders; the customer is stored sealed."""

    async def add(self, tenant: str, order: Order) -> Order:
        """Store it, unless its order_no is there: then the stored one comes back, whatever its content."""
        ...

    async def get(self, tenant: str, order_id: str) -> Order | None:
        """None also for another tenant's."""
        ...


@dataclass(frozen=True, slots=True)
class KeyedSession:
    """A session and the digest of the request that made it."""

    session: Session
    request_digest: str


class SessionStore(Protocol):
    """Keeps sessions."""

    async def add(self, tenant: str, session: Session, idempotency_key: str, request_digest: str) -> KeyedSession:
        """Store it and, in the same transaction, have SessionCreated published.

        If the key (not empty) is there already, nothing happens and the stored one comes back.
        """
        ...

    async def by_key(self, tenant: str, idempotency_key: str) -> KeyedSession | None:
        """The session that was made with this key."""
        ...

    async def get(self, tenant: str, session_id: str) -> Session | None:
        """None also for another tenant's."""
        ...

    async def page(self, tenant: str, wanted: SessionFilter, after: Cursor | None, size: int) -> Sequence[Session]:
        """At most `size` sessions, newest first, behind `after`."""
        ...


class Transition(Protocol):
    """Adds one fact to a session's progress."""

    def __call__(self, progress: Progress, /) -> Progress:
        """Pure."""
        ...


class ProgressStore(Protocol):
    """Keeps where sessions stand."""

    async def advance(self, tenant: str, session_id: str, transition: Transition) -> tuple[Progress, Progress] | None:
        """Apply the transition with nobody between reading and writing; before and after. None: no such session."""
        ...
