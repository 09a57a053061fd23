"""A file in chunks with checksums. The next chunk is read and hashed while the one before is on its way.

A chunk that breaks off is sent again as a whole, so it should take no more than seconds; and each costs a round trip
and the disk's word that it is safe, so on a quick line it should be large.
"""

import base64
import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

GROWTH = 4
QUICK_S, SLOW_S = 0.5, 5.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file. `checksum`: its SHA-256 in base64, as Upload-Checksum wants it."""

    offset: int
    data: bytes
    checksum: str

    @property
    def end(self) -> int:
        """Offset of what follows."""
        return self.offset + len(self.data)


class Chunks:
    """Of one open file, which nobody else reads meanwhile; at most two are in memory. A context manager."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        """`size`: bytes of a chunk at first; a quick line gets up to four times as many. The last one has less."""
        self._source, self._size = source, size
        self._least, self._most = size, size * GROWTH
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chunks")
        self._ahead: tuple[int, Future[Chunk]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.shutdown()

    def at(self, offset: int) -> Chunk:
        """The chunk that begins there; empty behind the end. Raises OSError."""
        ahead, self._ahead = self._ahead, None
        ready = ahead[1] if ahead and ahead[0] == offset else self._reader.submit(self._read, offset)
        chunk = ready.result()
        self._ahead = chunk.end, self._reader.submit(self._read, chunk.end)
        return chunk

    def took(self, seconds: float) -> None:
        """How long a chunk was on its way: those that are not yet read become larger or smaller."""
        if seconds < QUICK_S:
            self._size = min(self._size * 2, self._most)
        elif seconds > SLOW_S:
            self._size = max(self._size // 2, self._least)

    def _read(self, offset: int) -> Chunk:
        self._source.seek(offset)
        data = self._source.read(self._size)
        return Chunk(offset, data, base64.b64encode(hashlib.sha256(data).digest()).decode())
