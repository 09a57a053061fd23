"""A soft lease of a partition: of several processes one folds it. Correctness never rests on it (see folds.py).

Bucket `quality_leases`: a key `partition-<n>` that its owner renews and that expires by itself when the owner is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from nats.errors import Error as NatsError
from nats.js.kv import KeyValue

from shuanglu_quality.metrics import PARTITIONS_OWNED

log = structlog.get_logger()

BUCKET = "quality_leases"
TTL_S = 8.0
RENEW_S = 2.0
# Who owns many partitions already is slow to take one more, so that several processes share them.
COURTESY_S = 0.4


class Leases:
    """Runs work for partitions while their lease is held."""

    def __init__(self, bucket: KeyValue, owner: str) -> None:
        """`owner`: unique to this process."""
        self._bucket = bucket
        self._owner = owner.encode()
        self._held = 0

    async def hold(self, name: str, work: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event) -> None:
        """Until `stopping`: waits for the lease, runs `work`, and stops it when the lease is lost."""
        while not stopping.is_set():
            await _pause(stopping, COURTESY_S * self._held)
            revision = await self._acquire(name)
            if revision is None:
                await _pause(stopping, RENEW_S)
                continue
            self._count(1)
            try:
                await self._run(name, revision, work, stopping)
            finally:
                self._count(-1)

    async def _run(
        self, name: str, revision: int, work: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event
    ) -> None:
        lost = asyncio.Event()
        task = asyncio.ensure_future(work(lost))
        try:
            while not stopping.is_set() and not task.done():
                await _pause(stopping, RENEW_S)
                renewed = await self._renew(name, revision)
                if renewed is None:
                    log.warning("lease.lost", lease=name)
                    break
                revision = renewed
        finally:
            lost.set()
            await task
            await self._release(name, revision)

    async def _acquire(self, name: str) -> int | None:
        try:
            return await self._bucket.create(name, self._owner)
        except (NatsError, OSError, TimeoutError):
            return None

    async def _renew(self, name: str, revision: int) -> int | None:
        try:
            return await self._bucket.update(name, self._owner, last=revision)
        except (NatsError, OSError, TimeoutError):
            return None

    async def _release(self, name: str, revision: int) -> None:
        with suppress(NatsError, OSError, TimeoutError):
            await self._bucket.delete(name, last=revision)

    def _count(self, change: int) -> None:
        self._held += change
        PARTITIONS_OWNED.set(self._held)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
