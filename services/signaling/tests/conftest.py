"""Fakes that keep the ports' promises, and small builders."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from call_doubles import POLICY, SCRIPT, Calls, MemoryCalls, build_calls
from real_database import running_postgres

from shuanglu_signaling.domain.desk import Caller, OrderDesk, SessionDesk
from shuanglu_signaling.domain.lifecycle import Progress
from shuanglu_signaling.domain.listing import Cursor, SessionFilter
from shuanglu_signaling.domain.order import Customer, Order
from shuanglu_signaling.domain.ports import KeyedSession, Resolution, Transition
from shuanglu_signaling.domain.session import Inspection, Session, SessionRequest, name_participants
from shuanglu_signaling.domain.words import Channel
from shuanglu_signaling.errors import StrategyNotFound

NOW_US = 1_760_000_000_000_000


def make_order(**changes: Any) -> Order:
    order = Order(
        order_id="",
        order_no="PL-2026-0001",
        product="personal_loan",
        amount_fen=8_000_000,
        currency="CNY",
        purpose="consumption",
        term_months=24,
        customer=Customer("C-1", "王小明", "11010519491231002X"),
        branch="SH-0001",
        agent_no="1027",
        created_at_us=0,
    )
    return replace(order, **changes)


def make_request(**changes: Any) -> SessionRequest:
    request = SessionRequest(
        order_id="order-1",
        channel=Channel.REMOTE,
        strategy_id="",
        participants=name_participants([]),
        idempotency_key="",
    )
    return replace(request, **changes)


def make_session(number: int = 1, **changes: Any) -> Session:
    session = Session(
        session_id=f"session-{number:04}",
        order_id="order-1",
        channel=Channel.REMOTE,
        strategy_id="personal-loan",
        strategy_version="a" * 64,
        participants=name_participants([]),
        inspection=Inspection(2000, ("zh", "en")),
        created_at_us=NOW_US + number,
        progress=Progress(updated_at_us=NOW_US + number),
    )
    return replace(session, **changes)


@dataclass
class MemoryOrders:
    """Orders in a dictionary; looks at no clock and seals nothing."""

    rows: dict[tuple[str, str], Order] = field(default_factory=dict)

    async def add(self, tenant: str, order: Order) -> Order:
        same = [row for (owner, _), row in self.rows.items() if owner == tenant and row.order_no == order.order_no]
        if not same:
            self.rows[tenant, order.order_id] = order
        return same[0] if same else order

    async def get(self, tenant: str, order_id: str) -> Order | None:
        return self.rows.get((tenant, order_id))


@dataclass
class MemorySessions:
    """Sessions in a dictionary, and the ids whose SessionCreated would be published."""

    rows: dict[tuple[str, str], Session] = field(default_factory=dict)
    keys: dict[tuple[str, str], KeyedSession] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)

    async def add(self, tenant: str, session: Session, idempotency_key: str, request_digest: str) -> KeyedSession:
        made = KeyedSession(session, request_digest)
        if idempotency_key:
            known = self.keys.setdefault((tenant, idempotency_key), made)
            if known is not made:
                return known
        self.rows[tenant, session.session_id] = session
        self.published.append(session.session_id)
        return made

    async def by_key(self, tenant: str, idempotency_key: str) -> KeyedSession | None:
        return self.keys.get((tenant, idempotency_key))

    async def get(self, tenant: str, session_id: str) -> Session | None:
        return self.rows.get((tenant, session_id))

    async def page(self, tenant: str, wanted: SessionFilter, after: Cursor | None, size: int) -> Sequence[Session]:
        rows = [row for (owner, _), row in self.rows.items() if owner == tenant and fits(row, wanted)]
        rows.sort(key=place, reverse=True)
        last = (after.created_at_us, after.session_id) if after else None
        return [row for row in rows if last is None or place(row) < last][:size]

    async def advance(self, tenant: str, session_id: str, transition: Transition) -> tuple[Progress, Progress] | None:
        row = self.rows.get((tenant, session_id))
        if row is None:
            return None
        after = transition(row.progress)
        self.rows[tenant, session_id] = replace(row, progress=after)
        return row.progress, after


def place(session: Session) -> tuple[int, str]:
    return session.created_at_us, session.session_id


def fits(session: Session, wanted: SessionFilter) -> bool:
    return (
        wanted.order_id in {"", session.order_id}
        and wanted.state in {None, session.progress.state}
        and wanted.channel in {None, session.channel}
        and session.created_at_us >= wanted.created_from_us
        and (not wanted.created_to_us or session.created_at_us < wanted.created_to_us)
    )


ADMITTED = Resolution("personal-loan", "b" * 64, True, "", "", "", (), Inspection(2000, ("zh", "en")))
REFUSED = replace(
    ADMITTED,
    admitted=False,
    refusal_zh="住房贷款须当面签约。",
    refusal_en="Housing loans are signed in person.",
    refusal_rule="PL26-1",
    open_channels=(Channel.COUNTER,),
)


@dataclass
class FixedStrategies:
    """One answer for everybody; what was asked is kept."""

    answer: Resolution | None = ADMITTED
    asked: list[tuple[str, Channel, str]] = field(default_factory=list)

    async def resolve(self, tenant: str, order: Order, channel: Channel, strategy_id: str) -> Resolution:
        self.asked.append((tenant, channel, strategy_id))
        if self.answer is None:
            raise StrategyNotFound("there is no such strategy")
        return self.answer


def numbered() -> Callable[[int], str]:
    """Ids that count."""
    count = iter(range(1, 10_000))
    return lambda _now_us: f"id-{next(count):04}"


@dataclass
class Desk:
    """Both desks over the same fakes."""

    orders: OrderDesk
    sessions: SessionDesk
    order_rows: MemoryOrders
    session_rows: MemorySessions
    strategies: FixedStrategies


@pytest.fixture
def desk() -> Desk:
    orders, sessions, strategies, new_id = MemoryOrders(), MemorySessions(), FixedStrategies(), numbered()
    session_desk = SessionDesk(orders, sessions, strategies, new_id, lambda tenant: f"key of {tenant}".encode())
    return Desk(OrderDesk(orders, sessions, new_id), session_desk, orders, sessions, strategies)


@pytest.fixture
def agent() -> Caller:
    return Caller("demo", sees_customer=True)


@pytest.fixture
def build() -> Any:
    """The builders, as attributes."""

    class Build:
        order = staticmethod(make_order)
        request = staticmethod(make_request)
        session = staticmethod(make_session)
        now_us = NOW_US
        refused = REFUSED

    return Build


@pytest.fixture
async def calls(desk: Desk) -> Calls:
    """The call desks over fakes, with one session that may have a call."""
    await desk.session_rows.add("demo", make_session(1, script=SCRIPT, recording=POLICY), "", "")
    return build_calls(desk.session_rows, MemoryCalls(desk.session_rows), numbered())


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real PostgreSQL."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as address:
        yield address
