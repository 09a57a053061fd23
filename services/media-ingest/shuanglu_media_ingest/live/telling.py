"""Tells the bus of stored segments, in the order in which they were confirmed, for as long as it takes."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from shuanglu.common.v1.types_pb2 import Inspection, ObjectRef
from shuanglu.media.v1.media_events_pb2 import RecordingCompleted, SegmentStored, TrackStored
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.errors import DependencyError
from shuanglu_common.telemetry import continuing
from shuanglu_media_ingest.live import metrics
from shuanglu_media_ingest.live.journal import Journal
from shuanglu_media_ingest.live.pauses import Pauses
from shuanglu_media_ingest.live.photo import IdPhotos
from shuanglu_media_ingest.live.record import SessionRecord, told_entry
from shuanglu_media_ingest.live.spool import SessionFolder

PHOTO_EVERY_S = 5.0
Publish = Callable[[NewEvent], Awaitable[None]]

log = structlog.get_logger()


@dataclass(slots=True)
class Telling:
    """What one session tells."""

    folder: SessionFolder
    journal: Journal
    record: SessionRecord
    publish: Publish
    photos: IdPhotos
    photo: ObjectRef | None = None
    _looked_at: float | None = field(default=None)

    async def tell_all(self, inspection: Inspection) -> None:
        """All that is confirmed and not told."""
        while self.record.untold:
            segment = self.record.untold[0]
            await self._look_for_photo()
            track = self.record.track(segment.track_id).track
            event = SegmentStored(track=track, segment=segment, inspection=inspection, id_photo=self.photo)
            await self.tell(event, f"live/{segment.track_id}/{segment.index}")
            entry = told_entry()
            # What is lost of this by a power cut is told twice, under the same id.
            await self.journal.append(entry, durable=False)
            self.record.apply(entry)

    async def tell(self, event: SegmentStored | TrackStored | RecordingCompleted, key: str) -> None:
        """Returns when the bus has it."""
        pauses = Pauses()
        while True:
            try:
                with continuing(self.record.trace_parent):
                    await self.publish(NewEvent(self.folder.tenant, self.folder.session_id, event, key))
            except DependencyError as error:
                metrics.BUS_FAILURES.inc()
                log.warning("live.bus_waits", error=error)
                await pauses.wait()
            else:
                return

    async def find_photo(self, known: ObjectRef | None = None) -> ObjectRef | None:
        """The customer's ID photo, looked for now; waits until the store answers. `known`: see IdPhotos."""
        pauses = Pauses()
        while True:
            try:
                self.photo = await self.photos.find(self.folder.tenant, self.folder.session_id, known)
            except DependencyError as error:
                log.warning("live.store_waits", error=error)
                await pauses.wait()
            else:
                self._looked_at = time.monotonic()
                return self.photo

    async def _look_for_photo(self) -> None:
        """Before the first segment, and now and then: it may come during the call, and the newest counts."""
        if self._looked_at is None or time.monotonic() - self._looked_at > PHOTO_EVERY_S:
            await self.find_photo(self.photo)
