"""The work on an import: originals and segments into the store, then the events that set the inspection going.

Everything is named by content and place, so that the work can be killed at any moment and done again: the same keys
get the same bytes, the same events the same ids. What cannot be taken in is removed again, before the import is
called failed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol, Self

import structlog

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.media_events_pb2 import ImportFailed, RecordingCompleted, TrackStored
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.clock import Clock
from shuanglu_common.errors import ShuangluError
from shuanglu_common.store import ObjectStore, SealedStore
from shuanglu_media_ingest import av_files, metrics
from shuanglu_media_ingest.domain import imports, survey
from shuanglu_media_ingest.domain.imports import Import, ImportState, SourceFile
from shuanglu_media_ingest.domain.survey import Survey
from shuanglu_media_ingest.errors import (
    IdPhotoInvalid,
    RecordingRefused,
    TimelineInvalid,
    UploadIncomplete,
    UploadNotFound,
)
from shuanglu_media_ingest.id_photo import require_photo
from shuanglu_media_ingest.messages import inspection_message, node_messages
from shuanglu_media_ingest.segmenter import Segmenter
from shuanglu_media_ingest.spool import Spool, Upload
from shuanglu_media_ingest.storing import Context, FileTracks, store_file
from shuanglu_media_ingest.tus_errors import UploadGone

PROGRESS_EVERY_S = 1.0
ID_PHOTO = "id-photo"
# These end an import for good; anything else is tried again.
REFUSALS = (RecordingRefused, IdPhotoInvalid, TimelineInvalid, UploadNotFound, UploadIncomplete)

log = structlog.get_logger()


class Imports(Protocol):
    """Where imports are kept. A record and the events that tell of it are written together or not at all."""

    async def create(self, record: Import, event: NewEvent) -> Import:
        """Keep a new import, or return the one with its id. Raises SessionNotOpen if another fills the session."""
        ...

    async def get(self, tenant: str, import_id: str) -> Import:
        """Raises ImportNotFound, also for another tenant's."""
        ...

    async def progress(self, record: Import, stored_bytes: int, total_bytes: int) -> bool:
        """STORING, so far. False if the import has ended; nothing is changed then."""
        ...

    async def stored(self, record: Import, tracks: Sequence[bytes], total_bytes: int, event: NewEvent) -> bool:
        """STORED, with its tracks. False if the import has ended already."""
        ...

    async def failed(self, record: Import, reason: str, help_text: str, event: NewEvent) -> bool:
        """FAILED. False if the import has ended already."""
        ...


