"""The object store, with writes that can be waited for: what is removed must not be followed by a write under way.

A write runs in a thread and cannot be called back. When the task that wanted it is cancelled, it goes on.
"""

import asyncio

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu_common.s3_store import S3ObjectStore
from shuanglu_common.settings import ServiceSettings


class SettledStore(S3ObjectStore):
    """The store of imports."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Connects on first use."""
        super().__init__(settings)
        self._writes: set[asyncio.Task[ObjectRef]] = set()

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> ObjectRef:
        """See ObjectStore."""
        write = asyncio.create_task(super().put(key, data, content_type))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        return await asyncio.shield(write)

    async def settle(self) -> None:
        """Returns when all writes that are under way now have ended, well or not."""
        await asyncio.gather(*self._writes, return_exceptions=True)
