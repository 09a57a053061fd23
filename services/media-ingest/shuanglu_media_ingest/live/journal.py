"""The journal of a session: what the store has confirmed, what the bus has been told, and where to go on after a crash.

One line an entry: 8 hexadecimal digits of its CRC-32, a space, JSON. A line that a crash cut short ends the journal.
"""

import asyncio
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

# While the disk is full nothing can be confirmed; the media stays on disk and in hand until it can.
RETRY_S = 1.0
_CRC_DIGITS = 8

log = structlog.get_logger()
Entry = dict[str, Any]


def line_of(entry: Entry) -> bytes:
    """An entry as it is written."""
    text = json.dumps(entry, separators=(",", ":"), ensure_ascii=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def entry_of(line: bytes) -> Entry | None:
    """What a line says; None if it is damaged."""
    crc, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        if len(crc) != _CRC_DIGITS or int(crc, 16) != zlib.crc32(text) or not line.endswith(b"\n"):
            return None
        entry = json.loads(text)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def read_entries(path: Path) -> list[Entry]:
    """All entries up to the first damaged one; none if there is no journal. Raises OSError."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Entry], int]:
    """The entries and the bytes that they fill."""
    entries: list[Entry] = []
    size = 0
    try:
        with path.open("rb") as file:
            for line in file:
                entry = entry_of(line)
                if entry is None:
                    break
                entries.append(entry)
                size += len(line)
    except FileNotFoundError:
        pass
    return entries, size


class Journal:
    """Appends durably; several that wait are written together."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened until something is read or written."""
        self._path = path
        self._size: int | None = None
        self._pending: list[tuple[bytes, bool]] = []
        self._writing = asyncio.Lock()

    def read(self) -> list[Entry]:
        """All entries up to the first damaged one. Raises OSError."""
        entries, self._size = _read(self._path)
        return entries

    async def append(self, *entries: Entry, durable: bool = True) -> None:
        """Returns when they are on disk; waits for as long as the disk is full.

        `durable`: on disk also after a power cut, not only after a crash of this process.
        """
        self._pending.append((b"".join(line_of(entry) for entry in entries), durable))
        async with self._writing:
            # Who waited for the one before writes for all that came meanwhile.
            if self._pending:
                waiting, self._pending = self._pending, []
                await self._write(b"".join(lines for lines, _ in waiting), durable=any(each for _, each in waiting))

    async def _write(self, data: bytes, *, durable: bool) -> None:
        work: Callable[[], None] = lambda: self._put(data, durable=durable)  # noqa: E731 - for the thread
        while True:
            try:
                await asyncio.to_thread(work)
            except OSError as error:
                log.error("live.journal_waits", error=error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _put(self, data: bytes, *, durable: bool) -> None:
        if self._size is None:
            self.read()
        size = self._size or 0
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o640)
        try:
            # Behind the last whole line: what a crash or a full disk cut short is overwritten.
            os.ftruncate(descriptor, size)
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], size + written)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._size = size + len(data)
