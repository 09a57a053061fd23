"""Several audio streams of a file as one track: their sum, each at its own place."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from shuanglu_media_ingest.domain.cutting import Unit
from shuanglu_media_ingest.domain.timeline import Clock
from shuanglu_media_ingest.errors import FileDamaged
from shuanglu_media_ingest.reading.av_sound import SLACK_MS, AacWriter, SoundDecoder

# So far may a stream lag behind the others in the file; sound that comes later still is left out.
MAX_LAG_S = 60
BLOCK_S = 10

Samples = NDArray[np.float32]  # a row for each channel


class _Voice:
    """One stream: its sound as floats of the common rate, each piece with its place."""

    def __init__(self, source: Any, clock: Clock, layout: str) -> None:
        self.decoder, self._clock, self._layout = SoundDecoder(source), clock, layout
        self._slack = clock.timescale * SLACK_MS // 1000
        self._resampler: AudioResampler | None = None
        self.end = clock.floor

    def place(self, frames: list[Any]) -> list[tuple[int, Samples]]:
        """Pieces that are ready now."""
        pieces: list[tuple[int, Samples]] = []
        for frame in frames:
            at = self._clock.ticks(frame.pts) if frame.pts is not None else self.end
            if self._resampler is None or abs(at - self.end) > self._slack:
                pieces += self.finish()
                self._resampler = AudioResampler(format="fltp", layout=self._layout, rate=self._clock.timescale)
                self.end = at
            frame.pts = None
            pieces += self._pieces(self._resampler.resample(frame))
        return pieces

    def finish(self) -> list[tuple[int, Samples]]:
        """What the resampler holds back."""
        resampler, self._resampler = self._resampler, None
        return self._pieces(resampler.resample(None)) if resampler else []

    def _pieces(self, frames: list[Any]) -> list[tuple[int, Samples]]:
        pieces = []
        for frame in frames:
            pieces.append((self.end, frame.to_ndarray()))
            self.end += frame.samples
        return pieces


class MixedAudio:
    """All streams as AAC. What overlaps is added up and clipped; where none has sound there is a hole."""

    derived = True
    width = height = 0

    def __init__(self, sources: Sequence[Any], clocks: Sequence[Clock], channels: int) -> None:
        """A clock for each source, all of one timescale; `channels` that the widest stream has."""
        self._layout = "mono" if channels == 1 else "stereo"
        self._voices = {
            source.index: _Voice(source, clock, self._layout) for source, clock in zip(sources, clocks, strict=True)
        }
        self._rate, self._floor = clocks[0].timescale, clocks[0].floor
        self._writer = AacWriter(self._rate, self._floor, self._layout)
        self._pieces: list[tuple[int, Samples]] = []
        self._done = self._floor
        self.shown = self._writer.shown
        self.undecodable = 0

    @property
    def init(self) -> bytes | None:
        """Known when the first unit is out."""
        return self._writer.init

    def take(self, packet: "av.Packet[Any]") -> list[Unit]:
        """Sound that all streams have passed. What cannot be decoded is left out and counted."""
        voice = self._voices[packet.stream_index]
        frames = voice.decoder.decode(packet)
        if frames is None:
            self.undecodable += 1
            return []
        self._pieces += voice.place(frames)
        ends = [each.end for each in self._voices.values()]
        until = max(min(ends), max(ends) - MAX_LAG_S * self._rate)
        # Small blocks are not worth the work.
        return self._mixed(until) if until - self._done >= self._rate else []

    def finish(self) -> list[Unit]:
        """The rest. Raises FileDamaged if not a single sample could be decoded."""
        for voice in self._voices.values():
            self._pieces += voice.place(voice.decoder.finish()) + voice.finish()
        units = self._mixed(max(voice.end for voice in self._voices.values()))
        if self.init is None:
            raise FileDamaged
        return units + self._writer.finish()

    def _mixed(self, until: int) -> list[Unit]:
        ready: list[tuple[int, Samples]] = []
        later: list[tuple[int, Samples]] = []
        for at, samples in self._pieces:
            early = max(0, self._done - at)
            split = min(max(until - at, early), samples.shape[1])
            if split > early:
                ready.append((at + early, samples[:, early:split]))
            if split < samples.shape[1]:
                later.append((at + split, samples[:, split:]))
        self._pieces, self._done = later, max(self._done, until)
        units: list[Unit] = []
        for begin, end in _stretches(ready, BLOCK_S * self._rate):
            units += self._writer.write(self._sum(ready, begin, end), begin)
        return units

    def _sum(self, pieces: list[tuple[int, Samples]], begin: int, end: int) -> Any:
        total = np.zeros((1 if self._layout == "mono" else 2, end - begin), np.float32)
        for at, samples in pieces:
            low, high = max(at, begin), min(at + samples.shape[1], end)
            if low < high:
                total[:, low - begin : high - begin] += samples[:, low - at : high - at]
        frame = av.AudioFrame.from_ndarray(np.clip(total, -1, 1), format="fltp", layout=self._layout)
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        return frame


def _stretches(pieces: list[tuple[int, Samples]], longest: int) -> list[tuple[int, int]]:
    """Where any piece has sound, in time order, none longer than `longest`."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted((at, at + samples.shape[1]) for at, samples in pieces):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return [(at, min(at + longest, end)) for begin, end in joined for at in range(begin, end, longest)]
