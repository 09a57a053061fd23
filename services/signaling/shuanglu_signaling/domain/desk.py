"""What signaling does for its callers: take orders, open sessions, show both."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from shuanglu_signaling.domain import listing, order, session
from shuanglu_signaling.domain.lifecycle import Progress
from shuanglu_signaling.domain.listing import Cursor, SessionFilter
from shuanglu_signaling.domain.order import Order
from shuanglu_signaling.domain.ports import KeyedSession, OrderStore, Resolution, SessionStore, Strategies
from shuanglu_signaling.domain.session import Session, SessionRequest
from shuanglu_signaling.errors import (
    AdmissionRefused,
    IdempotencyKeyTaken,
    OrderNoTaken,
    OrderNotFound,
    SessionNotFound,
    SessionTokenTooNarrow,
)

NewId = Callable[[int], str]
PageKey = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `session_id` is set for a token of one session; `sees_customer`: shown in full, not masked."""

    tenant: str
    session_id: str | None = None
    sees_customer: bool = False

    def require_wide(self) -> None:
        """Raises SessionTokenTooNarrow for a token of one session."""
        if self.session_id is not None:
            raise SessionTokenTooNarrow("该令牌只能读取一个会话。The token opens one session only.")


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """Takes and shows orders."""

    orders: OrderStore
    sessions: SessionStore
    new_id: NewId

    async def create(self, caller: Caller, asked: Order, now_us: int) -> Order:
        """The same number with the same content gives the same order. Raises OrderInvalid, OrderNoTaken."""
        caller.require_wide()
        order.validate(asked)
        stored = await self.orders.add(caller.tenant, stamped(asked, self.new_id(now_us), now_us))
        if not stored.same_content(asked):
            raise OrderNoTaken("该订单号已用于另一份订单。The order_no belongs to an order with other content.")
        return shown(stored, caller)

    async def get(self, caller: Caller, order_id: str) -> Order:
        """One order; a token of one session sees that session's order only. Raises OrderNotFound."""
        found = await self.orders.get(caller.tenant, order_id)
        if found is not None and caller.session_id is not None:
            own = await self.sessions.get(caller.tenant, caller.session_id)
            found = found if own is not None and own.order_id == order_id else None
        if found is None:
            raise OrderNotFound("没有此订单。There is no such order.")
        return shown(found, caller)


def stamped(asked: Order, order_id: str, now_us: int) -> Order:
    """With what the service sets."""
    return replace(asked, order_id=order_id, created_at_us=now_us)


def shown(found: Order, caller: Caller) -> Order:
    """As this caller may see it."""
    return found if caller.sees_customer else found.masked()


@dataclass(frozen=True, slots=True)
class SessionDesk:
    """Opens and shows sessions."""

    orders: OrderStore
    sessions: SessionStore
    strategies: Strategies
    new_id: NewId
    page_key: PageKey

    async def create(self, caller: Caller, request: SessionRequest, now_us: int) -> Session:
        """Open a session, or give the one that the same key has opened, even if it would be refused by now.

        Raises SessionInvalid, IdempotencyKeyTaken, OrderNotFound, AdmissionRefused and what the strategies raise.
        """
        caller.require_wide()
        session.validate(request)
        tenant, digest = caller.tenant, digest_of(request)
        if request.idempotency_key:
            known = await self.sessions.by_key(tenant, request.idempotency_key)
            if known is not None:
                return same_request(known, digest)
        found = await self.orders.get(tenant, request.order_id)
        if found is None:
            raise OrderNotFound("没有此订单。There is no such order.")
        resolution = await self.strategies.resolve(tenant, found, request.channel, request.strategy_id)
        require_admission(resolution)
        opened = open_session(request, resolution, self.new_id(now_us), now_us)
        stored = await self.sessions.add(tenant, opened, request.idempotency_key, digest)
        return same_request(stored, digest)

    async def get(self, caller: Caller, session_id: str) -> Session:
        """One session. Raises SessionNotFound, also for a token that opens another one."""
        hidden = caller.session_id is not None and caller.session_id != session_id
        found = None if hidden else await self.sessions.get(caller.tenant, session_id)
        if found is None:
            raise SessionNotFound("没有此会话。There is no such session.")
        return found

    async def page(self, caller: Caller, wanted: SessionFilter, size: int, token: str) -> tuple[Sequence[Session], str]:
        """A page and the next one's token, empty on the last page. Raises FilterInvalid, PageTokenInvalid."""
        caller.require_wide()
        listing.validate(wanted)
        size = listing.page_size(size)
        key = self.page_key(caller.tenant)
        after = listing.read_token(token, wanted, key)
        # One more than asked tells whether there is a next page.
        found = await self.sessions.page(caller.tenant, wanted, after, size + 1)
        if len(found) <= size:
            return found, ""
        last = found[size - 1]
        return found[:size], listing.write_token(Cursor(last.created_at_us, last.session_id), wanted, key)


def same_request(known: KeyedSession, digest: str) -> Session:
    """Raises IdempotencyKeyTaken if the key was used for something else."""
    if known.request_digest != digest:
        raise IdempotencyKeyTaken("该幂等键已用于另一个请求。The idempotency_key was used for another request.")
    return known.session


def digest_of(request: SessionRequest) -> str:
    """Digest of all that a repeated request must have in common."""
    people = tuple((person.participant_id, person.role.value) for person in request.participants)
    content = repr((request.order_id, request.channel.value, request.strategy_id, people))
    return hashlib.sha256(content.encode()).hexdigest()


def require_admission(resolution: Resolution) -> None:
    """Raises AdmissionRefused, which says why, by which rule, and which channels are open."""
    if resolution.admitted:
        return
    raise AdmissionRefused(
        f"{resolution.refusal_zh} {resolution.refusal_en}".strip(),
        rule=resolution.refusal_rule,
        refusal_zh=resolution.refusal_zh,
        refusal_en=resolution.refusal_en,
        open_channels=",".join(channel.value for channel in resolution.open_channels),
        strategy_id=resolution.strategy_id,
    )


def open_session(request: SessionRequest, resolution: Resolution, session_id: str, now_us: int) -> Session:
    """A new session under the strategy version that was just resolved; it keeps this version for good."""
    return Session(
        session_id=session_id,
        order_id=request.order_id,
        channel=request.channel,
        strategy_id=resolution.strategy_id,
        strategy_version=resolution.strategy_version,
        participants=request.participants,
        inspection=resolution.inspection,
        created_at_us=now_us,
        progress=Progress(updated_at_us=now_us),
        script=resolution.script,
        recording=resolution.recording,
    )
