"""Taking imports in: what a look at request, session and files can refuse is refused at once, with nothing left behind.

The same recording of the same order is imported once. It is known by the SHA-256 of its files, so a client that lost
its memory, or its session, gets the import that is there.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest
from shuanglu.media.v1.media_events_pb2 import ImportRequested
from shuanglu_common.access import Role
from shuanglu_common.auth import Principal
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.clock import Clock
from shuanglu_common.errors import CallerError
from shuanglu_common.telemetry import TRACE_PARENT, inject
from shuanglu_media_ingest.domain import imports, tus
from shuanglu_media_ingest.domain.imports import ENDED, RETRYABLE, Import, ImportState, Plan
from shuanglu_media_ingest.domain.reading import Probed
from shuanglu_media_ingest.errors import (
    AlreadyImported,
    ImportNotFound,
    ImportNotRetryable,
    ProbeTooSlow,
    UploadDiffers,
    UploadNotFound,
)
from shuanglu_media_ingest.importing.importer import cancelled_event
from shuanglu_media_ingest.importing.ports import ImportDesk
from shuanglu_media_ingest.importing.sessions import Session
from shuanglu_media_ingest.messages import files_of, nodes_of
from shuanglu_media_ingest.reading.reader import Reader
from shuanglu_media_ingest.uploads.hashing import Hasher
from shuanglu_media_ingest.uploads.held_uploads import HeldUploads
from shuanglu_media_ingest.uploads.spool import Spool, Upload


class Sessions(Protocol):
    """Sessions, as the caller of the current RPC may see them."""

    async def get(self, session_id: str) -> Session:
        """Raises SessionNotFound, SessionsUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Manners:
    """Seconds that a look at the files may take; bytes up to which an import is small."""

    probe_s: float
    small_bytes: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """An import; and the session that has this recording already, if it came there by other uploads."""

    record: Import
    duplicate_of: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """The uploads of an import: where they are, and who looks into them."""

    spool: Spool
    uploads: HeldUploads
    hasher: Hasher
    reader: Reader


