"""Media for the tests: real files cut into CMAF segments, and small videos made from pictures."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.stream import VideoStream

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "samples" / "personal-loan"
PORTRAITS = ROOT / "samples" / "shuanglu_samples" / "data"
MODELS = ROOT / "build" / "models"
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


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


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and bytes of each top-level box (ISO/IEC 14496-12)."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size


def split(data: bytes) -> tuple[bytes, list[bytes]]:
    """Init and one fragment for each key frame."""
    init, fragments = b"", []
    for kind, box in boxes(data):
        if kind in (b"ftyp", b"moov"):
            init += box
        elif kind == b"moof":
            fragments.append(box)
        elif kind == b"mdat":
            fragments[-1] += box
    return init, fragments


def cut(path: Path, seconds: int = 2) -> Cmaf:
    """The picture of a file, not encoded anew, in segments of about `seconds`."""
    target = io.BytesIO()
    times: list[tuple[Fraction, bool]] = []
    with av.open(str(path)) as source, av.open(target, "w", format="mp4", options=FRAGMENTED) as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.pts is None or packet.time_base is None:
                continue
            times.append((packet.pts * packet.time_base, packet.is_keyframe))
            packet.stream = copy
            output.mux(packet)
    init, fragments = split(target.getvalue())
    keys = [time for time, is_key in times if is_key]
    end = max(time for time, _ in times) + Fraction(1, 15)
    return Cmaf(init, tuple(joined(fragments, keys, end, seconds)))


def joined(fragments: Sequence[bytes], keys: Sequence[Fraction], end: Fraction, seconds: int) -> Iterator[Cut]:
    """Fragments put together to segments."""
    groups: list[list[int]] = []
    for number, key in enumerate(keys):
        if not groups or key - keys[groups[-1][0]] >= seconds:
            groups.append([])
        groups[-1].append(number)
    for index, group in enumerate(groups, start=1):
        after = group[-1] + 1
        stop = keys[after] if after < len(keys) else end
        data = b"".join(fragments[number] for number in group)
        yield Cut(index, data, round(keys[group[0]] * 1000), round(stop * 1000))


def video(pictures: Iterable[NDArray[np.uint8]], fps: int = 10, bframes: int = 0, gop: int = 20) -> bytes:
    """RGB pictures of one size as a fragmented MP4 (H.264), starting at 0."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options=FRAGMENTED) as output:
        stream = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = output.add_stream("libx264", rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.gop_size = gop
                stream.options = {"preset": "ultrafast", "crf": "18", "bf": str(bframes), "sc_threshold": "0"}
                stream.codec_context.thread_count = 1
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            frame.time_base = Fraction(1, fps)
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))
    return target.getvalue()


def live_like(stretches: Sequence[Sequence[NDArray[np.uint8]]], fps: int = 10, lost: Iterable[int] = ()) -> bytes:
    """Pictures as a call's recording holds them: `avc3`, parameter sets in-band at each key frame.

    Each stretch has a size of its own and begins with a key frame; pictures with a number in `lost` are not there.
    """
    target = io.BytesIO()
    gone = set(lost)
    with av.open(target, "w", format="mp4", options={"movflags": FRAGMENTED["movflags"] + "+frag_discont"}) as output:
        stream = output.add_stream("libx264", rate=fps)
        stream.height, stream.width = stretches[0][0].shape[:2]
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, fps)
        stream.codec_context.open()
        number = 0
        for pictures in stretches:
            for packet in annexb(pictures, fps, number):
                if packet.pts not in gone:
                    packet.stream = stream
                    output.mux(packet)
            number += len(pictures)
    return target.getvalue().replace(b"avc1", b"avc3")


def annexb(pictures: Sequence[NDArray[np.uint8]], fps: int, first: int) -> "Iterator[av.Packet[VideoStream]]":
    """A stretch as WebRTC sends it: constrained baseline, no B-frames, parameter sets before each key frame."""
    encoder = av.VideoCodecContext.create("libx264", "w")
    encoder.height, encoder.width = pictures[0].shape[:2]
    encoder.pix_fmt, encoder.time_base, encoder.gop_size = "yuv420p", Fraction(1, fps), fps
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "crf": "18"}
    encoder.thread_count = 1
    for number, picture in enumerate(pictures, start=first):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, fps)
        yield from encoder.encode(frame)
    yield from encoder.encode(None)
