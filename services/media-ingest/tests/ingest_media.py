"""Recordings for tests, made by FFmpeg's encoders at test time, and a second opinion on what became of them."""

import io
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from shuanglu_media_ingest.domain import sound
from shuanglu_media_ingest.domain.gaps import Gap
from shuanglu_media_ingest.domain.sound import AudioChoice
from shuanglu_media_ingest.reading import av_files
from shuanglu_media_ingest.reading.segmenter import Piece, Segmenter, TrackInHand


@dataclass(frozen=True)
class Recipe:
    """What to make. Pictures at 25 a second, a 440 Hz tone."""

    video: str = ""
    audio: str = ""
    seconds: float = 4
    rate: int = 48_000
    layout: str = "mono"
    size: tuple[int, int] = (160, 120)
    options: dict[str, str] = field(default_factory=dict)
    video_from: int = 0  # frames
    picture_hole: tuple[int, int] = (0, 0)  # frames that are left out


KEY_EVERY_SECOND = {"g": "25", "x264-params": "scenecut=0"}
FPS = 25


def make(path: Path, recipe: Recipe) -> None:
    with av.open(str(path), "w") as container:
        video = audio = None
        if recipe.video:
            video = container.add_stream(recipe.video, rate=FPS, options=recipe.options)
            video.width, video.height = recipe.size
            video.pix_fmt = "yuv420p"
        if recipe.audio:
            audio = container.add_stream(recipe.audio, rate=recipe.rate, layout=recipe.layout)
        if video:
            for frame in pictures(recipe):
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if audio:
            for frame in sounds(recipe, audio.codec_context.frame_size or 1024):
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))


def pictures(recipe: Recipe) -> list[av.VideoFrame]:
    width, height = recipe.size
    frames = []
    for number in range(round(recipe.seconds * FPS)):
        if recipe.picture_hole[0] <= number < recipe.picture_hole[1]:
            continue
        image = np.full((height, width, 3), number * 2 % 256, np.uint8)
        image[10:40, number % 100 : number % 100 + 30] = 220
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number + recipe.video_from, Fraction(1, FPS)
        frames.append(frame)
    return frames


def sounds(recipe: Recipe, frame_size: int) -> list[av.AudioFrame]:
    channels = 1 if recipe.layout == "mono" else 2
    at = np.arange(round(recipe.seconds * recipe.rate))
    tone = (np.sin(at * 2 * np.pi * 440 / recipe.rate) * 8000).astype(np.int16)
    frames = []
    for begin in range(0, len(tone), frame_size):
        block = np.ascontiguousarray(np.repeat(tone[begin : begin + frame_size], channels)[None, :])
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout=recipe.layout)
        frame.sample_rate, frame.pts, frame.time_base = recipe.rate, begin, Fraction(1, recipe.rate)
        frames.append(frame)
    return frames


@dataclass(frozen=True)
class Result:
    """What the segmenter made of one track."""

    track: TrackInHand
    pieces: list[Piece]
    gaps: list[Gap]

    @property
    def data(self) -> bytes:
        return self.track.init + b"".join(piece.data for piece in self.pieces)

    def packets(self) -> list[tuple[Fraction, bytes, bool]]:
        """Time in seconds, bytes and key flag in decode order, as FFmpeg's own demuxer reads them."""
        with av.open(io.BytesIO(self.data), format="mp4") as container:
            return [
                (packet.pts * packet.time_base, bytes(packet), packet.is_keyframe)
                for packet in container.demux(container.streams[0])
                if packet.size
            ]

    def frame_times(self) -> list[float]:
        """When FFmpeg shows each decoded picture or block of sound."""
        with av.open(io.BytesIO(self.data), format="mp4") as container:
            return [frame.time for frame in container.decode(container.streams[0])]

    def pictures(self) -> list[bytes]:
        """The decoded pictures."""
        with av.open(io.BytesIO(self.data), format="mp4") as container:
            return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def segmented(path: Path, offset_ms: int = 0, audio: AudioChoice | None = None) -> dict[str, Result]:
    """All tracks of a file by medium, the second of one with `-2`."""
    survey = av_files.require_decodable(path, av_files.survey(path))
    parts = sound.parts(survey, audio)
    (names,) = sound.track_ids([(("x",) * (2 if audio and audio.speakers else 1), parts)])
    names = [name.removeprefix("x-").removeprefix("shared-") for name in names]
    segmenter = Segmenter(path, survey, parts, names, offset_ms)
    pieces = list(segmenter.pieces())
    return {
        track.track_id: Result(track, [piece for piece in pieces if piece.track is track], track.gaps(segmenter.whole))
        for track in segmenter.tracks
        if track.cuts
    }


def source_packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Presented packets of a file, times from the file's start, by FFmpeg alone."""
    with av.open(str(path)) as container:
        stream: Any = next(stream for stream in container.streams if stream.type == kind)
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size and not packet.is_discard
        ]


def make_long(path: Path, size_bytes: int) -> None:
    """A recording of at least this size: ten seconds of noise, told again and again with later times."""
    short = path.with_name("noise.mp4")
    noise = np.random.default_rng(7)
    with av.open(str(short), "w") as container:
        options = {"preset": "ultrafast", "qp": "30", "g": "50", "bf": "0"}
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = 640, 480, "yuv420p"
        for number in range(4 * FPS):
            frame = av.VideoFrame.from_ndarray(noise.integers(0, 256, (480, 640, 3), np.uint8), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    with av.open(str(short)) as source, av.open(str(path), "w") as container:
        stream = source.streams.video[0]
        copy = container.add_stream_from_template(stream)
        packets = [(bytes(p), p.pts, p.dts, p.duration, p.is_keyframe) for p in source.demux(stream) if p.size]
        length, written = packets[-1][1] + packets[-1][3], 0
        while written * sum(len(packet[0]) for packet in packets) < size_bytes:
            for data, pts, dts, duration, key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base = copy, stream.time_base
                packet.pts, packet.dts, packet.duration = pts + written * length, dts + written * length, duration
                packet.is_keyframe = key
                container.mux(packet)
            written += 1
