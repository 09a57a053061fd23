"""SHA-256 of uploads: begun when an upload is complete, so that it is there when somebody asks for the import.

Kept beside the upload; each upload is hashed once, however many ask.
"""

import asyncio
import hashlib
from pathlib import Path

from shuanglu_media_ingest.errors import HashingTakesLong, UploadNotFound
from shuanglu_media_ingest.uploads.spool import Spool, Upload

# Two disks' worth of reading; the rest waits in line.
PARALLEL = 2


class Hasher:
    """Hashes uploads of one process's spool."""

    def __init__(self, spool: Spool) -> None:
        """`spool` holds uploads and their hashes."""
        self._spool = spool
        self._running: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._turns = asyncio.Semaphore(PARALLEL)

    def begin(self, upload: Upload) -> asyncio.Task[str]:
        """Hash a complete upload in the background."""
        key = (upload.tenant, upload.upload_id)
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._hash(upload))
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    async def sha256(self, upload: Upload, patience_s: float) -> str:
        """64 hexadecimal digits. Raises HashingTakesLong (it goes on), UploadNotFound if the upload went away."""
        known = await asyncio.to_thread(self._spool.sha256, upload)
        if known:
            return known
        try:
            return await asyncio.wait_for(asyncio.shield(self.begin(upload)), patience_s)
        except TimeoutError as error:
            raise HashingTakesLong from error
        except FileNotFoundError as error:
            raise UploadNotFound(upload_id=upload.upload_id) from error

    async def _hash(self, upload: Upload) -> str:
        async with self._turns:
            digest = await asyncio.to_thread(_digest_of, self._spool.data_path(upload))
            await asyncio.to_thread(self._spool.keep_sha256, upload, digest)
        return digest

    def _ended(self, key: tuple[str, str], task: asyncio.Task[str]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            # Whoever waits hears of an error; if nobody does, the next one who asks begins again.
            task.exception()


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
