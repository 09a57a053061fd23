"""Sound that CMAF cannot carry, or that an import mixes or splits: decoded, and encoded anew as AAC.

At a hole the encoder begins anew, so that the hole stays where it was. The original file is kept beside the copy.
"""

import io
from array import array
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from shuanglu_media_ingest.domain import boxes
from shuanglu_media_ingest.domain.cutting import Unit
from shuanglu_media_ingest.domain.timeline import Clock
from shuanglu_media_ingest.errors import FileDamaged
from shuanglu_media_ingest.reading.av_init import MUXER

AAC_BITS_PER_CHANNEL = 64_000
AAC_FRAME = 1024
# Decoded sound may miss its place by this before it counts as a hole; lip sync is seen from about 45 ms (ITU-R
# BT.1359).
SLACK_MS = 20


class SoundDecoder:
    """Decodes one stream, once for all tracks that are made of it."""

    def __init__(self, source: Any) -> None:
        """`source` is a PyAV stream."""
        self._source = source
        self._packet: Any = None
        self._frames: list[Any] | None = []

    def decode(self, packet: "av.Packet[Any]") -> list[Any] | None:
        """Sound that is ready now; None if the packet cannot be decoded."""
        if packet is not self._packet:
            self._packet = packet
            try:
                self._frames = packet.decode()
            except MemoryError:  # the file's need, not its damage: the reader's limit is told
                raise
            except (FFmpegError, ValueError):
                self._frames = None
        return self._frames

    def finish(self) -> list[Any]:
        """The rest. May be called once for each track."""
        if self._source is not None:
            source, self._source, self._frames = self._source, None, []
            try:
                self._frames = source.decode(None)
            except MemoryError:
                raise
            except (FFmpegError, ValueError):
                pass
        return self._frames or []


class AacWriter:
    """Sound that comes in pieces with their places, as AAC; what it gives is contiguous but for the holes."""

    def __init__(self, timescale: int, floor: int, layout: str) -> None:
        """`floor`: what lies before it is left out. `layout`: `mono` or `stereo`."""
        self._timescale, self._floor, self._layout = timescale, floor, layout
        self._slack = timescale * SLACK_MS // 1000
        self._run: _Run | None = None
        self._end = 0
        self.shown = array("q")
        self.init: bytes | None = None

    @property
    def end(self) -> int:
        """Where sound without a place of its own belongs."""
        return self._end

    def write(self, frame: Any, at: int) -> list[Unit]:
        """Takes the next piece; `at` in ticks of the track."""
        length = round(Fraction(frame.samples * self._timescale, frame.sample_rate))
        if at + length <= self._floor:
            return []
        at = max(at, self._floor)
        units: list[Unit] = []
        if self._run is not None and abs(at - self._end) > self._slack:
            units = self.finish()
            at = max(at, self._end)
        if self._run is None:
            self._run = _Run(at, self._timescale, self._layout)
            self.init = self.init or self._run.init
            self._end = at
        self._end += length
        return units + self._keep(self._run.encode(frame))

    def finish(self) -> list[Unit]:
        """The rest."""
        run, self._run = self._run, None
        return self._keep(run.finish()) if run else []

    def _keep(self, units: list[Unit]) -> list[Unit]:
        self.shown.extend(unit.present_at for unit in units)
        if units:
            self._end = max(self._end, units[-1].present_at + 1)
        return units


class WorkingAudio:
    """A stream as AAC, mono or stereo; or one of its channels alone."""

    derived = True
    width = height = 0

    def __init__(self, decoder: SoundDecoder, clock: Clock, channels: int, channel: int = 0) -> None:
        """`channels` that the stream has; `channel` from 1, 0 for all."""
        self._decoder, self._clock, self._channel = decoder, clock, channel
        layout = "mono" if channel or channels == 1 else "stereo"
        self._writer = AacWriter(clock.timescale, clock.floor, layout)
        self.shown = self._writer.shown
        self.undecodable = 0

    @property
    def init(self) -> bytes | None:
        """Known when the first unit is out."""
        return self._writer.init

    def take(self, packet: "av.Packet[Any]") -> list[Unit]:
        """Sound that is ready now. What cannot be decoded is left out and counted."""
        frames = self._decoder.decode(packet)
        if frames is None:
            self.undecodable += 1
            return []
        return self._write(frames)

    def finish(self) -> list[Unit]:
        """The rest. Raises FileDamaged if not a single sample could be decoded."""
        units = self._write(self._decoder.finish())
        if self.init is None:
            raise FileDamaged
        return units + self._writer.finish()

    def _write(self, frames: list[Any]) -> list[Unit]:
        units: list[Unit] = []
        for frame in frames:
            at = self._clock.ticks(frame.pts) if frame.pts is not None else self._writer.end
            units += self._writer.write(one_channel(frame, self._channel) if self._channel else frame, at)
        return units


def one_channel(frame: Any, channel: int) -> Any:
    """A copy of one channel, from 1; of the last if the sound suddenly has fewer."""
    samples = frame.to_ndarray()
    count = frame.layout.nb_channels
    place = min(channel, count) - 1
    alone = samples[place] if frame.format.is_planar else samples.reshape(-1, count)[:, place]
    mono = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(alone)[None, :], format=frame.format.name.removesuffix("p"), layout="mono"
    )
    mono.sample_rate = frame.sample_rate
    return mono


class _Run:
    """Sound without a hole through one encoder."""

    def __init__(self, start: int, rate: int, layout: str) -> None:
        buffer = io.BytesIO()
        self._container = av.open(buffer, "w", format="mp4", options=MUXER)
        self._stream = self._container.add_stream("aac", rate=rate, layout=layout)
        self._stream.codec_context.bit_rate = AAC_BITS_PER_CHANNEL * self._stream.codec_context.layout.nb_channels
        self._container.start_encoding()
        self.init = boxes.cmaf_init(buffer.getvalue())
        self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=AAC_FRAME)
        self._start, self._given, self._rate = start, 0, rate

    def encode(self, frame: Any) -> list[Unit]:
        frame.pts = None
        return self._push(self._resampler.resample(frame))

    def finish(self) -> list[Unit]:
        units = self._push(self._resampler.resample(None)) + self._units(self._stream.encode(None))
        self._container.close()
        return units

    def _push(self, frames: list[Any]) -> list[Unit]:
        units: list[Unit] = []
        for frame in frames:
            frame.pts, frame.time_base = self._given, Fraction(1, self._rate)
            self._given += frame.samples
            units += self._units(self._stream.encode(frame))
        return units

    def _units(self, packets: list[Any]) -> list[Unit]:
        """Without the encoder's priming, which lies before the start, and without padding behind the end."""
        units = []
        for packet in packets:
            if 0 <= packet.pts < self._given:
                at = self._start + packet.pts
                units.append(Unit(bytes(packet), at, at, at, min(AAC_FRAME, self._given - packet.pts), key=True))
        return units
