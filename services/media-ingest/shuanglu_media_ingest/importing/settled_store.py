"""The object store, with calls that can be waited for: what is removed must not be followed by a write under way.

A call runs in a thread and cannot be taken back. When the task that wanted it is cancelled, it goes on.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from shuanglu_common.s3_store import S3ObjectStore
from shuanglu_common.settings import ServiceSettings

T = TypeVar("T")


class SettledStore(S3ObjectStore):
    """The store of imports."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Connects on first use."""
        super().__init__(settings)
        self._calls: set[asyncio.Task[Any]] = set()

    async def call(self, operation: str, work: Callable[[], T]) -> T:
        """See S3ObjectStore; parts of large files and what completes them go through here as well."""
        call = asyncio.create_task(super().call(operation, work))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await asyncio.shield(call)

    async def settle(self) -> None:
        """Returns when all calls that are under way now have ended, well or not."""
        await asyncio.gather(*self._calls, return_exceptions=True)
