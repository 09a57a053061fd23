"""Uploads that imports need: held while they may be needed, then let go or removed."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from shuanglu_common.clock import Clock
from shuanglu_media_ingest.domain.imports import RETRYABLE, Import, ImportState
from shuanglu_media_ingest.errors import UploadIncomplete, UploadNotFound
from shuanglu_media_ingest.uploads.spool import Spool, Upload
from shuanglu_media_ingest.uploads.tus_errors import UploadGone

# An import is being made: its row comes after the hold.
TIDY_GRACE_S = 300
TIDY_PAGE = 500


class States(Protocol):
    """Knows how imports stand."""

    async def states(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], ImportState]:
        """By tenant and import_id; those that do not exist are left out."""
        ...


class HeldUploads:
    """The spool, as imports use it."""

    def __init__(self, spool: Spool, clock: Clock, expiry_s: int, hold_s: int) -> None:
        """`expiry_s`: how long a free upload stays. `hold_s`: how long one stays that an unfinished import needs."""
        self._spool, self._clock = spool, clock
        self._expiry_s, self._hold_s = expiry_s, hold_s

    async def find(self, tenant: str, upload_id: str, by: str = "") -> Upload:
        """A whole upload that may be imported, or that import `by` holds. Raises UploadNotFound, UploadIncomplete."""
        try:
            upload = await asyncio.to_thread(self._spool.find, tenant, upload_id)
        except UploadGone as error:
            raise UploadNotFound(upload_id=upload_id[:64]) from error
        expired = upload.expires_at_us <= self._clock.now_us() and not (by and upload.held_by == by)
        if upload.partial or expired:
            raise UploadNotFound(upload_id=upload_id)
        if not upload.complete:
            raise UploadIncomplete(upload_id=upload_id)
        return upload

    async def of(self, record: Import) -> list[Upload]:
        """All uploads of an import, in its order. Raises UploadNotFound, UploadIncomplete."""
        return [await self.find(record.tenant, upload_id, record.import_id) for upload_id in record.plan.upload_ids]

    async def hold(self, uploads: Sequence[Upload], import_id: str) -> None:
        """Nobody but this import removes them, until `hold_s` from now. Raises DiskFull."""
        until_us = self._clock.now_us() + self._hold_s * 1_000_000
        for upload in uploads:
            await self.save(replace(upload, held_by=import_id, expires_at_us=until_us))

    async def save(self, upload: Upload) -> None:
        """As it is here."""
        await asyncio.to_thread(self._spool.save, upload)

    async def release(self, record: Import) -> None:
        """Of an import that came to nothing: they stay for a while, so that the caller can look at them or retry."""
        expires_at_us = self._clock.now_us() + self._expiry_s * 1_000_000
        for upload_id in record.plan.upload_ids:
            with suppress(UploadGone):
                upload = await asyncio.to_thread(self._spool.find, record.tenant, upload_id)
                await self.save(replace(upload, held_by="", expires_at_us=expires_at_us))

    async def remove(self, record: Import) -> None:
        """The store has confirmed every byte: the spool's copies go, with the parts they were joined from."""
        for upload_id in record.plan.upload_ids:
            with suppress(UploadGone):
                upload = await asyncio.to_thread(self._spool.find, record.tenant, upload_id)
                for part_id in upload.parts:
                    with suppress(UploadGone):
                        part = await asyncio.to_thread(self._spool.find, record.tenant, part_id)
                        await asyncio.to_thread(self._spool.delete, part, by=part.held_by)
                await asyncio.to_thread(self._spool.delete, upload, by=record.import_id)

    async def tidy(self, states: States) -> None:
        """Let go of what no import needs any more, hold on to what one needs: for crashes between two steps."""
        held = await asyncio.to_thread(lambda: [upload for upload in self._spool.uploads() if upload.held_by])
        grace_us = self._clock.now_us() + (self._hold_s - TIDY_GRACE_S) * 1_000_000
        old = [upload for upload in held if upload.expires_at_us <= grace_us]
        for start in range(0, len(old), TIDY_PAGE):
            page = old[start : start + TIDY_PAGE]
            found = await states.states([(upload.tenant, upload.held_by) for upload in page])
            for upload in page:
                with suppress(UploadGone):
                    await self._tidy(upload, found.get((upload.tenant, upload.held_by)))

    async def _tidy(self, upload: Upload, state: ImportState | None) -> None:
        upload = await asyncio.to_thread(self._spool.find, upload.tenant, upload.upload_id)
        if not upload.held_by:
            return
        if state is ImportState.STORED:
            await asyncio.to_thread(self._spool.delete, upload, by=upload.held_by)
        elif state in (None, *RETRYABLE):
            expires_at_us = self._clock.now_us() + self._expiry_s * 1_000_000
            await self.save(replace(upload, held_by="", expires_at_us=expires_at_us))
        else:
            await self.hold([upload], upload.held_by)
