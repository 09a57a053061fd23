"""Packets as CMAF wants them: NAL units with lengths instead of start codes, AAC without ADTS headers."""

LENGTH_SIZE = 4
_AVCC_LENGTH, _HVCC_LENGTH = 4, 21
_START_CODE = b"\0\0\1"
_AUD_H264, _AUD_HEVC = 9, 35
_SYNC, _LAYER, _LAYER_MASK = 0xFF, 0xF0, 0xF6
_ADTS_HEADER, _ADTS_HEADER_WITH_CRC = 7, 9


def is_annex_b(extradata: bytes) -> bool:
    """True if a stream's NAL units are separated by start codes (ISO/IEC 14496-10 annex B), not by lengths."""
    return extradata[:3] == _START_CODE or extradata[:4] == b"\0" + _START_CODE


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of an annex B byte stream, without start codes and trailing zeros. Empty ones are left out."""
    at = data.find(_START_CODE)
    units: list[bytes] = []
    while at >= 0:
        begin = at + len(_START_CODE)
        at = data.find(_START_CODE, begin)
        unit = data[begin : at if at >= 0 else len(data)].rstrip(b"\0")
        if unit:
            units.append(unit)
    return units


def with_lengths(data: bytes, *, hevc: bool = False) -> bytes:
    """An annex B access unit with 4-byte lengths. Access unit delimiters are dropped: the sample is their meaning."""
    return b"".join(
        len(unit).to_bytes(LENGTH_SIZE, "big") + unit
        for unit in nal_units(data)
        if not ((unit[0] >> 1 & 0x3F) == _AUD_HEVC if hevc else (unit[0] & 0x1F) == _AUD_H264)
    )


def length_size(codec: str, extradata: bytes) -> int:
    """Bytes of each NAL unit's length, as avcC and hvcC note it (ISO/IEC 14496-15); 0 for other streams."""
    if codec == "h264" and len(extradata) > _AVCC_LENGTH and extradata[0] == 1:
        return (extradata[_AVCC_LENGTH] & 3) + 1
    if codec == "hevc" and len(extradata) > _HVCC_LENGTH and extradata[0] == 1:
        return (extradata[_HVCC_LENGTH] & 3) + 1
    return 0


def has_whole_units(data: "bytes | memoryview", size: int) -> bool:
    """True if NAL units with lengths of `size` bytes fill the data; zeros behind them are padding."""
    view = memoryview(data).cast("B")
    at, end = 0, len(view)
    while at < end:
        length = int.from_bytes(view[at : at + size], "big")
        if length == 0:
            return not any(view[at:])
        if length > end - at - size:
            return False
        at += size + length
    return True


def is_adts(data: bytes) -> bool:
    """True if a packet begins with an ADTS header (ISO/IEC 14496-3 annex 1.A)."""
    return len(data) > _ADTS_HEADER and data[0] == _SYNC and data[1] & _LAYER_MASK == _LAYER


def is_whole_adts(data: bytes) -> bool:
    """False for an ADTS frame that is shorter or longer than its header says."""
    if not is_adts(data):
        return False
    return (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5 == len(data)


def without_adts(data: bytes) -> bytes:
    """The raw AAC frame of one ADTS packet."""
    return data[_ADTS_HEADER if data[1] & 1 else _ADTS_HEADER_WITH_CRC :]


def adts_configuration(data: bytes) -> bytes:
    """The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of an ADTS header: object type, rate, channels."""
    kind, rate = (data[2] >> 6) + 1, data[2] >> 2 & 0xF
    channels = (data[2] & 1) << 2 | data[3] >> 6
    return (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
