"""Decodes the frames of a CMAF segment that are looked at, with PyAV."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import av
import numpy as np

from shuanglu_common.cmaf import SegmentUnreadable, open_cmaf
from shuanglu_face_check.domain.grid import shown_at
from shuanglu_face_check.domain.ports import Sample
from shuanglu_face_check.pixels import Array, PixelFormat, PixelPicture

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Larger frames are refused: 8K, more than any camera of a branch gives.
MOST_PIXELS = 8192 * 4320


class AvPicture(PixelPicture):
    """A decoded frame, turned upright as its track says."""

    def __init__(self, frame: av.VideoFrame) -> None:
        """Keeps the frame; pixels are converted when asked for."""
        self.frame = frame
        self.quarter_turns = round(frame.rotation / 90) % 4
        sideways = self.quarter_turns % 2 == 1
        super().__init__(*((frame.height, frame.width) if sideways else (frame.width, frame.height)))

    def render(self, width: int, height: int, layout: PixelFormat) -> Array:
        """See PixelPicture."""
        if self.quarter_turns % 2 == 1:
            width, height = height, width
        pixels = self.frame.reformat(width, height, layout.value).to_ndarray().astype(np.uint8, copy=False)
        return np.ascontiguousarray(np.rot90(pixels, self.quarter_turns)) if self.quarter_turns else pixels


def read_samples(data: bytes, points_ms: Sequence[int]) -> Iterator[Sample[PixelPicture]]:
    """The pictures shown at the points (ascending) of one segment, whose init and media bytes are `data`.

    Frames between the points are decoded only where others build on them. Raises SegmentUnreadable, also in the middle.
    """
    with open_cmaf(data) as container:
        try:
            yield from decode_samples(container, points_ms)
        except (av.FFmpegError, ValueError, OverflowError) as error:
            # ValueError: PyAV raises it for unknown pixel formats and impossible sizes.
            raise SegmentUnreadable(f"a segment cannot be decoded: {type(error).__name__}") from error


def decode_samples(container: "InputContainer", points_ms: Sequence[int]) -> Iterator[Sample[PixelPicture]]:
    """See read_samples."""
    if not container.streams.video:
        raise SegmentUnreadable("a segment has no picture")
    stream = container.streams.video[0]
    if stream.width * stream.height > MOST_PIXELS:
        raise SegmentUnreadable("the picture is too large")
    packets = [packet for packet in container.demux(stream) if packet.pts is not None]
    stamps = sorted({packet.pts for packet in packets if packet.pts is not None})
    if not stamps or stream.time_base is None:
        raise SegmentUnreadable("a segment has no frame")
    times_ms = [int(stamp * 1000 * stream.time_base) for stamp in stamps]
    wanted = [stamps[index] for index in shown_at(points_ms, times_ms)]
    yield from pick(frames(stream, packets, set(wanted)), points_ms, wanted)


def frames(
    stream: "VideoStream", packets: "Sequence[av.Packet[VideoStream]]", wanted: set[int]
) -> Iterator[av.VideoFrame]:
    """Frames in order of presentation; those that nobody wants and nothing builds on are skipped undecoded."""
    context = stream.codec_context
    context.thread_count = 1
    for packet in packets:
        context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
        yield from context.decode(packet)
    context.skip_frame = "DEFAULT"
    yield from context.decode(None)


def pick(
    decoded: Iterator[av.VideoFrame], points_ms: Sequence[int], wanted: Sequence[int]
) -> Iterator[Sample[PixelPicture]]:
    """For each point its wanted frame; stops decoding after the last.

    Of damaged bytes a decoder shows what it guesses, and so do all frames that build on them: nobody may judge by that.
    Raises SegmentUnreadable.
    """
    position = 0
    latest: AvPicture | None = None
    for frame in decoded:
        if frame.is_corrupt:
            raise SegmentUnreadable("a frame of a segment is damaged")
        if frame.width * frame.height > MOST_PIXELS:
            # A call's picture changes its size inside the track, so what the track says is not enough.
            raise SegmentUnreadable("the picture is too large")
        if frame.pts is None:
            continue
        while latest is not None and position < len(wanted) and wanted[position] < frame.pts:
            yield Sample(points_ms[position], latest)
            position += 1
        latest = AvPicture(frame)
        while position < len(wanted) and wanted[position] == frame.pts:
            yield Sample(points_ms[position], latest)
            position += 1
        if position == len(wanted):
            return
    if latest is None:
        raise SegmentUnreadable("no frame of a segment can be decoded")
    for point in points_ms[position:]:
        yield Sample(point, latest)
