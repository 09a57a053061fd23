"""ImportService: asks for imports and tells how far they are."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import grpc

from shuanglu.media.v1.import_service_pb2 import (
    GetImportRequest,
    GetImportResponse,
    ImportRecordingRequest,
    ImportRecordingResponse,
)
from shuanglu.media.v1.import_service_pb2_grpc import ImportServiceServicer
from shuanglu.media.v1.media_events_pb2 import ImportRequested
from shuanglu_common.auth import current_principal
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.clock import Clock
from shuanglu_common.errors import CallerError
from shuanglu_media_ingest import av_files
from shuanglu_media_ingest.av_files import Probe
from shuanglu_media_ingest.domain import imports
from shuanglu_media_ingest.domain.imports import Import, ImportState, Plan
from shuanglu_media_ingest.errors import (
    IdPhotoInvalid,
    ImportNotFound,
    ProbeTooSlow,
    UploadIncomplete,
    UploadNotFound,
)
from shuanglu_media_ingest.id_photo import MAX_BYTES, require_photo
from shuanglu_media_ingest.importing import Imports
from shuanglu_media_ingest.messages import files_of, import_message, nodes_of
from shuanglu_media_ingest.sessions import Session
from shuanglu_media_ingest.spool import Spool, Upload
from shuanglu_media_ingest.tus_errors import UploadGone


class Sessions(Protocol):
    """Sessions, as the caller of the current RPC may see them."""

    async def get(self, session_id: str) -> Session:
        """Raises SessionNotFound, SessionsUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds: how long a look at the files may take, how long the uploads of an import are kept."""

    probe_s: float
    hold_s: int


class ImportRpc(ImportServiceServicer):
    """Refuses at once what a look at request and files can tell; then nothing is left behind."""

    def __init__(self, records: Imports, spool: Spool, sessions: Sessions, clock: Clock, patience: Patience) -> None:
        """All parts are used by one call at a time each."""
        self._records, self._spool, self._sessions = records, spool, sessions
        self._clock, self._patience = clock, patience

    async def ImportRecording(  # noqa: N802 - the contract's name
        self, request: ImportRecordingRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ImportRecordingResponse:
        """See the contract."""
        del context
        principal = current_principal()
        principal.require_session(request.session_id)
        files, nodes = files_of(request), nodes_of(request)
        imports.require_files(files, request.id_photo_upload_id)
        imports.require_timeline(nodes)
        photo = [request.id_photo_upload_id] if request.id_photo_upload_id else []
        uploads = [file.upload_id for file in files] + photo
        import_id = imports.import_id(principal.tenant, request.session_id, uploads)
        known = await self._known(principal.tenant, import_id)
        if known is not None:
            return _accepted(known)
        session = await self._sessions.get(request.session_id)
        imports.require_open(session.state)
        plan = Plan(
            files=tuple(replace(file, people=imports.resolve_people(file.people, session.people)) for file in files),
            id_photo_upload_id=request.id_photo_upload_id,
            nodes=nodes,
            inspection=session.inspection,
        )
        found = await self._check(principal.tenant, plan)
        record = Import(
            tenant=principal.tenant,
            import_id=import_id,
            session_id=request.session_id,
            state=ImportState.ACCEPTED,
            plan=plan,
            created_at_us=self._clock.now_us(),
        )
        return _accepted(await self._create(record, found))

    async def GetImport(  # noqa: N802 - the contract's name
        self, request: GetImportRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> GetImportResponse:
        """See the contract."""
        del context
        principal = current_principal()
        record = await self._records.get(principal.tenant, request.import_id)
        if principal.session_id not in (None, record.session_id):
            raise ImportNotFound
        return GetImportResponse(**{"import": import_message(record)})

    async def _known(self, tenant: str, import_id: str) -> Import | None:
        try:
            return await self._records.get(tenant, import_id)
        except ImportNotFound:
            return None

    async def _check(self, tenant: str, plan: Plan) -> list[Upload]:
        """Looks at every upload. Raises the first problem; changes nothing."""
        found = [await self._find(tenant, upload_id) for upload_id in plan.upload_ids]
        paths = [self._spool.data_path(upload) for upload in found]
        try:
            async with asyncio.timeout(self._patience.probe_s):
                ends = [
                    _end_ms(await asyncio.to_thread(av_files.probe, path), file.offset_ms)
                    for file, path in zip(plan.files, paths, strict=False)
                ]
                if plan.id_photo_upload_id:
                    await asyncio.to_thread(_require_photo_at, paths[-1])
        except TimeoutError as error:
            raise ProbeTooSlow from error
        known = [end for end in ends if end is not None]
        if len(known) == len(ends):
            imports.require_within(plan.nodes, max(known))
        return found

    async def _find(self, tenant: str, upload_id: str) -> Upload:
        try:
            upload = await asyncio.to_thread(self._spool.find, tenant, upload_id)
        except UploadGone as error:
            raise UploadNotFound(upload_id=upload_id[:64]) from error
        if upload.partial or upload.expires_at_us <= self._clock.now_us():
            raise UploadNotFound(upload_id=upload_id)
        if not upload.complete:
            raise UploadIncomplete(upload_id=upload_id)
        return upload

    async def _create(self, record: Import, uploads: list[Upload]) -> Import:
        """Holds the uploads, then keeps the import; lets go of them if there is no import in the end."""
        until_us = record.created_at_us + self._patience.hold_s * 1_000_000
        for upload in uploads:
            held = replace(upload, held_by=record.import_id, expires_at_us=until_us)
            await asyncio.to_thread(self._spool.save, held)
        requested = ImportRequested(import_id=record.import_id)
        event = NewEvent(record.tenant, record.session_id, requested, record.import_id)
        try:
            return await self._records.create(record, event)
        except CallerError:
            # Any other error leaves open whether the row was written: then the hold runs out by itself.
            for upload in uploads:
                await asyncio.to_thread(self._spool.save, upload)
            raise


def _accepted(record: Import) -> ImportRecordingResponse:
    return ImportRecordingResponse(**{"import": import_message(record)})


def _end_ms(probed: Probe, offset_ms: int) -> int | None:
    return None if probed.duration_ms is None else probed.duration_ms + offset_ms


def _require_photo_at(path: Path) -> None:
    if path.stat().st_size > MAX_BYTES:
        raise IdPhotoInvalid
    require_photo(path.read_bytes())
