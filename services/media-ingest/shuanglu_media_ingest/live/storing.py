"""Segments into the store, each track's in order, for as long as it takes."""

import asyncio
import time
from dataclasses import dataclass, field

import structlog

from shuanglu.common.v1.types_pb2 import ObjectRef, Participant, TrackKind
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu_common import cmaf
from shuanglu_common.errors import DamagedData, DependencyError
from shuanglu_common.store import ObjectStore
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.live import metrics
from shuanglu_media_ingest.live.checkpoints import write_checkpoint
from shuanglu_media_ingest.live.clock import RecorderClock
from shuanglu_media_ingest.live.journal import Journal
from shuanglu_media_ingest.live.pauses import Pauses
from shuanglu_media_ingest.live.record import SessionRecord, segment_entry, track_entry
from shuanglu_media_ingest.live.spool import SessionFolder
from shuanglu_media_ingest.live.tail import InHand, TrackTail

CONTENT_TYPES = {Medium.VIDEO: "video/mp4", Medium.AUDIO: "audio/mp4"}
KINDS = {Medium.VIDEO: TrackKind.TRACK_KIND_VIDEO, Medium.AUDIO: TrackKind.TRACK_KIND_AUDIO}

log = structlog.get_logger()


@dataclass(slots=True)
class StorePool:
    """The store, a few calls at a time."""

    store: ObjectStore
    calls: asyncio.Semaphore
    clock: RecorderClock
    failing_since: float | None = None  # time.monotonic
    failures: int = field(default=0)

    async def put(self, key: str, data: bytes, content_type: str) -> ObjectRef:
        """Store bytes and confirm that they arrived; tries until it is so."""
        pauses = Pauses()
        while True:
            try:
                async with self.calls:
                    ref = await self.store.put(key, data, content_type)
            except (DependencyError, DamagedData) as error:
                self.failing_since = self.failing_since or time.monotonic()
                metrics.STORE_FAILURES.inc()
                log.warning("live.store_waits", error=error)
                await pauses.wait()
            else:
                self.failing_since = None
                return ref


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where a session's segments go."""

    folder: SessionFolder
    journal: Journal
    record: SessionRecord
    pool: StorePool

    async def store_all(self, tail: TrackTail, participant: Participant) -> None:
        """All that the track has in hand, one after the other."""
        while tail.in_hand:
            if tail.record.track is None:
                await self._store_init(tail, participant)
            await self._store(tail, tail.in_hand[0])

    async def _store_init(self, tail: TrackTail, participant: Participant) -> None:
        live = tail.track
        key = cmaf.init_key(self.folder.tenant, self.folder.session_id, tail.track_id)
        init = await self.pool.put(key, live.init, CONTENT_TYPES[tail.medium])
        track = Track(
            track_id=tail.track_id,
            kind=KINDS[tail.medium],
            participants=[participant],
            init=init,
            codec=live.codec,
            start_ms=live.start_ms,
            width=live.width,
            height=live.height,
            sample_rate=live.sample_rate,
        )
        entry = track_entry(track)
        await self.journal.append(entry)
        self.record.apply(entry)

    async def _store(self, tail: TrackTail, held: InHand) -> None:
        live = held.segment
        key = cmaf.segment_key(self.folder.tenant, self.folder.session_id, tail.track_id, live.index)
        ref = await self.pool.put(key, live.data, CONTENT_TYPES[tail.medium])
        segment = Segment(
            track_id=tail.track_id, index=live.index, object=ref, start_ms=live.start_ms, end_ms=live.end_ms
        )
        entry = segment_entry(segment, live.duration_ms)
        await self.journal.append(entry)
        self.record.apply(entry)
        tail.confirmed()
        self._measure(tail.medium, held)
        if held.checkpoint is not None:
            try:
                await asyncio.to_thread(write_checkpoint, tail.checkpoint_path, held.checkpoint)
            except OSError as error:
                log.warning("live.no_checkpoint", error=error)

    def _measure(self, medium: Medium, held: InHand) -> None:
        segment = held.segment
        metrics.SEGMENTS.labels(medium).inc()
        metrics.SEGMENT_BYTES.inc(len(segment.data))
        metrics.STORED_SECONDS.labels(medium).inc(segment.duration_ms / 1000)
        arrived_us = (self.record.origin_us or 0) + segment.start_ms * 1000
        metrics.CONFIRM_SECONDS.labels(medium).observe(max(0, self.pool.clock.now_us() - arrived_us) / 1e6)
