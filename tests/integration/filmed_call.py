"""A film of the sample as the media server writes it in a call: the same pictures as RTP, the same sound as Opus."""

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from tests.integration.faults.recordings import ROOT

sys.path.insert(0, str(ROOT / "services" / "media-ingest" / "tests"))

from live_sender import ORIGIN_US, Frame, arrived, mjr, sent

from shuanglu_media_ingest.domain import payload
from shuanglu_media_ingest.domain.survey import Medium

SEI = 6
RATE = 48_000
Kept = Callable[[Fraction], bool]


def pictures(film: Path) -> list[Frame]:
    """Not encoded anew, parameter sets before each key frame."""
    frames = []
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        annexb = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            at_s = packet.pts * Fraction(stream.time_base or 0)
            for filtered in annexb.filter(packet):
                units = tuple(unit for unit in payload.nal_units(bytes(filtered)) if unit[0] & 0x1F != SEI)
                frames.append(Frame(at_s, units))
    return frames


def smaller(film: Path, size: tuple[int, int]) -> list[Frame]:
    """Encoded anew at another size, as a browser does when the network is weak."""
    encoder = av.VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.gop_size = "yuv420p", Fraction(1, 15), 15
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "crf": "23"}
    encoder.thread_count = 1
    frames: list[Frame] = []

    def take(packets: "list[av.Packet[av.VideoStream]]") -> None:
        for packet in packets:
            units = tuple(unit for unit in payload.nal_units(bytes(packet)) if unit[0] & 0x1F != SEI)
            frames.append(Frame((packet.pts or 0) * Fraction(1, 15), units))

    with av.open(str(film)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            shown = frame.reformat(*size, format="yuv420p")
            shown.pts, shown.time_base = number, Fraction(1, 15)
            take(encoder.encode(shown))
    take(encoder.encode(None))
    return frames


def sound(film: Path) -> list[Frame]:
    """As browsers send a voice: Opus, 20 ms, the same on both channels."""
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "stereo", "flt", 48_000
    wave = np.concatenate(list(_mono(film)))
    frames = []
    for start in range(0, len(wave) - 959, 960):
        block = np.repeat(wave[start : start + 960], 2).astype(np.float32).reshape(1, -1)
        piece = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
        piece.sample_rate, piece.pts = RATE, start
        frames += [Frame(Fraction(start, RATE), (bytes(packet),)) for packet in encoder.encode(piece)]
    return frames


def _mono(film: Path) -> Iterator[np.ndarray]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    with av.open(str(film)) as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                yield piece.to_ndarray().reshape(-1)


def recorded(frames: list[Frame], medium: Medium, kept: Kept = lambda _at: True) -> bytes:
    """The media server's file of one connection: the frames at the times that are kept."""
    packets = [each for each in sent(frames, medium) if kept(each.made_s)]
    return mjr(arrived(packets), medium, ORIGIN_US + round(packets[0].made_s * 1_000_000))
