"""Strategies of a tenant: its own versions, and those that come with the service. Versions never change."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from shuanglu_common.clock import Clock
from shuanglu_quality.builtin import BUILT_IN, built_in
from shuanglu_quality.conditions import OrderCondition, OrderFacts
from shuanglu_quality.domain.strategy import Strategy
from shuanglu_quality.errors import (
    PageSizeInvalid,
    PageTokenInvalid,
    StrategyAmbiguous,
    StrategyInvalid,
    StrategyNotApplicable,
    StrategyNotFound,
)
from shuanglu_quality.strategy_text import read

CHANNELS = ("REMOTE", "COUNTER", "FIELD", "IMPORT")
DEFAULT_PAGE = 50
MAX_PAGE = 200
MARK_BYTES = 16


@dataclass(frozen=True, slots=True)
class StoredStrategy:
    """One version of a tenant's strategy as stored."""

    strategy_id: str
    version: str
    yaml: str
    created_at_us: int
    created_by: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which strategy governs an order, and whether it admits it."""

    strategy: Strategy
    admitted: bool
    open_channels: tuple[str, ...]


class StrategyRows(Protocol):
    """Stored versions. All methods raise DatabaseUnavailable."""

    async def add(self, tenant: str, row: StoredStrategy) -> bool:
        """False if the version is there already."""

    async def get(self, tenant: str, strategy_id: str, version: str) -> StoredStrategy | None:
        """One version."""

    async def newest(self, tenant: str) -> list[StoredStrategy]:
        """The newest version of each strategy; those of the tenant's own hand before built-in ones."""


@lru_cache(maxsize=256)
def parsed(yaml: str) -> Strategy:
    """A stored text as a strategy. Raises StrategyInvalid if rules have become stricter since it was stored."""
    reading = read(yaml)
    if reading.strategy is None:
        raise StrategyInvalid(reading.problems)
    return reading.strategy


class StrategyShelf:
    """What the door and the judge ask."""

    def __init__(self, rows: StrategyRows, clock: Clock, page_key: bytes) -> None:
        """`clock` stamps new versions; `page_key` authenticates page tokens."""
        self._rows = rows
        self._clock = clock
        self._page_key = page_key

    async def create(self, tenant: str, yaml: str, subject: str) -> tuple[StoredStrategy, bool]:
        """Stores a version; the same content again is the same version. Raises StrategyInvalid."""
        reading = read(yaml)
        if reading.strategy is None:
            raise StrategyInvalid(reading.problems)
        strategy = reading.strategy
        row = StoredStrategy(strategy.strategy_id, strategy.version, yaml, self._clock.now_us(), subject)
        created = await self._rows.add(tenant, row)
        if created:
            return row, True
        return await self._rows.get(tenant, row.strategy_id, row.version) or row, False

    async def get(self, tenant: str, strategy_id: str, version: str = "") -> StoredStrategy:
        """One version, the newest if none is named. Raises StrategyNotFound."""
        if version:
            row = await self._rows.get(tenant, strategy_id, version)
        else:
            row = next((one for one in await self.newest(tenant) if one.strategy_id == strategy_id), None)
        if row is None:
            shipped = (_shipped(one.strategy, one.yaml) for one in built_in())
            row = next((one for one in shipped if (one.strategy_id, one.version) == (strategy_id, version)), None)
        if row is None:
            raise StrategyNotFound("There is no such strategy or version.", strategy_id=strategy_id)
        return row

    async def load(self, tenant: str, strategy_id: str, version: str) -> Strategy:
        """One version, ready to judge by. Raises StrategyNotFound."""
        return parsed((await self.get(tenant, strategy_id, version)).yaml)

    async def newest(self, tenant: str) -> list[StoredStrategy]:
        """The newest version of each strategy by id; a tenant's own version replaces the built-in one."""
        rows = {row.strategy_id: row for row in await self._rows.newest(tenant)}
        for one in built_in():
            shipped = _shipped(one.strategy, one.yaml)
            own = rows.get(shipped.strategy_id)
            if own is None or own.created_by == BUILT_IN:
                rows[shipped.strategy_id] = shipped
        return [rows[strategy_id] for strategy_id in sorted(rows)]

    async def page(self, tenant: str, size: int, token: str) -> tuple[list[StoredStrategy], str]:
        """A page of the newest versions and the token of the next. Raises PageSizeInvalid, PageTokenInvalid."""
        if not 0 <= size <= MAX_PAGE:
            raise PageSizeInvalid(f"page_size must be 0..{MAX_PAGE}.")
        after = self._after(token, tenant)
        rows = [row for row in await self.newest(tenant) if row.strategy_id > after]
        shown, rest = rows[: size or DEFAULT_PAGE], rows[size or DEFAULT_PAGE :]
        if not rest:
            return shown, ""
        last = shown[-1].strategy_id.encode()
        return shown, base64.urlsafe_b64encode(self._mark(tenant, last) + last).decode().rstrip("=")

    def _mark(self, tenant: str, place: bytes) -> bytes:
        """Holds for this place in this tenant's list alone (HMAC-SHA256, RFC 2104)."""
        return hmac.digest(self._page_key, tenant.encode() + b"\0" + place, "sha256")[:MARK_BYTES]

    def _after(self, token: str, tenant: str) -> str:
        """The last strategy that was shown; empty for the first page. Raises PageTokenInvalid."""
        if not token:
            return ""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise PageTokenInvalid("The page token cannot be read.") from error
        mark, place = data[:MARK_BYTES], data[MARK_BYTES:]
        if not hmac.compare_digest(mark, self._mark(tenant, place)):
            raise PageTokenInvalid("The page token is not one of this list.")
        return place.decode()

    async def resolve(self, tenant: str, order: OrderFacts, channel: str, strategy_id: str) -> Resolved:
        """The strategy for an order. Raises StrategyNotFound, StrategyAmbiguous, StrategyNotApplicable.

        A condition that comes to an error neither applies nor admits.
        """
        if strategy_id:
            row = await self.get(tenant, strategy_id)
            if OrderCondition(parsed(row.yaml).applies_when).holds(order, channel) is not True:
                raise StrategyNotApplicable("The strategy is not for this order.", strategy_id=strategy_id)
        else:
            row = await self._only(tenant, order, channel)
        if row.created_by == BUILT_IN:
            # A session rests on this version: it must outlive the package that brought it.
            await self._rows.add(tenant, row)
        strategy = parsed(row.yaml)
        admits = OrderCondition(strategy.admission.condition)
        open_channels = tuple(one for one in CHANNELS if admits.holds(order, one) is True)
        return Resolved(strategy, channel in open_channels, open_channels)

    async def _only(self, tenant: str, order: OrderFacts, channel: str) -> StoredStrategy:
        fitting = [
            row
            for row in await self.newest(tenant)
            if OrderCondition(parsed(row.yaml).applies_when).holds(order, channel) is True
        ]
        if not fitting:
            raise StrategyNotFound("No strategy is for this product and channel.", product=order.product)
        if len(fitting) > 1:
            names = ", ".join(row.strategy_id for row in fitting)
            raise StrategyAmbiguous(f"Several strategies are for this order: {names}.", strategies=names)
        return fitting[0]


def _shipped(strategy: Strategy, yaml: str) -> StoredStrategy:
    return StoredStrategy(strategy.strategy_id, strategy.version, yaml, 0, BUILT_IN)