class Importer:
    """Works on one import at a time."""

    def __init__(
        self,
        records: Imports,
        spool: Spool,
        store: ObjectStore,
        sealed: SealedStore,
        publish: Callable[[NewEvent], Awaitable[None]],
        clock: Clock,
        upload_expiry_s: int,
    ) -> None:
        """`publish` returns when the bus has the event. `upload_expiry_s`: how long uploads of a failed import stay."""
        self._records, self._spool, self._store, self._sealed = records, spool, store, sealed
        self._publish, self._clock, self._expiry_s = publish, clock, upload_expiry_s

    async def run(self, tenant: str, import_id: str) -> None:
        """Bring an import to its end. Raises ImportNotFound, and DependencyError if it must be tried again."""
        record = await self._records.get(tenant, import_id)
        if record.state is ImportState.STORED:
            await self._remove_uploads(record)
        if record.state in (ImportState.STORED, ImportState.FAILED):
            return
        started = time.monotonic()
        try:
            await self._take_in(record)
            metrics.IMPORTS.labels("stored").inc()
        except REFUSALS as error:
            await self._refuse(record, error)
            metrics.IMPORTS.labels("refused").inc()
        metrics.IMPORT_SECONDS.observe(time.monotonic() - started)

    async def _take_in(self, record: Import) -> None:
        uploads = [await self._upload(record, file.upload_id) for file in record.plan.files]
        paths = [self._spool.data_path(upload) for upload in uploads]
        surveys = [await asyncio.to_thread(_examined, path) for path in paths]
        imports.require_within(
            record.plan.nodes,
            max(found.end_ms(file.offset_ms) for file, found in zip(record.plan.files, surveys, strict=True)),
        )
        names = survey.track_ids([(file.roles, found) for file, found in zip(record.plan.files, surveys, strict=True)])
        photo = await self._seal_photo(record)
        expected = sum(upload.length for upload in uploads) + sum(
            stream.size_bytes for found in surveys for stream in found.streams
        )
        done: list[FileTracks] = []
        async with Progress(self._records, record, expected) as progress:
            context = Context(
                record, inspection_message(record.plan.inspection), photo, self._store, self._publish, progress.add
            )
            for file, path, found, ids in zip(record.plan.files, paths, surveys, names, strict=True):
                original = await self._original(record, file, path, progress)
                segmenter = Segmenter(path, found, ids, file.offset_ms)
                done.append(await store_file(context, file, segmenter, original))
        await self._complete(record, done, progress.stored, has_photo=photo is not None)

    async def _complete(self, record: Import, done: list[FileTracks], stored_bytes: int, *, has_photo: bool) -> None:
        """All files are safe: tell of each track, then of the recording, then let the uploads go."""
        tracks = [track for each in done for track in each.tracks]
        duration_ms = max(track.end_ms for track in tracks)
        for each in done:
            for track in each.tracks:
                event = TrackStored(
                    track=track,
                    segments=each.segments[track.track_id],
                    gaps=[gap for gap in each.gaps if gap.track_id == track.track_id],
                    inspection=inspection_message(record.plan.inspection),
                )
                await self._publish(self._event(record, event, f"{record.import_id}/{track.track_id}"))
        completed = RecordingCompleted(
            tracks=tracks,
            gaps=[gap for each in done for gap in each.gaps],
            timeline=node_messages(record.plan.nodes),
            duration_ms=duration_ms,
            has_id_photo=has_photo,
        )
        serialised = [track.SerializeToString(deterministic=True) for track in tracks]
        await self._records.stored(record, serialised, stored_bytes, self._event(record, completed, "completed"))
        log.info("import.stored", import_id=record.import_id, tracks=len(tracks), duration_ms=duration_ms)
        await self._remove_uploads(record)

    async def _upload(self, record: Import, upload_id: str) -> Upload:
        try:
            upload = await asyncio.to_thread(self._spool.find, record.tenant, upload_id)
        except UploadGone as error:
            raise UploadNotFound from error
        if not upload.complete:
            raise UploadIncomplete
        return upload

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
        upload = await self._upload(record, record.plan.id_photo_upload_id)
        data = await asyncio.to_thread(self._spool.data_path(upload).read_bytes)
        await asyncio.to_thread(require_photo, data)
        return await self._sealed.put(record.tenant, record.session_id, ID_PHOTO, data)

    async def _refuse(self, record: Import, error: ShuangluError) -> None:
        """Remove what was stored, then say so: the other way round a later import could lose its objects."""
        folder = f"{record.tenant}/{record.session_id}/"
        for part in ("tracks/", "originals/", f"sealed/{ID_PHOTO}"):
            await self._store.delete_prefix(folder + part)
        event = ImportFailed(import_id=record.import_id, reason=error.reason)
        await self._records.failed(record, error.reason, error.help, self._event(record, event, record.import_id))
        log.warning("import.refused", import_id=record.import_id, reason=error.reason)
        await self._release_uploads(record)

    async def _release_uploads(self, record: Import) -> None:
        """Uploads of a failed import stay for a while, so that the caller can look at them."""
        expires_at_us = self._clock.now_us() + self._expiry_s * 1_000_000
        for upload_id in record.plan.upload_ids:
            with suppress(UploadGone):
                upload = await asyncio.to_thread(self._spool.find, record.tenant, upload_id)
                free = replace(upload, held_by="", expires_at_us=expires_at_us)
                await asyncio.to_thread(self._spool.save, free)

    async def _remove_uploads(self, record: Import) -> None:
        """The store has confirmed every byte: the spool's copies go, with the parts they were joined from."""
        for upload_id in record.plan.upload_ids:
            with suppress(UploadGone):
                upload = await asyncio.to_thread(self._spool.find, record.tenant, upload_id)
                for part_id in upload.parts:
                    with suppress(UploadGone):
                        part = await asyncio.to_thread(self._spool.find, record.tenant, part_id)
                        await asyncio.to_thread(self._spool.delete, part, by=part.held_by)
                await asyncio.to_thread(self._spool.delete, upload, by=record.import_id)

    @staticmethod
    def _event(record: Import, payload: ImportFailed | TrackStored | RecordingCompleted, key: str) -> NewEvent:
        return NewEvent(record.tenant, record.session_id, payload, key)


def _examined(path: Path) -> Survey:
    """Everything that can refuse a file, before anything is stored or told."""
    found = av_files.survey(path)
    av_files.require_decodable(path, found)
    return found


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
