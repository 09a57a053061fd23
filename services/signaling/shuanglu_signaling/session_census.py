"""How many sessions stand where, for the metrics: counted in the database, so every replica says the same."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

import structlog
from sqlalchemy import func, select

from shuanglu_common.clock import Clock
from shuanglu_common.database import Database
from shuanglu_common.errors import DependencyError
from shuanglu_common.tenant_label import TenantLabel
from shuanglu_signaling.domain.words import SessionState
from shuanglu_signaling.metrics import SESSION_STATES
from shuanglu_signaling.tables import SESSIONS

EVERY_S = 15.0
# What counting may take of the database's time, at most.
SHARE = 0.05
AGE_US = 7 * 86_400 * 1_000_000

log = structlog.get_logger()


class SessionCensus:
    """Counts sessions that are not older than seven days."""

    def __init__(self, database: Database, clock: Clock, tenants: TenantLabel) -> None:
        """All series are there from the start."""
        self._database, self._clock, self._tenants = database, clock, tenants
        self._show({})

    async def count(self) -> None:
        """Once. Raises DatabaseUnavailable."""
        query = (
            select(SESSIONS.c.tenant, SESSIONS.c.state, func.count())
            .where(SESSIONS.c.created_at_us >= self._clock.now_us() - AGE_US)
            .group_by(SESSIONS.c.tenant, SESSIONS.c.state)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        counts: dict[tuple[str, str], int] = {}
        for tenant, state, number in rows:
            key = (self._tenants(tenant), str(state))
            counts[key] = counts.get(key, 0) + number
        self._show(counts)

    async def watch(self, stopping: asyncio.Event) -> None:
        """Until stop; more seldom where counting takes long."""
        while not stopping.is_set():
            started = time.monotonic()
            try:
                await self.count()
            except DependencyError as error:
                log.warning("census.waiting", error=error)
            took_s = time.monotonic() - started
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), max(EVERY_S, took_s / SHARE))

    def _show(self, counts: Mapping[tuple[str, str], int]) -> None:
        for tenant in self._tenants.values:
            for state in SessionState:
                SESSION_STATES.labels(tenant, state.value).set(counts.get((tenant, state.value), 0))
