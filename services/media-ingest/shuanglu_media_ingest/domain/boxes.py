"""ISO base media file format (ISO/IEC 14496-12): just what it takes to read an init segment and to write fragments.

The fragments are written by our own hand, not by FFmpeg's muxer: the bytes of a segment, and so its hash, then depend
on the packets alone and not on the version of a library, and a segment begins exactly where the timeline says.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

HEADER = 8
CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf", b"edts", b"udta"})

SYNC_SAMPLE = 0x02000000  # sample_depends_on = 2: decodable by itself
OTHER_SAMPLE = 0x01010000  # sample_depends_on = 1, sample_is_non_sync_sample

_TFHD_DEFAULT_BASE_IS_MOOF = 0x020000
_TRUN_DATA_OFFSET, _TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_CTS = 0x001, 0x100, 0x200, 0x400, 0x800


class BoxError(ValueError):
    """The bytes are not a sequence of whole boxes."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its four-letter kind and its payload without the header."""

    kind: bytes
    payload: bytes

    def encoded(self) -> bytes:
        """With its header."""
        return box(self.kind, self.payload)


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture or one packet of sound, ready to be written. Times are in ticks of the track's timescale."""

    data: bytes
    decode_at: int  # >= 0, strictly growing within a track
    present_at: int  # >= decode_at
    duration: int  # > 0
    key: bool


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box around the parts. Raises BoxError above 4 GiB, which no segment of ours can be."""
    return b"".join((_header(kind, sum(len(part) for part in parts)), *parts))


def _header(kind: bytes, payload_bytes: int) -> bytes:
    size = HEADER + payload_bytes
    if size >= 1 << 32:
        raise BoxError(f"a {kind!r} of {size} bytes does not fit a 32-bit box")
    return size.to_bytes(4, "big") + kind


def split(data: bytes) -> Iterator[Box]:
    """The boxes of one level, in order. Raises BoxError if they do not fill the data exactly."""
    at = 0
    while at < len(data):
        if at + HEADER > len(data):
            raise BoxError(f"{len(data) - at} bytes are left at {at}: too few for a box header")
        size, header = int.from_bytes(data[at : at + 4], "big"), HEADER
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if size < header or at + size > len(data):
            raise BoxError(f"the box at {at} says {size} bytes, {len(data) - at} are there")
        yield Box(data[at + 4 : at + 8], data[at + header : at + size])
        at += size


def find(data: bytes, *path: bytes) -> bytes | None:
    """Payload of the first box at the path, such as `moov, trak, mdia`; None if there is none."""
    for kind in path:
        found = next((each.payload for each in split(data) if each.kind == kind), None)
        if found is None:
            return None
        data = found
    return data


def without(data: bytes, kind: bytes) -> bytes:
    """The same boxes, without those of this kind at any depth of the containers."""
    kept: list[bytes] = []
    for each in split(data):
        if each.kind == kind:
            continue
        kept.append(box(each.kind, without(each.payload, kind)) if each.kind in CONTAINERS else each.encoded())
    return b"".join(kept)


def cmaf_init(ftyp_and_moov: bytes) -> bytes:
    """An init segment with the brands of CMAF (ISO/IEC 23000-19) and no signature of a muxer (`udta`)."""
    brands = b"iso6" + (0).to_bytes(4, "big") + b"iso6" + b"cmfc" + b"mp41"
    kept = [each for each in split(ftyp_and_moov) if each.kind in (b"ftyp", b"moov")]
    if [each.kind for each in kept] != [b"ftyp", b"moov"]:
        raise BoxError(f"expected ftyp and moov, got {[each.kind for each in kept]}")
    return box(b"ftyp", brands) + without(kept[1].encoded(), b"udta")


def fragment(sequence_number: int, samples: Sequence[Sample], track_number: int = 1) -> bytes:
    """One CMAF segment: `moof` + `mdat` with these samples, in decode order. At least one sample."""
    if not samples:
        raise BoxError("a fragment needs a sample")
    # The data offset counts from the first byte of moof, so moof is built twice: its size does not depend on the
    # number.
    size = len(_moof(sequence_number, samples, track_number, 0))
    moof = _moof(sequence_number, samples, track_number, size + HEADER)
    # One join, so that a large segment is copied once.
    media = sum(len(sample.data) for sample in samples)
    return b"".join((moof, _header(b"mdat", media), *(sample.data for sample in samples)))


def _moof(sequence_number: int, samples: Sequence[Sample], track_number: int, data_offset: int) -> bytes:
    mfhd = box(b"mfhd", _u32(0, sequence_number))
    tfhd = box(b"tfhd", _u32(_TFHD_DEFAULT_BASE_IS_MOOF, track_number))
    tfdt = box(b"tfdt", _u32(1 << 24), samples[0].decode_at.to_bytes(8, "big"))
    return box(b"moof", mfhd, box(b"traf", tfhd, tfdt, _trun(samples, data_offset)))


def _trun(samples: Sequence[Sample], data_offset: int) -> bytes:
    shifted = any(sample.present_at != sample.decode_at for sample in samples)
    flags = _TRUN_DATA_OFFSET | _TRUN_DURATION | _TRUN_SIZE | _TRUN_FLAGS | (_TRUN_CTS if shifted else 0)
    rows: list[int] = []
    for sample in samples:
        rows += (sample.duration, len(sample.data), SYNC_SAMPLE if sample.key else OTHER_SAMPLE)
        if shifted:
            rows.append(sample.present_at - sample.decode_at)
    return box(b"trun", _u32(flags, len(samples), data_offset, *rows))


def _u32(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def is_sideways(init: bytes) -> bool:
    """True if the track's matrix turns the picture by a quarter (ISO/IEC 14496-12, 8.3.2): width is shown as height."""
    header = find(init, b"moov", b"trak", b"tkhd")
    if header is None:
        raise BoxError("the init segment has no track header")
    matrix = header[52:88] if header[0] == 1 else header[40:76]
    a, b, _, c, d = (int.from_bytes(matrix[at : at + 4], "big", signed=True) for at in range(0, 20, 4))
    return a == d == 0 and bool(b and c)


def tfdt_of(segment: bytes) -> int:
    """Decode time of a segment's first sample in ticks. Raises BoxError if it has none."""
    payload = find(segment, b"moof", b"traf", b"tfdt")
    if payload is None:
        raise BoxError("the segment has no tfdt")
    return int.from_bytes(payload[4:12] if payload[0] == 1 else payload[4:8], "big")


def concatenate(init: bytes, segments: Iterable[bytes]) -> bytes:
    """A file that any player opens."""
    return init + b"".join(segments)
