"""Decodes the segments of an audio track into 16 kHz mono, with PyAV. Memory stays flat: one segment at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.codec.context import CodecContext
from numpy.typing import NDArray

from shuanglu_asr.domain.placing import RATE, place
from shuanglu_asr.errors import SoundUnreadable
from shuanglu_common.cmaf import open_cmaf

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

Samples = NDArray[np.float32]
# Silence of a long hole is given in pieces of this size.
MOST_SILENCE = 60 * RATE


@dataclass(frozen=True, slots=True)
class Block:
    """Mono samples in -1..1; `start` is the first one's position on the session's timeline, in samples."""

    start: int
    samples: Samples


class SoundReader:
    """Reads segments in order and gives blocks without holes or overlaps.

    The codec lives as long as the reader: its frames overlap, so each segment decoded by itself would begin with a
    click. What the codec refuses becomes silence and is told in `lost`; a segment of which nothing can be decoded is an
    error.
    """

    def __init__(self) -> None:
        """Nothing is read yet."""
        self.codec: AudioCodecContext | None = None
        self.resampler: AudioResampler | None = None
        self.source: tuple[int, str, str] | None = None
        self.end: int | None = None
        self.lost: list[tuple[int, int]] = []  # milliseconds of the session, as the packets come

    def read(self, data: bytes) -> Iterator[Block]:
        """The blocks of one segment, given as init plus media. Raises SoundUnreadable, SegmentUnreadable."""
        with open_cmaf(data) as container:
            if not container.streams.audio:
                raise SoundUnreadable("a segment has no sound")
            stream = container.streams.audio[0]
            found = False
            try:
                for frame in self.frames(container.demux(stream), stream):
                    found = True
                    yield from self.blocks(frame)
            except (av.FFmpegError, ValueError, OverflowError) as error:
                # ValueError: PyAV raises it for formats that it does not know.
                raise SoundUnreadable(f"a segment cannot be decoded: {type(error).__name__}") from error
            if not found:
                raise SoundUnreadable("no sound of a segment can be decoded")

    def finish(self) -> Iterator[Block]:
        """What the resampler still holds."""
        if self.resampler is not None:
            for frame in self.resampler.resample(None):
                yield from self.placed(frame)

    def frames(self, packets: "Iterable[av.Packet[AudioStream]]", stream: "AudioStream") -> "Iterator[AudioFrame]":
        """Decoded frames; a packet that the codec refuses is left out."""
        codec = self.codec or self.open_codec(stream)
        for packet in packets:
            if packet.pts is None:
                continue
            try:
                yield from (frame for frame in codec.decode(packet) if frame.pts is not None)
            except av.error.InvalidDataError:
                self.lose(packet)

    def lose(self, packet: "av.Packet[AudioStream]") -> None:
        """Remembers where a packet would have been heard."""
        if packet.pts is None or packet.time_base is None:
            return
        start, end = packet.pts, packet.pts + max(1, packet.duration or 0)
        start_ms, end_ms = (max(0, round(at * packet.time_base * 1000)) for at in (start, end))
        if self.lost and start_ms <= self.lost[-1][1]:
            self.lost[-1] = self.lost[-1][0], max(self.lost[-1][1], end_ms)
        else:
            self.lost.append((start_ms, end_ms))

    def open_codec(self, stream: "AudioStream") -> AudioCodecContext:
        """A codec for all segments of the track."""
        codec = CodecContext.create(stream.codec_context.name, "r")
        if not isinstance(codec, AudioCodecContext):
            raise SoundUnreadable("a sound track is not in an audio codec")
        codec.extradata = stream.codec_context.extradata
        codec.thread_count = 1
        self.codec = codec
        return codec

    def blocks(self, frame: "AudioFrame") -> Iterator[Block]:
        """A frame as blocks of the wanted rate."""
        source = (frame.sample_rate, frame.format.name, frame.layout.name)
        if source != self.source:
            yield from self.finish()
            # FFmpeg's own mix of two channels makes a voice that is on both 3 dB louder; their mean does not.
            layout = "stereo" if source[2] == "stereo" else "mono"
            self.resampler, self.source = AudioResampler(format="fltp", layout=layout, rate=RATE), source
        assert self.resampler is not None  # noqa: S101 - set above
        for resampled in self.resampler.resample(frame):
            yield from self.placed(resampled)

    def placed(self, frame: "AudioFrame") -> Iterator[Block]:
        """A resampled frame at its place, after the silence of a hole before it."""
        if frame.pts is None or frame.time_base is None or not frame.samples:
            return
        samples: Samples = frame.to_ndarray().mean(axis=0, dtype=np.float32)
        start = round(frame.pts * frame.time_base * RATE)
        if self.end is None:
            # Sound before the session's start (a codec's priming) is not part of it.
            self.end = max(0, start)
        todo = place(self.end, start, len(samples))
        for piece in range(0, todo.silence, MOST_SILENCE):
            yield self.following(np.zeros(min(MOST_SILENCE, todo.silence - piece), np.float32))
        if todo.skip < len(samples):
            yield self.following(np.nan_to_num(samples[todo.skip :], copy=False))

    def following(self, samples: Samples) -> Block:
        """A block right after the one before."""
        assert self.end is not None  # noqa: S101 - set by placed
        block = Block(self.end, samples)
        self.end += len(samples)
        return block