class Acceptance:
    """What callers may do with imports."""

    def __init__(
        self,
        desk: ImportDesk,
        files: Files,
        sessions: Sessions,
        clock: Clock,
        manners: Manners,
        wake: Callable[[], None],
    ) -> None:
        """`wake` tells this process's workers that something waits."""
        self._desk, self._files, self._sessions = desk, files, sessions
        self._clock, self._manners, self._wake = clock, manners, wake

    async def accept(
        self, principal: Principal, request: ImportRecordingRequest, *, look: bool = True, batch_id: str = ""
    ) -> Accepted:
        """Put an import into the queue. `look`: into the files as well, which takes a moment for each.

        Raises CallerError and DependencyError as the contract says.
        """
        principal.require_session(request.session_id)
        files, nodes = files_of(request), nodes_of(request)
        imports.require_files(files, request.id_photo_upload_id)
        imports.require_timeline(nodes)
        photo = [request.id_photo_upload_id] if request.id_photo_upload_id else []
        import_id = imports.import_id(
            principal.tenant, request.session_id, [*(file.upload_id for file in files), *photo]
        )
        known = await self._known(principal.tenant, import_id)
        if known is not None:
            return Accepted(known)
        session = await self._sessions.get(request.session_id)
        people = [imports.resolve_people(file.people, session.people) for file in files]
        plan = Plan(
            files=tuple(replace(file, people=who) for file, who in zip(files, people, strict=True)),
            id_photo_upload_id=request.id_photo_upload_id,
            nodes=nodes,
            inspection=session.inspection,
        )
        uploads = [await self._own_upload(principal, upload_id) for upload_id in plan.upload_ids]
        key = await self._content_key(principal.tenant, session.order_id, plan, uploads)
        same = await self._desk.of_content(principal.tenant, key)
        if same is not None:
            return _duplicate(principal, same, request.session_id)
        imports.require_open(session.state)
        if look:
            await self._look(plan, uploads)
        upload_bytes = sum(upload.length for upload in uploads)
        record = Import(
            tenant=principal.tenant,
            import_id=import_id,
            session_id=request.session_id,
            state=ImportState.ACCEPTED,
            plan=plan,
            created_at_us=self._clock.now_us(),
            batch_id=batch_id,
            content_key=key,
            upload_bytes=upload_bytes,
            small=upload_bytes <= self._manners.small_bytes,
            trace_parent=inject().get(TRACE_PARENT, ""),
        )
        kept = await self._keep(record, uploads)
        self._wake()
        return Accepted(kept) if kept.import_id == import_id else _duplicate(principal, kept, request.session_id)

    async def _own_upload(self, principal: Principal, upload_id: str) -> Upload:
        """As at the upload door: for who made it and for the tenant's administrators; else UploadNotFound."""
        upload = await self._files.uploads.find(principal.tenant, upload_id)
        if upload.subject != principal.subject and Role.ADMIN not in principal.roles:
            raise UploadNotFound(upload_id=upload_id)
        return upload

    async def find(self, principal: Principal, import_id: str) -> Import:
        """Raises ImportNotFound."""
        record = await self._desk.get(principal.tenant, import_id)
        if principal.session_id not in (None, record.session_id):
            raise ImportNotFound
        return record

    async def position(self, record: Import) -> int:
        """See ImportDesk."""
        return await self._desk.position(record)

    async def cancel(self, record: Import) -> Import:
        """Stop an import; one that has ended stays as it is."""
        if record.state in ENDED:
            return record
        untouched = record.state is ImportState.ACCEPTED and record.attempts == 0
        if untouched and await self._desk.cancelled(record, cancelled_event(record)):
            await self._files.uploads.release(record)
            return await self._desk.get(record.tenant, record.import_id)
        return await self._desk.request_cancel(record)

    async def retry(self, record: Import) -> Import:
        """Back into the queue. Raises ImportNotRetryable, UploadNotFound, UploadIncomplete, SessionNotOpen."""
        if record.state in (ImportState.ACCEPTED, ImportState.STORING):
            return record
        if record.state not in RETRYABLE:
            raise ImportNotRetryable(f"The import is {record.state}.")
        uploads = await self._files.uploads.of(record)
        await self._files.uploads.hold(uploads, record.import_id)
        again = replace(record, tries=record.tries + 1)
        try:
            await self._desk.retry(record, _requested(again))
        except CallerError:
            await self._files.uploads.release(record)
            raise
        self._wake()
        return await self._desk.get(record.tenant, record.import_id)

    async def _known(self, tenant: str, import_id: str) -> Import | None:
        try:
            return await self._desk.get(tenant, import_id)
        except ImportNotFound:
            return None

    async def _content_key(self, tenant: str, order_id: str, plan: Plan, uploads: Sequence[Upload]) -> str:
        """Hashes are made when uploads end; a large one may still be in work.

        Raises HashingTakesLong, UploadDiffers if an upload's client announced another one.
        """
        hashes = [await self._files.hasher.sha256(upload, self._manners.probe_s) for upload in uploads]
        for upload, found in zip(uploads, hashes, strict=True):
            if tus.metadata(upload.metadata).get("sha256", found.encode()).lower() != found.encode():
                raise UploadDiffers(upload_id=upload.upload_id)
        return imports.content_key(tenant, order_id, list(zip(hashes, plan.files, strict=False)))

    async def _look(self, plan: Plan, uploads: Sequence[Upload]) -> None:
        """Into every upload. Raises the first problem; changes nothing."""
        paths = [self._files.spool.data_path(upload) for upload in uploads]
        try:
            async with asyncio.timeout(self._manners.probe_s):
                ends = [
                    _end_ms(await self._files.reader.probe(path), file.offset_ms)
                    for file, path in zip(plan.files, paths, strict=False)
                ]
                if plan.id_photo_upload_id:
                    await self._files.reader.require_photo(paths[-1])
        except TimeoutError as error:
            raise ProbeTooSlow from error
        known = [end for end in ends if end is not None]
        if len(known) == len(ends):
            imports.require_within(plan.nodes, max(known))

    async def _keep(self, record: Import, uploads: Sequence[Upload]) -> Import:
        """Holds the uploads, then keeps the import; lets go of them if there is no import in the end."""
        await self._files.uploads.hold(uploads, record.import_id)
        try:
            kept = await self._desk.create(record, _requested(record))
        except CallerError:
            # Any other error leaves open whether the row was written: then the hold is looked at later.
            await self._free(uploads)
            raise
        if kept.import_id != record.import_id:
            await self._free(uploads)
        return kept

    async def _free(self, uploads: Sequence[Upload]) -> None:
        for upload in uploads:
            await self._files.uploads.save(upload)


def _duplicate(principal: Principal, record: Import, asked: str) -> Accepted:
    """What was imported by other uploads. A token of one session hears nothing about another one."""
    if principal.session_id is not None and record.session_id != asked:
        raise AlreadyImported
    return Accepted(record, record.session_id)


def _requested(record: Import) -> NewEvent:
    return NewEvent(record.tenant, record.session_id, ImportRequested(import_id=record.run_id), record.run_id)


def _end_ms(probed: Probed, offset_ms: int) -> int | None:
    return None if probed.duration_ms is None else probed.duration_ms + offset_ms
