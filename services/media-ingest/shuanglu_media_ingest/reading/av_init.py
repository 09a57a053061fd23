"""Init segments through FFmpeg's MP4 muxer: it knows the sample entry of every codec. The fragments are our own."""

import io
from typing import Any

import av
from av.codec.codec import UnknownCodecError

from shuanglu_media_ingest.domain import boxes

# No edit list and no version string: the same stream gives the same bytes.
MUXER = {"movflags": "empty_moov+default_base_moof", "use_editlist": "0", "fflags": "+bitexact"}


def carried_init(source: Any, timescale: int, configuration: bytes = b"") -> bytes:
    """The init segment of a stream whose packets are taken as they are.

    `configuration`: the codec's, where the container does not have it. Raises FFmpegError or ValueError if
    MP4 has no place for the codec.
    """
    buffer = io.BytesIO()
    options = {**MUXER, "video_track_timescale": str(timescale)}
    with av.open(buffer, "w", format="mp4", options=options) as output:
        stream = _like(output, source)
        if configuration:
            stream.codec_context.extradata = configuration
        if source.codec_context.name == "hevc":
            stream.codec_context.codec_tag = "hvc1"  # what Apple's players ask for
        output.start_encoding()
        written = buffer.getvalue()
    return boxes.cmaf_init(written)


def _like(output: Any, source: Any) -> Any:
    try:
        return output.add_stream_from_template(source)
    except UnknownCodecError:
        # A codec with a decoder of another name than its encoder's, such as AV1: copied without a context.
        return output.add_stream_from_template(source, opaque=True)
