"""A sender of RTP as the media server sees it: numbers, times, delays and losses as a test wants them."""

import io
import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np

from shuanglu_media_ingest.domain import payload
from shuanglu_media_ingest.domain.live.mjr import Record
from shuanglu_media_ingest.domain.live.track import LiveSegment, LiveTrack
from shuanglu_media_ingest.domain.survey import Medium

ORIGIN_US = 1_790_000_000_000_000
MTU = 1200
# 160x120, constrained baseline, as libx264 writes them.
SPS = bytes.fromhex("6742c00bd90287fdc044000003000400000300783c50aa92")
PPS = bytes.fromhex("68cb83cb20")


@dataclass(frozen=True)
class Sent:
    """One packet: when it was made (seconds), when it arrived, its bytes."""

    made_s: Fraction
    arrived_ms: int
    packet: bytes


@dataclass(frozen=True)
class Frame:
    """A picture (its NAL units) or one packet of sound."""

    at_s: Fraction
    units: tuple[bytes, ...]


def rtp(sequence: int, timestamp: int, data: bytes, *, marker: bool = False, source: int = 7) -> bytes:
    head = (0x80, 96 | marker << 7, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, source)
    return struct.pack("!BBHII", *head) + data


def packetised(units: Iterable[bytes]) -> list[bytes]:
    """RFC 6184: parameter sets together (STAP-A), what is large in fragments (FU-A)."""
    small = [unit for unit in units if unit[0] & 0x1F in (7, 8)]
    payloads = [b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in small)] if small else []
    for unit in units:
        if unit in small:
            continue
        if len(unit) <= MTU:
            payloads.append(unit)
            continue
        parts = [unit[at : at + MTU] for at in range(1, len(unit), MTU)]
        for number, part in enumerate(parts):
            edge = (number == 0) << 7 | (number == len(parts) - 1) << 6
            payloads.append(bytes([unit[0] & 0xE0 | 28, edge | unit[0] & 0x1F]) + part)
    return payloads


def sent(
    frames: Iterable[Frame],
    medium: Medium,
    *,
    sequence: int = 0,
    timestamp: int = 0,
    source: int = 7,
    ppm: int = 0,
    delay_ms: Callable[[int], int] = lambda _number: 0,
) -> list[Sent]:
    """All packets in the order in which they are made. `ppm`: by how much the sender's clock is too fast."""
    rate = 90_000 if medium is Medium.VIDEO else 48_000
    out: list[Sent] = []
    for frame in frames:
        ticks = timestamp + round(frame.at_s * rate * (1 + Fraction(ppm, 1_000_000)))
        payloads = packetised(frame.units) if medium is Medium.VIDEO else list(frame.units)
        for number, data in enumerate(payloads):
            last = medium is Medium.VIDEO and number == len(payloads) - 1
            arrived_ms = int(frame.at_s * 1000) + delay_ms(len(out))
            out.append(Sent(frame.at_s, arrived_ms, rtp(sequence + len(out), ticks, data, marker=last, source=source)))
    return out


def arrived(packets: Iterable[Sent]) -> list[Sent]:
    """In the order of their arrival, times from the first one."""
    ordered = sorted(packets, key=lambda each: each.arrived_ms)
    return [replace(each, arrived_ms=each.arrived_ms - ordered[0].arrived_ms) for each in ordered]


def records(packets: Iterable[Sent]) -> list[Record]:
    at, out = 100, []
    for each in packets:
        at += 10 + len(each.packet)
        out.append(Record(each.arrived_ms, each.packet, at))
    return out


def mjr(packets: Iterable[Sent], medium: Medium, first_at_us: int = ORIGIN_US) -> bytes:
    """The file that Janus writes."""
    codec = "h264" if medium is Medium.VIDEO else "opus"
    head = json.dumps({"t": medium[0], "c": codec, "s": first_at_us - 5, "u": first_at_us}).encode()
    body = b"".join(
        b"MEET" + each.arrived_ms.to_bytes(4, "big") + len(each.packet).to_bytes(2, "big") + each.packet
        for each in packets
    )
    return b"MJR00002" + len(head).to_bytes(2, "big") + head + body


def played(track: LiveTrack, found: list[Record]) -> list[LiveSegment]:
    return [segment for record in found for segment in track.feed(record)]


