"""The customer's ID photo, which somebody may seal for the session at any time (RecordingService.AttachIdPhoto)."""

import hashlib

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu_common.store import ObjectMissing, ObjectStore, SealedStore

NAME = "id-photo"


class IdPhotos:
    """Finds sealed photos without opening them."""

    def __init__(self, store: ObjectStore) -> None:
        """`store` holds the sealed objects."""
        self._store = store

    async def find(self, tenant: str, session_id: str, known: ObjectRef | None = None) -> ObjectRef | None:
        """None if there is none; `known` if one of its size is still there. Raises StoreUnavailable."""
        key = SealedStore.key(tenant, session_id, NAME)
        size_bytes = await self._store.head(key)
        if size_bytes is None:
            return None
        if known is not None and known.size_bytes == size_bytes:
            return known
        try:
            data = await self._store.read(key)
        except ObjectMissing:
            return None
        return ObjectRef(key=key, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), sealed=True)
