"""Fetches segments with their init, which all segments of a track share."""

from collections import OrderedDict

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu_common.cmaf import segment_key
from shuanglu_common.store import ObjectStore

KEPT_INITS = 64


class SegmentReader:
    """Bytes that can be opened as one file: init plus one segment."""

    def __init__(self, store: ObjectStore) -> None:
        """Keeps the inits of the tracks that were read last, by their hash."""
        self.store = store
        self.inits: OrderedDict[str, bytes] = OrderedDict()

    async def fetch(self, track: Track, segment: Segment) -> bytes:
        """A segment, verified. Raises ObjectMissing, ChecksumWrong, StoreUnavailable."""
        return await self.init(track.init) + await self.store.get(segment.object)

    async def fetch_by_index(self, tenant: str, session_id: str, track: Track, index: int) -> bytes:
        """A segment by its place, when its hash is not known. Raises ObjectMissing, StoreUnavailable."""
        return await self.init(track.init) + await self.store.read(
            segment_key(tenant, session_id, track.track_id, index)
        )

    async def init(self, ref: ObjectRef) -> bytes:
        """An init segment, verified."""
        data = self.inits.get(ref.sha256)
        if data is None:
            data = await self.store.get(ref)
            self.inits[ref.sha256] = data
            if len(self.inits) > KEPT_INITS:
                self.inits.popitem(last=False)
        return data