def whole(packets: Iterable[Sent], medium: Medium, segment_ms: int = 2000) -> tuple[LiveTrack, list[LiveSegment]]:
    """A recording of one file."""
    track = LiveTrack(medium, ORIGIN_US, segment_ms)
    out = track.begin_file(1, ORIGIN_US) + played(track, records(packets))
    return track, out + track.finish()


def fake_pictures(seconds: float, fps: int = 15, key_every: int = 15, size_bytes: int = 300) -> list[Frame]:
    """Pictures that nothing could decode, for arithmetic: parameter sets are real."""
    frames = []
    for number in range(round(seconds * fps)):
        key = number % key_every == 0
        unit = bytes([0x65 if key else 0x41, 0x88]) + number.to_bytes(4, "big") * (size_bytes // 4)
        frames.append(Frame(Fraction(number, fps), (SPS, PPS, unit) if key else (unit,)))
    return frames


def fake_sound(seconds: float) -> list[Frame]:
    """20 ms packets that nothing could decode."""
    return [
        Frame(Fraction(number, 50), (b"\x78" + number.to_bytes(4, "big"),)) for number in range(round(seconds * 50))
    ]


def pictures(seconds: float, size: tuple[int, int] = (160, 120), flash_s: int = 1) -> list[Frame]:
    """Real ones at 15 a second, a key frame each second; white for one picture every `flash_s`."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = *size, "yuv420p", Fraction(15)
    encoder.time_base = Fraction(1, 15)
    encoder.options = {"profile": "baseline", "tune": "zerolatency", "g": "15", "x264-params": "scenecut=0"}
    frames = []
    for number in range(round(seconds * 15)):
        noise = np.random.default_rng(number).integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
        picture = av.VideoFrame.from_ndarray(noise + (190 if number % (15 * flash_s) == 0 else 0), format="rgb24")
        picture.pts = number
        frames += [_frame(packet) for packet in encoder.encode(picture)]
    return frames + [_frame(packet) for packet in encoder.encode(None)]


def _frame(packet: av.Packet) -> Frame:
    units = tuple(unit for unit in payload.nal_units(bytes(packet)) if unit[0] & 0x1F != 6)
    return Frame(Fraction(packet.pts or 0) * Fraction(1, 15), units)


def sound(seconds: float, beep_s: int = 1) -> list[Frame]:
    """Opus of 20 ms; a beep of 66 ms every `beep_s`, otherwise silence."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "stereo", "flt"
    at = np.arange(round(seconds * 48_000))
    wave = np.where(at % (48_000 * beep_s) < 48_000 // 15, np.sin(at * 2 * np.pi * 1000 / 48_000) * 0.8, 0)
    frames = []
    for start in range(0, len(wave) - 959, 960):
        block = np.repeat(wave[start : start + 960], 2).astype(np.float32).reshape(1, -1)
        piece = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
        piece.sample_rate, piece.pts = 48_000, start
        frames += [Frame(Fraction(start, 48_000), (bytes(packet),)) for packet in encoder.encode(piece)]
    return frames


def decoded(init: bytes, segments: Iterable[LiveSegment]) -> list[tuple[float, float]]:
    """What FFmpeg shows or plays: seconds and brightness of each picture, or seconds and loudness of each 5 ms."""
    out: list[tuple[float, float]] = []
    data = init + b"".join(segment.data for segment in segments)
    with av.open(io.BytesIO(data), format="mp4") as container:
        stream = container.streams[0]
        for frame in container.decode(stream):
            if isinstance(frame, av.VideoFrame):
                out.append((float(frame.time or 0), float(frame.to_ndarray(format="gray").mean())))
                continue
            samples = frame.to_ndarray()
            samples = samples.reshape(-1, 2)[:, 0] if samples.shape[0] == 1 else samples[0]
            for start in range(0, len(samples) - 239, 240):
                level = float(np.abs(samples[start : start + 240]).max())
                out.append((float(frame.time or 0) + start / 48_000, level))
    return out


def onsets(shown: Iterable[tuple[float, float]], above: float) -> list[float]:
    """When it becomes bright or loud after half a second of dark or quiet."""
    out, last = [], -1.0
    for at, level in shown:
        if level > above:
            if at - last > 0.5:
                out.append(at)
            last = at
    return out
