"""Init segments (`ftyp` + `moov`) of live tracks: H.264 with its parameter sets in-band (`avc3`), and Opus.

`avc3` (ISO/IEC 14496-15, 5.3.1.2) lets parameter sets change at any key frame: a camera that is turned, another
connection, another encoder go on in the same track.
"""

from shuanglu_media_ingest.domain.boxes import box
from shuanglu_media_ingest.domain.live import opus
from shuanglu_media_ingest.domain.live.sps import Size

_UNITY = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
_UNDETERMINED = b"\x55\xc4"  # language `und`
_ALL_FLAGS = 7  # enabled, in movie, in preview
_DPI_72 = (72 << 16).to_bytes(4, "big")


def video_init(timescale: int, sps: bytes, pps: bytes, size: Size) -> bytes:
    """Of pictures that begin with these parameter sets."""
    configuration = bytes([1, sps[1], sps[2], sps[3], 0xFF, 0xE1]) + _counted(sps) + b"\x01" + _counted(pps)
    if sps[1] in (100, 110, 122, 144):
        # ISO/IEC 14496-15, 5.3.3.1.2: 4:2:0, 8 bits, no extension; players read the parameter sets themselves.
        configuration += b"\xfd\xf8\xf8\x00"
    entry = box(
        b"avc3",
        bytes(6) + _u16(1) + bytes(16) + _u16(size.width) + _u16(size.height) + _DPI_72 + _DPI_72 + bytes(4),
        _u16(1) + bytes(32) + _u16(24) + b"\xff\xff",
        box(b"avcC", configuration),
    )
    shape = (size.width << 16).to_bytes(4, "big") + (size.height << 16).to_bytes(4, "big")
    return _init(timescale, b"vide", box(b"vmhd", _full(1), bytes(8)), entry, shape)


def audio_init() -> bytes:
    """Of Opus at 48 kHz. No pre-skip: the track begins in the middle of what the sender encodes."""
    configuration = bytes([0, opus.CHANNELS]) + _u16(0) + opus.SAMPLE_RATE.to_bytes(4, "big") + _u16(0) + b"\0"
    entry = box(
        b"Opus",
        bytes(6) + _u16(1) + bytes(8) + _u16(opus.CHANNELS) + _u16(16) + bytes(4) + _u16(opus.SAMPLE_RATE) + bytes(2),
        box(b"dOps", configuration),
    )
    return _init(opus.SAMPLE_RATE, b"soun", box(b"smhd", _full(), bytes(4)), entry, bytes(8))


def _init(timescale: int, handler: bytes, media: bytes, entry: bytes, shape: bytes) -> bytes:
    ftyp = box(b"ftyp", b"iso6" + bytes(4) + b"iso6cmfcmp41")
    tables = [box(b"stsd", _full() + _u32(1), entry)]
    tables += [box(kind, _full(), bytes(4)) for kind in (b"stts", b"stsc", b"stco")]
    tables.append(box(b"stsz", _full(), bytes(8)))
    references = box(b"dinf", box(b"dref", _full() + _u32(1), box(b"url ", _full(1))))
    mdia = box(
        b"mdia",
        box(b"mdhd", _full(), bytes(8), _u32(timescale), bytes(4), _UNDETERMINED, bytes(2)),
        box(b"hdlr", _full(), bytes(4), handler, bytes(12), b"\0"),
        box(b"minf", media, references, box(b"stbl", *tables)),
    )
    volume = _u16(0x0100) if handler == b"soun" else _u16(0)
    tkhd = box(
        b"tkhd", _full(_ALL_FLAGS), bytes(8), _u32(1), bytes(8), bytes(8), bytes(4), volume, bytes(2), _UNITY, shape
    )
    rates = _u32(1 << 16) + _u16(0x0100)
    mvhd = box(b"mvhd", _full(), bytes(8), _u32(1000), bytes(4), rates, bytes(10), _UNITY, bytes(24), _u32(2))
    trex = box(b"trex", _full(), _u32(1), _u32(1), bytes(12))
    return ftyp + box(b"moov", mvhd, box(b"trak", tkhd, mdia), box(b"mvex", trex))


def _counted(data: bytes) -> bytes:
    return _u16(len(data)) + data


def _full(flags: int = 0) -> bytes:
    """Version 0 and the flags of a full box."""
    return _u32(flags)


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")
