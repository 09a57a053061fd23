"""Takes imports from the queue and has them worked on, several at a time.

Lanes: of `imports_in_hand` lanes one takes small imports only, so that these never wait behind large ones; a single
lane takes all. A lane holds a lease while it works and beats it. A watcher takes over what a dead worker left, and
cancels what waits to be cancelled.

What ends badly waits again: after an outage of something beside us for ever, with growing delays; after an unforeseen
error `MAX_ATTEMPTS` times. Then it is FAILED, and its caller may retry it.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from shuanglu_common.errors import DependencyError
from shuanglu_media_ingest import metrics
from shuanglu_media_ingest.domain.imports import Import
from shuanglu_media_ingest.domain.leases import BEAT_S, Beat, Watch
from shuanglu_media_ingest.domain.queue import MAX_ABANDONED, MAX_ATTEMPTS, Answer, Queue, delay_s, faults
from shuanglu_media_ingest.importing.ports import Pressure

POLL_S = 1.0
LENGTHS_EVERY_S = 5.0
TIDY_S = 2.0

log = structlog.get_logger()


class Work(Protocol):
    """What is done with an import in hand; see Importer."""

    async def run(self, record: Import) -> None:
        """To its end."""
        ...

    async def give_up(self, record: Import) -> None:
        """FAILED."""
        ...

    async def cancel(self, record: Import) -> None:
        """CANCELLED."""
        ...


@dataclass(frozen=True, slots=True)
class Lanes:
    """How many imports at a time, and seconds that those in hand may go on after a stop."""

    in_hand: int
    stop_s: float


class ImportWorker:
    """Runs until told to stop."""

    def __init__(self, queue: Queue, work: Work, pressure: Pressure, lanes: Lanes) -> None:
        """`pressure` says when nothing more should be begun."""
        self._queue, self._work, self._pressure, self._lanes = queue, work, pressure, lanes
        self._watch = Watch()
        self._wakes = [asyncio.Event() for _ in range(lanes.in_hand)]
        # Outages in a row, of the whole process: what is away is away for every import.
        self._outages = 0

    def wake(self) -> None:
        """Look now whether something waits."""
        for wake in self._wakes:
            wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then let what is in hand end, or give it back."""
        small_only = [number > 0 and number == self._lanes.in_hand - 1 for number in range(self._lanes.in_hand)]
        jobs = [self._lane(wake, stopping, small_only=only) for wake, only in zip(self._wakes, small_only, strict=True)]
        stop = asyncio.create_task(self._wake_at(stopping))
        try:
            async with asyncio.TaskGroup() as group:
                for job in (*jobs, self._watcher(stopping), self._measure(stopping)):
                    group.create_task(job)
        finally:
            stop.cancel()

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self.wake()

    async def _lane(self, wake: asyncio.Event, stopping: asyncio.Event, *, small_only: bool) -> None:
        while not stopping.is_set():
            wake.clear()
            record = await self._claim(small_only=small_only)
            if record is None:
                await wake.wait()
                continue
            await self._handle(record, stopping)
            if self._outages:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), delay_s(self._outages))

    async def _claim(self, *, small_only: bool) -> Import | None:
        try:
            if await self._pressure.admits():
                return await self._queue.claim(secrets.token_hex(16), small_only=small_only)
        except DependencyError as error:
            log.warning("queue.waiting", reason=error.reason)
        return None

    async def _watcher(self, stopping: asyncio.Event) -> None:
        """Wakes the lanes when something waits, takes over what is abandoned, cancels what waits to be cancelled."""
        while not stopping.is_set():
            try:
                sight = await self._queue.look()
                if sight.waiting:
                    self.wake()
                for beat in self._watch.abandoned(sight.beats, time.monotonic()):
                    await self._take_over(beat)
                while sight.to_cancel and (record := await self._queue.claim_cancelled(secrets.token_hex(16))):
                    await self._end(record, self._work.cancel(record))
            except DependencyError as error:
                log.warning("queue.waiting", reason=error.reason)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), POLL_S)

    async def _take_over(self, beat: Beat) -> None:
        """Back into the queue, where its turn comes again; or its end, if it has brought down too many workers."""
        record = await self._queue.take_over(beat, secrets.token_hex(16))
        if record is None:
            return
        metrics.ABANDONED.inc()
        log.warning("import.abandoned", import_id=record.import_id, attempts=record.attempts)
        # This start was no attempt of its own.
        if faults(record) > MAX_ABANDONED:
            await self._end(record, self._work.give_up(record))
        else:
            await self._queue.give_back(record, "", 0, excused=True)
            self.wake()

    async def _handle(self, record: Import, stopping: asyncio.Event) -> None:
        """One import, as far as it goes. Never raises but for a cancelled task."""
        task = asyncio.create_task(self._work.run(record))
        beating = asyncio.create_task(self._beat(record))
        stop = asyncio.create_task(self._until_stopped(stopping))
        try:
            await asyncio.wait([task, beating, stop], return_when=asyncio.FIRST_COMPLETED)
            if beating.done() and beating.result() is Answer.LOST:
                # It may have ended a moment ago, and is tidying up.
                await asyncio.wait([task], timeout=TIDY_S)
            if not task.done():
                task.cancel()
            (error,) = await asyncio.gather(task, return_exceptions=True)
            answer = beating.result() if beating.done() else Answer.GO_ON
            await self._conclude(record, error, answer)
        except DependencyError as error:
            # Its lease runs out, and somebody takes it over.
            log.warning("import.left", import_id=record.import_id, reason=error.reason)
        finally:
            for each in (task, beating, stop):
                each.cancel()
            await asyncio.gather(task, beating, stop, return_exceptions=True)

    async def _conclude(self, record: Import, error: BaseException | None, answer: Answer) -> None:
        """After the work has ended: by itself, or because it was cancelled. Raises DependencyError."""
        if error is None:
            self._outages = 0
        elif isinstance(error, asyncio.CancelledError):
            if answer is Answer.CANCEL:
                await self._end(record, self._work.cancel(record))
            elif answer is Answer.LOST:
                log.warning("import.lost", import_id=record.import_id)
            else:
                await self._queue.give_back(record, "", 0, excused=True)
        elif isinstance(error, DependencyError):
            self._outages += 1
            metrics.OUTAGES.labels(error.reason).inc()
            log.warning("import.waits", import_id=record.import_id, reason=error.reason, error=error)
            await self._queue.give_back(record, error.reason, delay_s(record.outages + 1), excused=True)
        elif faults(record) >= MAX_ATTEMPTS:
            log.error("import.gave_up", import_id=record.import_id, error=error)
            await self._end(record, self._work.give_up(record))
        else:
            log.error("import.failed_unforeseen", import_id=record.import_id, attempts=record.attempts, error=error)
            await self._queue.give_back(record, "", delay_s(faults(record)), excused=False)

    async def _end(self, record: Import, ending: Coroutine[Any, Any, None]) -> None:
        """Clean up under a beating lease. Raises DependencyError; then the lease runs out and it is done again."""
        beating = asyncio.create_task(self._beat(record, for_ever=True))
        try:
            await ending
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self, record: Import, *, for_ever: bool = False) -> Answer:
        """Beats until somebody wants it stopped or has taken it."""
        while True:
            await asyncio.sleep(BEAT_S if for_ever else POLL_S)
            try:
                answer = await self._queue.beat(record)
            except DependencyError:
                # If this lasts, another worker takes over; the next beat hears of it.
                continue
            if answer is not Answer.GO_ON and not for_ever:
                return answer

    async def _until_stopped(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        await asyncio.sleep(self._lanes.stop_s)

    async def _measure(self, stopping: asyncio.Event) -> None:
        """How long the queue is."""
        while not stopping.is_set():
            with suppress(DependencyError):
                found = {waiting.small: waiting for waiting in await self._queue.lengths()}
                for small, label in ((True, "small"), (False, "large")):
                    waiting = found.get(small)
                    metrics.WAITING.labels(label).set(waiting.length if waiting else 0)
                    metrics.OLDEST_SECONDS.labels(label).set(waiting.oldest_s if waiting else 0)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LENGTHS_EVERY_S)
