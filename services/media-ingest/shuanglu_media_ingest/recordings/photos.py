"""The customer's ID photo of a session that is recorded live."""

import asyncio
from pathlib import Path
from typing import Protocol

from shuanglu_common.access import Role
from shuanglu_common.auth import Principal
from shuanglu_common.store import SealedStore
from shuanglu_media_ingest.errors import IdPhotoTooLate, UploadNotFound
from shuanglu_media_ingest.importing.importer import ID_PHOTO
from shuanglu_media_ingest.importing.sessions import Session
from shuanglu_media_ingest.uploads.held_uploads import HeldUploads
from shuanglu_media_ingest.uploads.spool import Spool

# Later the recording is complete: what it is compared with must not change any more.
OPEN = frozenset({"CREATED", "RECORDING"})


class Sessions(Protocol):
    """Signaling's sessions."""

    async def get(self, session_id: str) -> Session:
        """Raises SessionNotFound, SessionsUnavailable."""
        ...


class PhotoReader(Protocol):
    """Looks at photos; see reading/reader.py."""

    async def require_photo(self, path: Path) -> None:
        """Raises IdPhotoInvalid."""
        ...


class Photos:
    """Takes photos in."""

    def __init__(
        self, sessions: Sessions, spool: Spool, uploads: HeldUploads, reader: PhotoReader, sealed: SealedStore
    ) -> None:
        """`spool` holds the uploads, `sealed` takes the photo."""
        self._sessions, self._spool, self._uploads = sessions, spool, uploads
        self._reader, self._sealed = reader, sealed

    async def attach(self, principal: Principal, session_id: str, upload_id: str) -> None:
        """Seals an upload as the session's photo; the newest counts.

        Raises SessionNotFound, IdPhotoTooLate, UploadNotFound, UploadIncomplete, IdPhotoInvalid, StoreUnavailable.
        """
        session = await self._sessions.get(session_id)
        if session.state not in OPEN:
            raise IdPhotoTooLate
        upload = await self._uploads.find(principal.tenant, upload_id)
        if upload.subject != principal.subject and Role.ADMIN not in principal.roles:
            raise UploadNotFound(upload_id=upload_id)
        path = self._spool.data_path(upload)
        await self._reader.require_photo(path)
        data = await asyncio.to_thread(path.read_bytes)
        await self._sealed.put(principal.tenant, session_id, ID_PHOTO, data)
        await asyncio.to_thread(self._spool.delete, upload)
