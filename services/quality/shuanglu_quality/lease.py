"""A soft lease of a partition: of several processes one folds it. Correctness never rests on it (see folds.py).

Bucket `quality_leases`: a key `partition-<n>` that its owner renews, and a key `owner-<id>` for each living process.
Both expire by themselves when the process is gone. Nobody holds more than its share: a process that comes gets some of
the others' partitions within seconds.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.kv import KeyValue

from shuanglu_quality.metrics import PARTITIONS_OWNED

log = structlog.get_logger()

BUCKET = "quality_leases"
TTL_S = 8.0
RENEW_S = 2.0
# Who owns many partitions already is slow to take one more, so that processes that start together share them.
COURTESY_S = 0.4
AWAY = (NatsError, OSError, TimeoutError)


class Leases:
    """Runs work for partitions while their lease is held."""

    def __init__(self, jetstream: JetStreamContext, bucket: KeyValue, owner: str, partitions: int) -> None:
        """`owner`: unique to this process."""
        self._jetstream = jetstream
        self._bucket = bucket
        self._owner = owner.encode()
        self._partitions = self._share = partitions
        self._presence = f"owner-{owner}"
        self._held = 0

    async def live(self, stopping: asyncio.Event) -> None:
        """Until `stopping`: tells the others that we are there, and learns how many they are."""
        subjects = f"$KV.{BUCKET}."
        while not stopping.is_set():
            with suppress(*AWAY):
                await self._bucket.put(self._presence, self._owner)
                info = await self._jetstream.stream_info(f"KV_{BUCKET}", subjects_filter=f"{subjects}owner-*")
                self._share = math.ceil(self._partitions / max(1, len(info.state.subjects or {})))
            await _pause(stopping, RENEW_S)
        with suppress(*AWAY):
            # Purged, not deleted: the mark of a deletion would be counted as a process.
            await self._jetstream.purge_stream(f"KV_{BUCKET}", subject=subjects + self._presence)

    async def hold(self, name: str, work: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event) -> None:
        """Until `stopping`: waits for the lease, runs `work`, and stops it when the lease is lost or others want it."""
        while not stopping.is_set():
            await _pause(stopping, COURTESY_S * self._held)
            revision = await self._acquire(name) if self._held < self._share else None
            if revision is None:
                await _pause(stopping, RENEW_S)
                continue
            self._count(1)
            await self._run(name, revision, work, stopping)

    async def _run(
        self, name: str, revision: int, work: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event
    ) -> None:
        over = asyncio.Event()
        task = asyncio.ensure_future(work(over))
        try:
            while not stopping.is_set() and not task.done():
                await _pause(stopping, RENEW_S)
                renewed = await self._renew(name, revision)
                if renewed is None:
                    log.warning("lease.lost", lease=name)
                    break
                revision = renewed
                if self._held > self._share:
                    log.info("lease.shared", lease=name)
                    break
        finally:
            # Counted at once: one partition too many must not make all of them go.
            self._count(-1)
            over.set()
            await task
            await self._release(name, revision)

    async def _acquire(self, name: str) -> int | None:
        try:
            return await self._bucket.create(name, self._owner)
        except AWAY:
            return None

    async def _renew(self, name: str, revision: int) -> int | None:
        try:
            return await self._bucket.update(name, self._owner, last=revision)
        except AWAY:
            return None

    async def _release(self, name: str, revision: int) -> None:
        with suppress(*AWAY):
            await self._bucket.delete(name, last=revision)

    def _count(self, change: int) -> None:
        self._held += change
        PARTITIONS_OWNED.set(self._held)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
