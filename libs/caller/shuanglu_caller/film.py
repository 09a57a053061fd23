"""What a caller sends: encoded pictures and sound of a file, in memory, ready to be put into RTP.

Pictures are not encoded anew, so that what is recorded can be compared with the file and a caller costs little. A key
frame that the other side asks for comes when the file has one; the sample has one each second.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame

from shuanglu_caller.errors import BadFilm

VIDEO_CLOCK = 90_000
AUDIO_CLOCK = 48_000
OPUS_FRAME = 960  # 20 ms, as browsers send.
OPUS_BIT_RATE = 32_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One encoded picture or 20 ms of sound. `at` is its position in ticks of its clock."""

    at: int
    key: bool
    data: bytes


@dataclass(frozen=True)
class Reel:
    """Samples of one kind in order; `clock` is its RTP clock in hertz, `length` its end in ticks."""

    kind: str
    clock: int
    length: int
    samples: Sequence[Sample]

    @cached_property
    def _starts(self) -> list[int]:
        return [sample.at for sample in self.samples]

    def first_from(self, position_s: float, *, key: bool) -> int:
        """Index of the first sample at or behind a position; of the next key frame if `key`. May be `len(samples)`."""
        index = bisect_left(self._starts, round(position_s * self.clock))
        while key and index < len(self.samples) and not self.samples[index].key:
            index += 1
        return index


@dataclass(frozen=True, slots=True)
class Film:
    """Picture and sound on one timeline that begins at 0."""

    video: Reel
    audio: Reel

    @property
    def duration_s(self) -> float:
        """Until the end of the longer one."""
        return max(reel.length / reel.clock for reel in (self.video, self.audio))


@lru_cache(maxsize=8)
def read_film(file: Path) -> Film:
    """An MP4 with H.264 without B-frames, and any sound. Raises BadFilm, OSError, av.FFmpegError."""
    with av.open(str(file)) as container:
        pictures = _pictures(file, container)
    with av.open(str(file)) as container:
        sound = container.streams.audio[0] if container.streams.audio else None
        packets = opus_packets(container.decode(sound)) if sound is not None else []
    return Film(video_reel(pictures), audio_reel(packets))


def _pictures(file: Path, container: av.container.InputContainer) -> list[tuple[Fraction, bool, bytes]]:
    """Seconds, whether a key frame, and Annex B bytes with parameter sets at every key frame."""
    if not container.streams.video or container.streams.video[0].codec_context.name != "h264":
        raise BadFilm(f"{file.name} has no H.264; make such a file with ffmpeg -c:v libx264 -bf 0")
    stream = container.streams.video[0]
    to_annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
    found = []
    for packet in container.demux(stream):
        if packet.pts != packet.dts:
            raise BadFilm(f"{file.name} has B-frames, which calls cannot carry; encode it with -bf 0")
        found += [
            (Fraction(ready.pts or 0) * (ready.time_base or 1), ready.is_keyframe, bytes(ready))
            for ready in (to_annex_b.filter(packet) if packet.size else ())
        ]
    if not found or not found[0][1]:
        raise BadFilm(f"{file.name} does not begin with a key frame")
    return found


def video_reel(pictures: Sequence[tuple[Fraction, bool, bytes]]) -> Reel:
    """From seconds, key and bytes of each picture; the last one lasts as long as the one before it."""
    samples = [Sample(round(at * VIDEO_CLOCK), key, data) for at, key, data in pictures]
    last = samples[-1].at - samples[-2].at if len(samples) > 1 else VIDEO_CLOCK // 15
    return Reel("video", VIDEO_CLOCK, samples[-1].at + last, samples)


def audio_reel(packets: Iterable["av.Packet[Any]"]) -> Reel:
    """From Opus packets of 20 ms.

    The encoder looks 6.5 ms ahead (its first packet is at -312 ticks): times stay as they are, so that what the other
    side decodes is in time with the pictures; the packet before 0 is left out.
    """
    samples = [Sample(packet.pts or 0, True, bytes(packet)) for packet in packets]
    samples = [sample for sample in samples if sample.at >= 0]
    length = samples[-1].at + OPUS_FRAME if samples else 0
    return Reel("audio", AUDIO_CLOCK, length, samples)


def opus_packets(frames: Iterable[AudioFrame]) -> list["av.Packet[Any]"]:
    """Sound as browsers send it: Opus, mono, 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = AUDIO_CLOCK, "mono", "s16"
    encoder.bit_rate, encoder.time_base = OPUS_BIT_RATE, Fraction(1, AUDIO_CLOCK)
    encoder.options = {"application": "voip"}
    resampler = av.AudioResampler("s16", "mono", AUDIO_CLOCK, frame_size=OPUS_FRAME)
    packets: list[av.Packet[Any]] = []
    for frame in frames:
        for piece in resampler.resample(frame):
            packets += encoder.encode(piece)
    return packets + encoder.encode(None)


FLASH_EVERY_S = 1
FLASH_S = 0.2
BEEP_HZ = 1000
MARKED_S = 4
MARKED_RATE = 15


@lru_cache(maxsize=2)
def marked_film(rate: int = MARKED_RATE, key_every: int = MARKED_RATE) -> Film:
    """Four seconds to repeat: each second begins with a white flash and a beep of 0.2 s, exactly together.

    `key_every`: pictures from key frame to key frame; with few of them a watcher waits no longer than with an encoder
    that answers requests for key frames.
    """
    return Film(video_reel(list(_flashes(rate, key_every))), audio_reel(opus_packets(_beeps())))


def _flashes(rate: int, key_every: int) -> Iterator[tuple[Fraction, bool, bytes]]:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 240, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(rate), Fraction(1, rate)
    encoder.options = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "g": str(key_every),
        "bf": "0",
        "profile": "baseline",
    }
    noise = np.random.default_rng(1).integers(0, 40, (240, 320, 3), dtype=np.uint8)
    for number in range(MARKED_S * rate):
        bright = number % rate < FLASH_S * rate
        frame = av.VideoFrame.from_ndarray(255 - noise if bright else noise, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, rate)
        for packet in encoder.encode(frame):
            yield Fraction(packet.pts or 0, rate), packet.is_keyframe, bytes(packet)
    for packet in encoder.encode(None):
        yield Fraction(packet.pts or 0, rate), packet.is_keyframe, bytes(packet)


def _beeps() -> Iterator[AudioFrame]:
    at_s = np.arange(MARKED_S * AUDIO_CLOCK) / AUDIO_CLOCK
    tone = np.sin(2 * np.pi * BEEP_HZ * at_s) * (at_s % FLASH_EVERY_S < FLASH_S)
    samples = (tone * 20_000).astype(np.int16)
    for start in range(0, len(samples), OPUS_FRAME):
        frame = AudioFrame.from_ndarray(samples[None, start : start + OPUS_FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_CLOCK, start, Fraction(1, AUDIO_CLOCK)
        yield frame
