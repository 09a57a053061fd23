"""What a recording may be at most. Beyond it is no signing session, and a burden to everybody else's."""

from collections.abc import Iterable
from fractions import Fraction

from shuanglu_media_ingest.domain.survey import Medium, Stream
from shuanglu_media_ingest.errors import RecordingTooLarge

MAX_STREAMS = 16
MAX_SIDE = 8192
MAX_PIXELS = 8192 * 4320
MAX_SAMPLE_RATE = 384_000
MAX_CHANNELS = 16
MAX_DURATION_S = Fraction(24 * 3600)
MAX_PACKETS = 20_000_000


def require_packets(count: int) -> None:
    """Raises RecordingTooLarge."""
    if count > MAX_PACKETS:
        raise RecordingTooLarge(f"The file has more than {MAX_PACKETS} packets.")


def require_streams(streams: Iterable[Stream]) -> None:
    """What the container declares. Raises RecordingTooLarge."""
    known = list(streams)
    if len(known) > MAX_STREAMS:
        raise RecordingTooLarge(f"The file has {len(known)} streams.")
    for stream in known:
        if stream.medium is Medium.VIDEO:
            if max(stream.width, stream.height) > MAX_SIDE or stream.width * stream.height > MAX_PIXELS:
                raise RecordingTooLarge(f"The picture has {stream.width}x{stream.height} pixels.")
        elif stream.sample_rate > MAX_SAMPLE_RATE or stream.channels > MAX_CHANNELS:
            raise RecordingTooLarge(f"The sound has {stream.channels} channels of {stream.sample_rate} Hz.")


def require_duration(streams: Iterable[Stream]) -> None:
    """What was found in the file. Raises RecordingTooLarge."""
    known = list(streams)
    length_s = max(stream.ends_s for stream in known) - min(stream.begins_s for stream in known)
    if length_s > MAX_DURATION_S:
        raise RecordingTooLarge(f"The recording lasts {float(length_s) / 3600:.1f} hours.")
