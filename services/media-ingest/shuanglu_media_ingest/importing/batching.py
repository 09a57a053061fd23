"""Batches of imports: each item is accepted, cancelled or retried by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest
from shuanglu_common.auth import Principal
from shuanglu_common.errors import ShuangluError
from shuanglu_media_ingest.domain.batches import Batch, BatchPlace, Item
from shuanglu_media_ingest.domain.imports import Import, ImportState
from shuanglu_media_ingest.importing.accepting import Acceptance, Accepted

# Items of one call that are looked at together.
TOGETHER = 8
MAX_REFUSALS = 500
T = TypeVar("T")
R = TypeVar("R")


class Batches(Protocol):
    """Where batches are kept."""

    async def open(self, tenant: str, batch_id: str, more: int) -> None:
        """Make the batch if it is new. Raises BatchFull if it has no room for `more` items."""
        ...

    async def add(self, tenant: str, batch_id: str, import_ids: Sequence[str]) -> None:
        """Imports that belong to the batch from now on; those that do already stay where they are."""
        ...

    async def get(self, tenant: str, batch_id: str) -> Batch:
        """Raises BatchNotFound, also for another tenant's."""
        ...

    async def page(self, tenant: str, after: BatchPlace | None, size: int) -> Sequence[Batch]:
        """Newest first, behind `after`."""
        ...

    async def items(
        self, tenant: str, batch_id: str, after: int, size: int, states: Sequence[ImportState] = ()
    ) -> Sequence[Item]:
        """Imports behind a position, in these states or in any."""
        ...

    async def made_here(self, tenant: str, batch_id: str, *, ended: bool) -> Sequence[Import]:
        """Imports that this batch brought, not those that were there before: `ended` badly, or not ended."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """One that was not done."""

    error: ShuangluError
    import_id: str = ""


class Batching:
    """What callers may do with batches."""

    def __init__(self, batches: Batches, acceptance: Acceptance) -> None:
        """`acceptance` does it for one import."""
        self._batches, self._acceptance = batches, acceptance

    async def add(
        self, principal: Principal, batch_id: str, items: Sequence[ImportRecordingRequest]
    ) -> tuple[Batch, list[Accepted | Refused]]:
        """Each item's answer, in their order. Raises BatchFull, DatabaseUnavailable."""
        await self._batches.open(principal.tenant, batch_id, len(items))

        async def accept(item: ImportRecordingRequest) -> Accepted | Refused:
            try:
                return await self._acceptance.accept(principal, item, look=False, batch_id=batch_id)
            except ShuangluError as error:
                return Refused(error)

        answers = await together(accept, items)
        ids = [answer.record.import_id for answer in answers if isinstance(answer, Accepted)]
        await self._batches.add(principal.tenant, batch_id, ids)
        return await self._batches.get(principal.tenant, batch_id), answers

    async def cancel(self, principal: Principal, batch_id: str) -> Batch:
        """Raises BatchNotFound, DatabaseUnavailable."""
        await self._batches.get(principal.tenant, batch_id)
        await together(self._acceptance.cancel, await self._batches.made_here(principal.tenant, batch_id, ended=False))
        return await self._batches.get(principal.tenant, batch_id)

    async def retry(self, principal: Principal, batch_id: str) -> tuple[Batch, int, list[Refused]]:
        """How many wait again, and those that cannot. Raises BatchNotFound, DatabaseUnavailable."""
        await self._batches.get(principal.tenant, batch_id)

        async def retry(record: Import) -> Refused | None:
            try:
                await self._acceptance.retry(record)
            except ShuangluError as error:
                return Refused(error, record.import_id)
            return None

        answers = await together(retry, await self._batches.made_here(principal.tenant, batch_id, ended=True))
        refused = [answer for answer in answers if answer is not None]
        batch = await self._batches.get(principal.tenant, batch_id)
        return batch, len(answers) - len(refused), refused[:MAX_REFUSALS]


async def together(work: Callable[[T], Awaitable[R]], things: Sequence[T]) -> list[R]:
    """The work on each, a few at a time; results in their order. The first error ends it."""
    turns = asyncio.Semaphore(TOGETHER)

    async def one(thing: T) -> R:
        async with turns:
            return await work(thing)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(thing)) for thing in things]
    return [task.result() for task in tasks]
