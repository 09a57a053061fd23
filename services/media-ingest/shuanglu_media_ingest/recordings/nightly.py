"""Reconciles every tenant once a day and tells the metrics; differences are in the log, without personal data."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from shuanglu_common.clock import Clock
from shuanglu_common.errors import ShuangluError
from shuanglu_common.store import REMOVED, ObjectStore
from shuanglu_media_ingest import metrics
from shuanglu_media_ingest.domain.reconciling import DifferenceKind
from shuanglu_media_ingest.recordings.calls import Metadata, Wanted
from shuanglu_media_ingest.recordings.reconciler import Reconciler

US = 1_000_000
DAY_US = 86_400 * US

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Times:
    """When to look, and how far back: every `every_s` (0: never), `offset_s` after a multiple of it since the epoch."""

    every_s: float
    offset_s: float
    days: int

    def wait_s(self, now_us: int) -> float:
        """Seconds until the next look."""
        return self.every_s - (now_us / US - self.offset_s) % self.every_s


class Nightly:
    """The look at night."""

    def __init__(
        self,
        reconciler: Reconciler,
        store: ObjectStore,
        clock: Clock,
        metadata: Callable[[str], Metadata],
        times: Times,
    ) -> None:
        """`metadata`: of a call of our own for a tenant."""
        self._reconciler, self._store, self._clock = reconciler, store, clock
        self._metadata, self._times = metadata, times

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stop."""
        if not self._times.every_s:
            await stopping.wait()
        while not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._times.wait_s(self._clock.now_us()))
                return
            try:
                await self.look()
            except ShuangluError as error:
                # Numbers of an earlier night stay, and their time says how old they are.
                log.error("reconcile.failed", reason=error.reason)

    async def look(self) -> Counter[DifferenceKind]:
        """All tenants once. Raises StoreUnavailable, SessionsUnavailable, DatabaseUnavailable."""
        now_us = self._clock.now_us()
        wanted = Wanted(from_us=max(0, now_us - self._times.days * DAY_US))
        counts: Counter[DifferenceKind] = Counter()
        sessions = 0
        for folder in await self._store.folders(""):
            if folder == REMOVED:
                continue
            tenant = folder.rstrip("/")
            async for step in self._reconciler.walk(tenant, self._metadata(tenant), wanted):
                sessions += step.sessions
                for each in step.differences:
                    counts[each.kind] += 1
                    log.error(
                        "reconcile.difference",
                        tenant=tenant,
                        session_id=each.session_id,
                        track_id=each.track_id,
                        kind=each.kind,
                        start_ms=each.span[0],
                        end_ms=each.span[1],
                    )
        for kind in DifferenceKind:
            metrics.RECONCILE_DIFFERENCES.labels(kind).set(counts[kind])
        metrics.RECONCILE_SESSIONS.set(sessions)
        metrics.RECONCILE_FINISHED.set(now_us / US)
        log.info("reconcile.finished", sessions=sessions, differences=counts.total())
        return counts
