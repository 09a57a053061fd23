"""Uploads on a local disk, until they are safe in the object store.

An upload is two files in its tenant's folder: `<id>.json` tells length and offset, `<id>.data` holds the bytes; a
complete one has its SHA-256 beside them (`<id>.sha256`), which can be made anew at any time. The offset is the truth:
it moves only after the bytes before it are on the disk (fsync), by writing a new `<id>.json` beside the old one and
renaming it. What a crash leaves behind the offset is cut off before the next byte is written. So `kill -9` at any
moment costs at most what came after the last checkpoint (4 MiB), never a wrong byte.

All methods block; the door calls them in threads.
"""

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from shuanglu_media_ingest.domain.tus import UPLOAD_ID
from shuanglu_media_ingest.uploads.tus_errors import DiskFull, UploadGone, UploadHeld, UploadLocked

_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
_COPY_BYTES = 8 << 20
# EFBIG: a limit on the size of files (RLIMIT_FSIZE).
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload. `tenant` and `subject` own it."""

    upload_id: str
    tenant: str
    subject: str
    length: int  # bytes when complete
    offset: int  # bytes that are safe
    expires_at_us: int
    metadata: str = ""  # Upload-Metadata as it came
    partial: bool = False
    parts: tuple[str, ...] = ()  # of a final upload
    held_by: str = ""  # import that needs it

    @property
    def complete(self) -> bool:
        """True when all bytes are there."""
        return self.offset == self.length


class Spool:
    """The folder of all uploads. Several processes may share it: a lock on the data file keeps writers apart."""

    def __init__(self, root: Path) -> None:
        """`root` is made if it is missing."""
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def create(self, upload: Upload) -> None:
        """A new upload with no bytes. Raises DiskFull."""
        folder = self._folder(upload.tenant)
        folder.mkdir(exist_ok=True, mode=0o700)
        with _disk_full_is_told(), _private(folder / f"{upload.upload_id}.data"):
            pass
        self._write(upload)

    def find(self, tenant: str, upload_id: str) -> Upload:
        """An upload. Raises UploadGone if there is none, or it is another tenant's."""
        if not UPLOAD_ID.fullmatch(upload_id):
            raise UploadGone
        try:
            values = json.loads((self._folder(tenant) / f"{upload_id}.json").read_bytes())
        except FileNotFoundError as error:
            raise UploadGone from error
        values["parts"] = tuple(values["parts"])
        return Upload(**values)

    def data_path(self, upload: Upload) -> Path:
        """Where the bytes are."""
        return self._folder(upload.tenant) / f"{upload.upload_id}.data"

    def count_open(self, tenant: str) -> int:
        """How many of a tenant's uploads wait for bytes or for an import."""
        folder = self._folder(tenant)
        return sum(1 for _ in folder.glob("*.json")) if folder.is_dir() else 0

    def writer(self, upload: Upload) -> "Writer":
        """The only writer of the upload, behind its offset. Raises UploadLocked if there is another, UploadGone."""
        return Writer(self, upload)

    def save(self, upload: Upload) -> None:
        """Record a moved offset or another change; on the disk when it returns."""
        self._write(upload)

    def join(self, final: Upload, parts: list[Upload]) -> Upload:
        """Fills a new upload with the bytes of the parts, in order; the parts stay. Raises DiskFull."""
        self.create(final)
        with _disk_full_is_told(), self.data_path(final).open("r+b") as target:
            for part in parts:
                with self.data_path(part).open("rb") as source:
                    shutil.copyfileobj(source, target, _COPY_BYTES)
            target.flush()
            os.fsync(target.fileno())
        done = replace(final, offset=final.length)
        self._write(done)
        return done

    def delete(self, upload: Upload, *, by: str = "") -> None:
        """Remove an upload; nothing happens if it is gone. Raises UploadHeld if an import other than `by` needs it."""
        if upload.held_by and upload.held_by != by:
            raise UploadHeld
        for suffix in ("json", "data", "sha256"):
            with suppress(FileNotFoundError):
                (self._folder(upload.tenant) / f"{upload.upload_id}.{suffix}").unlink()

    def uploads(self) -> Iterator[Upload]:
        """Every upload of every tenant; one that goes away meanwhile is left out."""
        for record in self._root.glob("*/*.json"):
            with suppress(UploadGone):
                yield self.find(record.parent.name, record.stem)

    def sha256(self, upload: Upload) -> str:
        """What `keep_sha256` kept; empty if nothing was."""
        try:
            return (self._folder(upload.tenant) / f"{upload.upload_id}.sha256").read_text()
        except FileNotFoundError:
            return ""

    def keep_sha256(self, upload: Upload, digest: str) -> None:
        """Keep the SHA-256 of a complete upload. Raises FileNotFoundError if the upload has gone."""
        folder = self._folder(upload.tenant)
        temporary = folder / f"{upload.upload_id}.sha256.tmp"
        with _disk_full_is_told(temporary), _private(temporary) as file:
            file.write(digest.encode())
        temporary.rename(folder / f"{upload.upload_id}.sha256")
        if not self.data_path(upload).exists():
            # It was deleted while it was hashed.
            (folder / f"{upload.upload_id}.sha256").unlink(missing_ok=True)
            raise FileNotFoundError

    def free_bytes(self) -> int:
        """Bytes that the spool's disk has left for us."""
        stat = os.statvfs(self._root)
        return stat.f_bavail * stat.f_frsize

    def used_bytes(self, tenant: str = "") -> int:
        """Bytes of uploads, of one tenant or of all."""
        total = 0
        for data in self._root.glob(f"{tenant or '*'}/*.data"):
            with suppress(FileNotFoundError):
                total += data.stat().st_size
        return total

    def reap(self, now_us: int) -> int:
        """Remove what has expired and no import holds, and data without a record; returns how many uploads."""
        removed = 0
        for upload in self.uploads():
            if upload.expires_at_us <= now_us and not upload.held_by:
                self.delete(upload)
                removed += 1
        day_ago = now_us / 1e6 - 86_400
        for leftover in (path for kind in ("data", "tmp", "sha256") for path in self._root.glob(f"*/*.{kind}")):
            with suppress(FileNotFoundError):
                record = leftover.with_name(leftover.name.partition(".")[0] + ".json")
                if not record.exists() and leftover.stat().st_mtime < day_ago:
                    leftover.unlink()
        return removed

    def _folder(self, tenant: str) -> Path:
        if not _TENANT.fullmatch(tenant):
            raise UploadGone
        return self._root / tenant

    def _write(self, upload: Upload) -> None:
        folder = self._folder(upload.tenant)
        temporary = folder / f"{upload.upload_id}.tmp"
        with _disk_full_is_told(temporary), _private(temporary) as file:
            file.write(json.dumps(asdict(upload)).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(folder / f"{upload.upload_id}.json")
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Writer:
    """Appends to one upload. Bytes count only after `checkpoint`."""

    def __init__(self, spool: Spool, upload: Upload) -> None:
        """Takes the lock and cuts off what an earlier crash left behind the offset."""
        self._spool = spool
        try:
            self._file: BinaryIO = spool.data_path(upload).open("r+b")
        except FileNotFoundError as error:
            raise UploadGone from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Read again under the lock: another request may have moved the offset.
            self.upload = spool.find(upload.tenant, upload.upload_id)
            self._file.truncate(self.upload.offset)
            self._file.seek(self.upload.offset)
        except BlockingIOError as error:
            self._file.close()
            raise UploadLocked from error
        except BaseException:
            self._file.close()
            raise

    def write(self, data: bytes | bytearray) -> None:
        """Append. Raises DiskFull; then bytes after the last checkpoint are given back to the disk."""
        try:
            with _disk_full_is_told():
                self._file.write(data)
                self._file.flush()
        except DiskFull:
            self.drop()
            raise

    def sync(self) -> None:
        """Have the disk take what was written, so that the checkpoint need not wait for all of it. Raises DiskFull."""
        with _disk_full_is_told():
            os.fdatasync(self._file.fileno())

    def drop(self) -> None:
        """Give the room of bytes after the last checkpoint back."""
        with suppress(OSError):
            os.ftruncate(self._file.fileno(), self.upload.offset)

    def checkpoint(self, expires_at_us: int) -> None:
        """Make everything written so far count. Raises DiskFull."""
        with _disk_full_is_told():
            self._file.flush()
            os.fsync(self._file.fileno())
        moved = replace(self.upload, offset=self._file.tell(), expires_at_us=expires_at_us)
        self._spool.save(moved)
        self.upload = moved

    def close(self) -> None:
        """Give the lock back; bytes after the last checkpoint do not count."""
        # Closing flushes; what is behind the offset is cut off by the next writer anyway.
        with suppress(OSError):
            self._file.close()


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """A file that only this user reads: recordings and names of files are personal data."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file


@contextmanager
def _disk_full_is_told(temporary: Path | None = None) -> Iterator[None]:
    """`temporary` is removed if it could not be written: there is no room for leftovers."""
    try:
        yield
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if error.errno in _FULL:
            raise DiskFull from error
        raise
