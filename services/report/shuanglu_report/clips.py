"""ClipSource over the object store."""

from collections.abc import Sequence

import structlog

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Segment
from shuanglu_common.cmaf import fetch
from shuanglu_common.errors import DamagedData, NotFound
from shuanglu_common.store import ObjectStore
from shuanglu_report.page.choice import WantedStill

log = structlog.get_logger()


class StoredClips:
    """See ClipSource. Every byte is checked against its hash."""

    def __init__(self, store: ObjectStore) -> None:
        """`store` holds the segments."""
        self._store = store

    async def clips(self, wanted: Sequence[WantedStill], tracks: Sequence[TrackStored]) -> list[bytes]:
        """See ClipSource."""
        by_id = {stored.track.track_id: stored for stored in tracks}
        known: dict[tuple[str, int], bytes] = {}
        found = []
        for still in wanted:
            stored = by_id.get(still.frame.track_id)
            segment = segment_at(stored, still.frame.at_ms) if stored else None
            if stored is None or segment is None:
                found.append(b"")
                continue
            key = (stored.track.track_id, segment.index)
            if key not in known:
                known[key] = await self._clip(stored, segment)
            found.append(known[key])
        return found

    async def _clip(self, stored: TrackStored, segment: Segment) -> bytes:
        try:
            return await fetch(self._store, stored.track, [segment])
        except (DamagedData, NotFound) as error:
            log.warning("clip.missing", track_id=stored.track.track_id, index=segment.index, reason=error.reason)
            return b""


def segment_at(stored: TrackStored, at_ms: int) -> Segment | None:
    """The segment that holds a position, or the nearest one; None for a track without segments."""

    def distance(segment: Segment) -> int:
        return max(segment.start_ms - at_ms, at_ms - segment.end_ms + 1, 0)

    return min(stored.segments, key=distance, default=None)
