"""What a file says of itself, read without any library: what it is, what it lacks, how long it claims to be."""

from collections.abc import Iterator
from fractions import Fraction
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


def ends_inside_a_packet(path: Path) -> bool:
    """True for a transport stream that is not made of whole packets."""
    with path.open("rb") as file:
        return file.read(1) == b"\x47" and path.stat().st_size % TS_PACKET != 0


def notes_its_length(path: Path, container: str) -> bool:
    """True if the length that the demuxer tells stands in the file, and was not guessed from its size."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if "matroska" in container:
        return any(b"\x44\x89" + size in head for size in (b"\x84", b"\x88"))
    if container == "flv":
        return b"duration" in head
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
