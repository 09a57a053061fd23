"""Opus packets (RFC 6716) and how they lie in CMAF (Encapsulation of Opus in ISO Base Media File Format)."""

SAMPLE_RATE = 48_000
# RTP always announces two channels (RFC 7587): what the sender switches to fits in.
CHANNELS = 2
_MAX_PACKET = 120 * SAMPLE_RATE // 1000
_SILK_MS = (10, 20, 40, 60)
_HYBRID_MS = (10, 20)
_SILK_CONFIGURATIONS, _HYBRID_CONFIGURATIONS = 12, 16


def duration(packet: bytes) -> int:
    """Length of a packet in samples at 48 kHz; 0 if the bytes are no Opus packet (RFC 6716, 3.1 and 3.4)."""
    if not packet:
        return 0
    frames = _frames(packet)
    length = frames * _frame(packet[0] >> 3)
    return length if 0 < length <= _MAX_PACKET else 0


def _frame(configuration: int) -> int:
    """Samples of one frame."""
    if configuration < _SILK_CONFIGURATIONS:
        return _SILK_MS[configuration % 4] * SAMPLE_RATE // 1000
    if configuration < _HYBRID_CONFIGURATIONS:
        return _HYBRID_MS[configuration % 2] * SAMPLE_RATE // 1000
    return (SAMPLE_RATE // 400) << configuration % 4  # CELT: 2.5, 5, 10, 20 ms


def _frames(packet: bytes) -> int:
    """How many frames there are; 0 if the lengths cannot be."""
    code = packet[0] & 3
    if code == 0:
        return 1
    if code == 1:
        return 2 if len(packet) % 2 else 0
    if code == 2:  # noqa: PLR2004 - the code's number is its name
        if len(packet) < 2 or packet[1] > len(packet) - 2 and packet[1] < 252:  # noqa: PLR2004, RUF021
            return 0
        return 2
    return packet[1] & 0x3F if len(packet) > 1 else 0
