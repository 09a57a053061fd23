"""What a file says of itself, read without any library: what it is, what it lacks, how long it claims to be."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

# Signs of a container at the file's start: such a file that cannot be opened is damaged, any other is no recording.
_SIGNATURES = (
    b"\x1aE\xdf\xa3",
    b"RIFF",
    b"FLV\x01",
    b"OggS",
    b"fLaC",
    b"ID3",
    b"#!AMR",
    b"\x00\x00\x01\xba",
    b"0&\xb2u\x8ef\xcf\x11",
)
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"moof")
_HEAD_BYTES = 4096
_MAX_OGG_PAGE = 65_307
_LAST_PAGE = 4
_SEGMENT = b"\x18\x53\x80\x67"
_FLV_TAG_HEADER = 11
_FLV_LEAST = 9 + 4 + _FLV_TAG_HEADER + 4
_MAX_BOXES = 100_000
_BOX_HEADER = 8
_UNKNOWN_SIZE = 0xFFFFFFFF
TS_PACKET = 188


def looks_like_media(path: Path) -> bool:
    """True if the first bytes are those of a known container."""
    with path.open("rb") as file:
        head = file.read(TS_PACKET + 1)
    transport_stream = len(head) == TS_PACKET + 1 and head[0] == head[TS_PACKET] == 0x47  # noqa: PLR2004
    return head.startswith(_SIGNATURES) or head[4:8] in _MP4_BOXES or transport_stream


def lacks_index(path: Path) -> bool:
    """True for an MP4 or its kin whose `moov` is not there, or not all of it."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        if file.read(_BOX_HEADER)[4:] not in _MP4_BOXES:
            return False
        return not any(kind == b"moov" and end <= size_bytes for kind, end in _boxes(file, size_bytes))


def _boxes(file: BinaryIO, size_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each box of the first level."""
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        header = file.read(16)
        if len(header) < _BOX_HEADER:
            return
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        elif size == 0:
            size = size_bytes - at
        yield header[4:8], at + size
        if size < _BOX_HEADER or at + size > size_bytes:
            return
        at += size


def breaks_off(path: Path, container: str) -> bool:
    """True for a file that does not end as its container asks: cut off, or damaged so that nobody finds the end."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        for name, ends_badly in _ENDS.items():
            if name in container:
                return ends_badly(file, size_bytes)
    return False


def _transport_stream(file: BinaryIO, size_bytes: int) -> bool:
    return file.read(1) == b"\x47" and size_bytes % TS_PACKET != 0


def _ogg(file: BinaryIO, size_bytes: int) -> bool:
    """RFC 3533: the last page of a stream says so."""
    file.seek(max(0, size_bytes - _MAX_OGG_PAGE))
    tail = file.read()
    page = tail.rfind(b"OggS")
    return page < 0 or len(tail) <= page + 5 or not tail[page + 5] & _LAST_PAGE


def _flv(file: BinaryIO, size_bytes: int) -> bool:
    """Behind each tag stands how long it is, its header of 11 bytes included."""
    if size_bytes < _FLV_LEAST:
        return True
    file.seek(size_bytes - 4)
    length = int.from_bytes(file.read(4), "big")
    if not _FLV_TAG_HEADER <= length <= size_bytes - 13:
        return True
    file.seek(size_bytes - 4 - length)
    return int.from_bytes(file.read(4)[1:], "big") != length - _FLV_TAG_HEADER


def _matroska(file: BinaryIO, size_bytes: int) -> bool:
    """RFC 8794: a segment of known size must be there; a recorder that never came back leaves it unknown."""
    head = file.read(_HEAD_BYTES)
    at = head.find(_SEGMENT) + len(_SEGMENT)
    if not len(_SEGMENT) <= at < len(head) or not head[at]:
        return False
    length = 9 - head[at].bit_length()
    size = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
    return size != (1 << 7 * length) - 1 and at + length + size > size_bytes


def _riff(file: BinaryIO, size_bytes: int) -> bool:
    head = file.read(8)
    size = int.from_bytes(head[4:], "little")
    return head[:4] == b"RIFF" and 0 < size < _UNKNOWN_SIZE and size + 8 > size_bytes


def _mp4(file: BinaryIO, size_bytes: int) -> bool:
    """True for a fragmented MP4 whose boxes do not fill it. Any other is found by its index."""
    found = list(_boxes(file, size_bytes))
    whole = all(kind.isalnum() and kind.isascii() for kind, _ in found) and found[-1][1] == size_bytes
    return not whole and any(kind == b"moof" for kind, _ in found)


def _mp3(file: BinaryIO, size_bytes: int) -> bool:
    """The header of the first frame may say how many bytes there are (Xing's bit 1, behind the number of frames)."""
    head = file.read(_HEAD_BYTES)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or not head[at + 7] & 2:
        return False
    place = at + 8 + (4 if head[at + 7] & 1 else 0)
    return int.from_bytes(head[place : place + 4], "big") > size_bytes


def is_fragmented(path: Path) -> bool:
    """True for an MP4 with fragments: its index tells only of those that were found."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        return any(kind == b"moof" for kind, _ in _boxes(file, size_bytes))


def fragment_ends(path: Path) -> list[int]:
    """Where each whole fragment of an MP4 ends, in order; empty for any other file."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        found = list(_boxes(file, size_bytes))
    pairs = pairwise(found)
    return [end for (before, _), (kind, end) in pairs if (before, kind) == (b"moof", b"mdat") and end <= size_bytes]


_ENDS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "mpegts": _transport_stream,
    "ogg": _ogg,
    "flv": _flv,
    "matroska": _matroska,
    "avi": _riff,
    "mp4": _mp4,
    "mp3": _mp3,
}


def notes_its_length(path: Path, container: str) -> bool:
    """True if the length that the demuxer tells stands in the file, and was not guessed from its size."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if "matroska" in container:
        return any(b"\x44\x89" + size in head for size in (b"\x84", b"\x88"))
    if container == "flv":
        return b"duration" in head
    if container == "ogg":  # the last page has the position of its last sample
        return True
    return container == "mp3" and (b"Xing" in head or b"Info" in head)


def wav_length_s(path: Path) -> Fraction | None:
    """What the header of a WAV promises (RIFF, `fmt ` and `data`); None if it does not know or is another file."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
            return None
        bytes_a_second = 0
        for _ in range(100):
            header = file.read(8)
            if len(header) < _BOX_HEADER:
                return None
            kind, size = header[:4], int.from_bytes(header[4:], "little")
            if kind == b"data":
                known = bytes_a_second and 0 < size < _UNKNOWN_SIZE
                return Fraction(size, bytes_a_second) if known else None
            if kind == b"fmt ":
                bytes_a_second = int.from_bytes(file.read(16)[8:12], "little")
                size -= 16
            file.seek(size + size % 2, 1)
    return None
