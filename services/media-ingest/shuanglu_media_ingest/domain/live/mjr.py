"""The files that Janus writes (`record.c`): an 8-byte signature, a JSON header, then records of one RTP packet each.

A record is `MEET`, 4 bytes of milliseconds since the first record (monotonic clock of the media server), 2 bytes of
length, the packet; all big-endian. The file grows through a buffer, so it may end in the middle of anything.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

from shuanglu_media_ingest.domain.survey import Medium

_SIGNATURE = b"MJR00002"
_MEET = b"MEET"
_RECORD_HEADER = 10
# No datagram is larger than a network's frame; a length beyond this is damage, and not worth to wait for.
_LARGEST_PACKET = 2048
_KINDS = {"v": Medium.VIDEO, "a": Medium.AUDIO}


class NotMjr(ValueError):
    """The file does not begin as Janus begins its files; `offset` says where it differs."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message} (at byte {offset})")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself. Its first record has the time 0."""

    medium: Medium
    codec: str  # Janus' name, such as `h264` or `opus`
    first_at_us: int  # arrival of the first record, wall clock of the media server, microseconds since the epoch
    end_offset: int  # byte after the header


class Record(NamedTuple):
    """One packet as it arrived."""

    arrived_ms: int  # since the file's first record
    packet: bytes
    end_offset: int  # byte after the record: where to read on


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no records: the disk was full, or the file was changed."""

    offset: int
    end_offset: int


Item = Header | Record | Damage


class MjrParser:
    """Reads a growing file. A record comes out when the next one has begun, so half a record is never taken for one.

    Holds at most one record and the bytes of the last call. `offset` is the byte after the last item that came out.
    """

    def __init__(self, offset: int = 0) -> None:
        """`offset`: 0, or the `end_offset` of an item from which reading goes on."""
        self.offset = offset
        self._data = b""

    @property
    def read_to(self) -> int:
        """Where the next bytes are read from the file."""
        return self.offset + len(self._data)

    def feed(self, data: bytes) -> list[Item]:
        """Items that are whole with these bytes, which follow those of the last call. Raises NotMjr."""
        self._data += data
        return self._items(last=False)

    def finish(self) -> list[Item]:
        """The last record, if it is whole; what is left behind it is half a record. The file does not grow any more."""
        return self._items(last=True)

    def _items(self, *, last: bool) -> list[Item]:
        items: list[Item] = []
        data, at = self._data, 0
        if self.offset == 0:
            header = _header(data)
            if header is None:
                return items
            items.append(header)
            at = header.end_offset
        start = self.offset
        while (end := _record_end(data, at, last=last)) is not None or last:
            if end:
                arrived_ms = int.from_bytes(data[at + 4 : at + 8], "big")
                items.append(Record(arrived_ms, data[at + _RECORD_HEADER : end], start + end))
                at = end
                continue
            found = _next_record(data, at + 1, last=last)
            if found is None:
                break
            items.append(Damage(start + at, start + found))
            at = found
        self.offset += at
        self._data = data[at:]
        return items


def _header(data: bytes) -> Header | None:
    """None until it is whole."""
    if not _SIGNATURE.startswith(data[: len(_SIGNATURE)]):
        raise NotMjr(f"expected {_SIGNATURE!r}, got {data[: len(_SIGNATURE)]!r}", 0)
    at = len(_SIGNATURE)
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    if len(data) < at + 2 or len(data) < end:
        return None
    try:
        told = json.loads(data[at + 2 : end])
        return Header(_KINDS[told["t"]], str(told["c"]), int(told["u"]), end)
    except (ValueError, KeyError, TypeError) as error:
        raise NotMjr("the header is not what Janus writes", at) from error


def _record_end(data: bytes, at: int, *, last: bool) -> int | None:
    """Byte after the record at `at`; None if more bytes are needed to tell, 0 if there is no record."""
    if not _MEET.startswith(data[at : at + 4]):
        return 0
    if len(data) < at + _RECORD_HEADER:
        return None
    length = int.from_bytes(data[at + 8 : at + _RECORD_HEADER], "big")
    end = at + _RECORD_HEADER + length
    if length > _LARGEST_PACKET or not _MEET.startswith(data[end : end + 4]):
        return 0
    return end if len(data) >= end + 4 or (last and len(data) >= end) else None


def _next_record(data: bytes, at: int, *, last: bool) -> int | None:
    """Where the next whole record begins; None if there is none, or if more bytes are needed to tell."""
    while (at := data.find(_MEET, at)) >= 0:
        end = _record_end(data, at, last=last)
        if end:
            return at
        if end is None and not last:
            return None
        at += 1
    return None
