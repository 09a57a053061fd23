"""Sound for tests: made, or taken from the committed sample, as CMAF segments."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "build" / "models"
SAMPLE = ROOT / "samples" / "personal-loan"
FRAGMENTED = {"movflags": "empty_moov+default_base_moof+frag_discont", "frag_duration": "2000000"}
RATE = 48_000


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the sample's ground truth."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Cut:
    """One segment as media-ingest stores it."""

    index: int
    data: bytes
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Cmaf:
    """A track as media-ingest stores it."""

    init: bytes
    segments: tuple[Cut, ...]

    def whole(self, *indexes: int) -> bytes:
        """Init and all segments, or those with the indexes."""
        return self.init + b"".join(one.data for one in self.segments if not indexes or one.index in indexes)


def truth(role: str) -> list[Said]:
    """What is said by a role in the sample."""
    lines = json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))["utterances"]
    return [Said(line["text"], line["start_ms"], line["end_ms"]) for line in lines if line["role"] == role]


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and bytes of each top-level box (ISO/IEC 14496-12)."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size


def split(data: bytes) -> Cmaf:
    """A fragmented file as init and segments, with the times that its packets say."""
    init, fragments = b"", []
    for kind, box in boxes(data):
        if kind in (b"ftyp", b"moov"):
            init += box
        elif kind == b"moof":
            fragments.append(box)
        elif kind == b"mdat":
            fragments[-1] += box
    return Cmaf(init, tuple(timed(init, fragment, index) for index, fragment in enumerate(fragments, start=1)))


def timed(init: bytes, fragment: bytes, index: int) -> Cut:
    with av.open(io.BytesIO(init + fragment), format="mp4", options={"ignore_editlist": "1"}) as container:
        stream = container.streams.audio[0]
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        first, last = packets[0], packets[-1]
        start = first.pts * stream.time_base
        end = (last.pts + last.duration) * stream.time_base
    return Cut(index, fragment, round(start * 1000), round(end * 1000))


def sample(name: str) -> Cmaf:
    """The sound of a file of the sample, not encoded anew."""
    target = io.BytesIO()
    with (
        av.open(str(SAMPLE / f"{name}.mp4")) as source,
        av.open(target, "w", format="mp4", options=FRAGMENTED) as output,
    ):
        stream = source.streams.audio[0]
        copy = output.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.pts is not None:
                packet.stream = copy
                output.mux(packet)
    return split(target.getvalue())


def encoded(
    sound: NDArray[np.float32],
    codec: str = "aac",
    hole: tuple[float, float] | None = None,
    lost_every: int = 0,
    segment_ms: int = 2000,
    layout: str = "mono",
) -> Cmaf:
    """48 kHz mono samples as a track; of `hole` (start, end in seconds) and of lost packets nothing is there."""
    target = io.BytesIO()
    options = {**FRAGMENTED, "frag_duration": str(segment_ms * 1000)}
    with av.open(target, "w", format="mp4", options=options) as output:
        stream = output.add_stream(codec, rate=RATE, layout=layout)
        resampler = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=RATE)
        size = 960 if codec == "libopus" else 1024
        packets, channels = [], 2 if layout == "stereo" else 1
        for at in range(0, len(sound) - size + 1, size):
            frame = av.AudioFrame.from_ndarray(
                np.vstack([sound[at : at + size]] * channels), format="fltp", layout=layout
            )
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            packets += [packet for ready in resampler.resample(frame) for packet in stream.encode(ready)]
        for number, packet in enumerate((*packets, *stream.encode(None)), start=1):
            at_s = float(packet.pts * packet.time_base)
            lost = lost_every and number % lost_every == 0
            if at_s >= 0 and not lost and not (hole and hole[0] <= at_s < hole[1]):
                output.mux(packet)
    return split(target.getvalue())


def later(sound: NDArray[np.float32], start_s: float) -> Cmaf:
    """The same, but the track begins at `start_s`; what stands before is cut off."""
    track = encoded(np.concatenate((tone(start_s, level=0), sound)), hole=(0.05, start_s))
    return Cmaf(track.init, tuple(one for one in track.segments if one.start_ms >= start_s * 1000 - 50))


def tone(seconds: float, hertz: float = 440, level: float = 0.5) -> NDArray[np.float32]:
    """A sine of 48,000 samples a second."""
    at = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * at)).astype(np.float32)
