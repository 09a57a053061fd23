"""The work on an import: originals and segments into the store, then the events that set the inspection going.

Everything is named by content and place, so that the work can be killed at any moment and done again: the same keys
get the same bytes, the same events the same ids. What cannot be taken in, and what somebody cancels, is removed again
before the import is called failed or cancelled.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog
from opentelemetry.trace import SpanKind

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.media_events_pb2 import ImportFailed, RecordingCompleted, TrackStored
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.bus.subjects import Lane
from shuanglu_common.errors import ShuangluError
from shuanglu_common.store import ObjectStore, SealedStore
from shuanglu_common.telemetry import TRACE_PARENT, extract, spanning
from shuanglu_media_ingest import metrics
from shuanglu_media_ingest.domain import imports
from shuanglu_media_ingest.domain.imports import Import, SourceFile
from shuanglu_media_ingest.errors import (
    IdPhotoInvalid,
    ImportGaveUp,
    RecordingRefused,
    TimelineInvalid,
    UploadIncomplete,
    UploadNotFound,
)
from shuanglu_media_ingest.importing.ports import Imports, Pressure
from shuanglu_media_ingest.importing.storing import Context, FileTracks, store_file
from shuanglu_media_ingest.messages import inspection_message, node_messages
from shuanglu_media_ingest.reading.reader import Reader
from shuanglu_media_ingest.uploads.held_uploads import HeldUploads
from shuanglu_media_ingest.uploads.spool import Spool

PROGRESS_EVERY_S = 1.0
ID_PHOTO = "id-photo"
CANCELLED = "IMPORT_CANCELLED"
# These end an import for good; anything else is tried again.
REFUSALS = (RecordingRefused, IdPhotoInvalid, TimelineInvalid, UploadNotFound, UploadIncomplete)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outside:
    """Where an import goes: the store, and the bus as fast as the workers follow.

    `publish` returns when the bus has the event; `settle` when no write to the store is under way any more.
    """

    store: ObjectStore
    sealed: SealedStore
    publish: Callable[[NewEvent], Awaitable[None]]
    pressure: Pressure
    settle: Callable[[], Awaitable[None]]


class Importer:
    """What is done with an import in hand; see worker.py, Work."""

    def __init__(self, records: Imports, spool: Spool, uploads: HeldUploads, reader: Reader, outside: Outside) -> None:
        """`uploads` are those of `spool`, `reader` is the only one that opens them."""
        self._records, self._spool, self._uploads, self._reader = records, spool, uploads, reader
        self._store, self._sealed, self._publish = outside.store, outside.sealed, outside.publish
        self._pressure, self._settle = outside.pressure, outside.settle

    async def run(self, record: Import) -> None:
        """Bring an import that is in hand to its end. Raises DependencyError if it must be tried again."""
        started = time.monotonic()
        try:
            # Between the request and this the import waited in a table, and its trace with it.
            asked = extract({TRACE_PARENT: record.trace_parent})
            with spanning("import", asked, SpanKind.CONSUMER, {"shuanglu.session_id": record.session_id}):
                await self._take_in(record)
            metrics.IMPORTS.labels("stored").inc()
        except REFUSALS as error:
            await self._refuse(record, error)
            metrics.IMPORTS.labels("refused").inc()
        metrics.IMPORT_SECONDS.observe(time.monotonic() - started)

    async def give_up(self, record: Import) -> None:
        """FAILED after too many attempts. Raises DependencyError."""
        await self._refuse(record, ImportGaveUp())
        metrics.IMPORTS.labels("gave_up").inc()

    async def cancel(self, record: Import) -> None:
        """CANCELLED, with nothing left in the store. Raises DependencyError."""
        if not await self._remove_objects(record):
            return
        await self._records.cancelled(record, cancelled_event(record))
        await self._uploads.release(record)
        metrics.IMPORTS.labels("cancelled").inc()
        log.info("import.cancelled", import_id=record.import_id)

    async def _tell_segment(self, event: NewEvent) -> None:
        """As soon as the workers have room for it."""
        await self._pressure.wait()
        await self._publish(event)

    async def _take_in(self, record: Import) -> None:
        uploads = [
            await self._uploads.find(record.tenant, file.upload_id, record.import_id) for file in record.plan.files
        ]
        paths = [self._spool.data_path(upload) for upload in uploads]
        # Everything that can refuse a file is asked before anything is stored or told.
        async with self._reader.reading(record.plan, paths) as reading:
            imports.require_within(record.plan.nodes, reading.examined.end_ms)
            photo = await self._seal_photo(record)
            expected = sum(upload.length for upload in uploads) + reading.examined.segment_bytes
            done: list[FileTracks] = []
            async with Progress(self._records, record, expected) as progress:
                context = Context(
                    record,
                    inspection_message(record.plan.inspection),
                    photo,
                    self._store,
                    self._tell_segment,
                    progress.add,
                )
                for index, (file, path) in enumerate(zip(record.plan.files, paths, strict=True)):
                    original = await self._original(record, file, path, progress)
                    done.append(await store_file(context, file, reading, index, original))
        await self._complete(record, done, progress.stored, has_photo=photo is not None)

    async def _complete(self, record: Import, done: list[FileTracks], stored_bytes: int, *, has_photo: bool) -> None:
        """All files are safe: tell of each track, then of the recording, then let the uploads go."""
        tracks = [track for each in done for track in each.tracks]
        # A file that was cut off ends where it should have ended: the rest is on the timeline, as a gap.
        duration_ms = max([track.end_ms for track in tracks] + [gap.end_ms for each in done for gap in each.gaps])
        for each in done:
            for track in each.tracks:
                event = TrackStored(
                    track=track,
                    segments=each.segments[track.track_id],
                    gaps=[gap for gap in each.gaps if gap.track_id == track.track_id],
                    inspection=inspection_message(record.plan.inspection),
                )
                await self._publish(_event(record, event, f"{record.run_id}/{track.track_id}"))
        completed = RecordingCompleted(
            tracks=tracks,
            gaps=[gap for each in done for gap in each.gaps],
            timeline=node_messages(record.plan.nodes),
            duration_ms=duration_ms,
            has_id_photo=has_photo,
        )
        serialised = [track.SerializeToString(deterministic=True) for track in tracks]
        if not await self._records.stored(record, serialised, stored_bytes, _event(record, completed, "completed")):
            # Another worker has it, and needs the uploads.
            return
        log.info("import.stored", import_id=record.import_id, tracks=len(tracks), duration_ms=duration_ms)
        await self._uploads.remove(record)

    async def _original(self, record: Import, file: SourceFile, path: Path, progress: "Progress") -> ObjectRef:
        """The file byte for byte."""
        key = f"{record.tenant}/{record.session_id}/originals/{file.upload_id}"
        before = progress.stored
        ref = await self._store.put_file(key, path, lambda stored: progress.set(before + stored))
        metrics.ORIGINAL_BYTES.inc(ref.size_bytes)
        return ref

    async def _seal_photo(self, record: Import) -> ObjectRef | None:
        if not record.plan.id_photo_upload_id:
            return None
        upload = await self._uploads.find(record.tenant, record.plan.id_photo_upload_id, record.import_id)
        path = self._spool.data_path(upload)
        await self._reader.require_photo(path)
        data = await asyncio.to_thread(path.read_bytes)
        return await self._sealed.put(record.tenant, record.session_id, ID_PHOTO, data)

    async def _refuse(self, record: Import, error: ShuangluError) -> None:
        """Remove what was stored, then say so: the other way round a later import could lose its objects."""
        if not await self._remove_objects(record):
            return
        event = _event(record, ImportFailed(import_id=record.run_id, reason=error.reason), record.run_id)
        await self._records.failed(record, error.reason, error.help, event)
        log.warning("import.refused", import_id=record.import_id, reason=error.reason)
        await self._uploads.release(record)

    async def _remove_objects(self, record: Import) -> bool:
        """All that this or an earlier attempt stored. False, and nothing is removed, if the import is not ours now."""
        await self._settle()
        if not await self._records.progress(record, 0, 0):
            return False
        folder = f"{record.tenant}/{record.session_id}/"
        for part in ("tracks/", "originals/", f"sealed/{ID_PHOTO}"):
            await self._store.delete_prefix(folder + part)
        return True


def cancelled_event(record: Import) -> NewEvent:
    """Tells the session that it is free for another import."""
    return _event(record, ImportFailed(import_id=record.run_id, reason=CANCELLED), record.run_id)


def _event(record: Import, payload: ImportFailed | TrackStored | RecordingCompleted, key: str) -> NewEvent:
    return NewEvent(record.tenant, record.session_id, payload, key, Lane.OFFLINE)


class Progress:
    """Writes how far an import is, at most once a second."""

    def __init__(self, records: Imports, record: Import, total: int) -> None:
        """`total`: bytes expected; an estimate where tracks are encoded anew."""
        self._records, self._record, self._total = records, record, total
        self._task: asyncio.Task[None] | None = None
        self.stored = 0

    def set(self, stored: int) -> None:
        """Bytes stored so far."""
        self.stored = stored

    def add(self, stored: int) -> None:
        """More bytes are stored."""
        self.stored += stored

    async def __aenter__(self) -> Self:
        """Raises DependencyError if the records are away."""
        await self._write()
        self._task = asyncio.create_task(self._keep_writing())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops; the end of the import is written by others."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_writing(self) -> None:
        written = 0
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            if self.stored != written:
                written = self.stored
                # Progress is a courtesy: an import does not fail for it.
                with suppress(ShuangluError):
                    await self._write()

    async def _write(self) -> None:
        await self._records.progress(self._record, min(self.stored, self._total), self._total)
