"""What CMAF carries as it is, and how a codec is called in a playlist (RFC 6381)."""

from shuanglu_media_ingest.domain import boxes

# Carried without re-encoding. FFmpeg's codec names. HLS and Media Source players play all of them.
CARRIED_VIDEO = frozenset({"h264", "hevc", "av1", "vp9"})
CARRIED_AUDIO = frozenset({"aac", "opus", "mp3", "flac"})

_STSD = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_STSD_HEADER = 8  # version, flags, entry count
_VISUAL_ENTRY = 78  # fields before the boxes of a VisualSampleEntry
_AUDIO_ENTRY = 28  # fields before the boxes of an AudioSampleEntry
_ESCAPE = 31  # object types from 32 on need six more bits
_OBJECT_TYPES = {0x69: "mp4a.40.34", 0x6B: "mp4a.40.34"}  # MPEG-2 and MPEG-1 layer 3


def codec_string(init: bytes) -> str:
    """RFC 6381 name of the track's codec, such as `avc1.42e01f`. Raises BoxError if there is no sound sample entry."""
    try:
        return _codec_string(init)
    except IndexError as error:
        raise boxes.BoxError("the codec's configuration breaks off") from error


def _codec_string(init: bytes) -> str:
    stsd = boxes.find(init, *_STSD)
    entry = next(boxes.split(stsd[_STSD_HEADER:]), None) if stsd else None
    if entry is None:
        raise boxes.BoxError("the init segment has no sample entry")
    name = entry.kind.decode("ascii", "replace")
    if name in ("avc1", "avc3"):
        return f"{name}.{_child(entry.payload, _VISUAL_ENTRY, b'avcC')[1:4].hex()}"
    if name in ("hvc1", "hev1"):
        return f"{name}.{_hevc(_child(entry.payload, _VISUAL_ENTRY, b'hvcC'))}"
    if name == "vp09":
        return _vp9(_child(entry.payload, _VISUAL_ENTRY, b"vpcC"))
    if name == "av01":
        return _av1(_child(entry.payload, _VISUAL_ENTRY, b"av1C"))
    if name == "mp4a":
        return _mp4a(_child(entry.payload, _AUDIO_ENTRY, b"esds"))
    return {"Opus": "opus", "fLaC": "fLaC"}.get(name, name)


def _child(entry: bytes, fields: int, kind: bytes) -> bytes:
    payload = boxes.find(entry[fields:], kind)
    if payload is None:
        raise boxes.BoxError(f"the sample entry has no {kind.decode()}")
    return payload


def _hevc(config: bytes) -> str:
    """ISO/IEC 14496-15 annex E: profile, reversed compatibility, tier and level, constraints without trailing zeros."""
    space = ("", "A", "B", "C")[config[1] >> 6]
    compatibility = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if config[1] & 0x20 else "L"
    constraints = config[6:12].rstrip(b"\0")
    parts = [f"{space}{config[1] & 0x1F}", f"{compatibility:X}", f"{tier}{config[12]}"]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])


def _vp9(config: bytes) -> str:
    profile, level, depth = config[4], config[5], config[6] >> 4
    return f"vp09.{profile:02d}.{level:02d}.{depth:02d}"


def _av1(config: bytes) -> str:
    profile, level, flags = config[1] >> 5, config[1] & 0x1F, config[2]
    tier = "H" if flags & 0x80 else "M"
    depth = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    return f"av01.{profile}.{level:02d}{tier}.{depth:02d}"


def _mp4a(esds: bytes) -> str:
    """ISO/IEC 14496-1 descriptors: ES (3) holds DecoderConfig (4) holds the AudioSpecificConfig (5)."""
    body = _descriptor(esds[4:], 3)
    config = _descriptor(body[3:], 4)
    if config[0] in _OBJECT_TYPES:
        return _OBJECT_TYPES[config[0]]
    specific = _descriptor(config[13:], 5)
    kind = specific[0] >> 3 if specific else 2
    if kind == _ESCAPE:
        kind = 32 + (int.from_bytes(specific[:2], "big") >> 5 & 0x3F)
    return f"mp4a.40.{kind}"


def _descriptor(data: bytes, tag: int) -> bytes:
    """Payload of the first descriptor; empty if it is of another kind."""
    if not data or data[0] != tag:
        return b""
    at, size = 1, 0
    while True:
        byte = data[at]
        size, at = size << 7 | byte & 0x7F, at + 1
        if not byte & 0x80:
            return data[at : at + size]
