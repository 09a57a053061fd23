"""One small recording for every kind of file that banks have, made on demand and kept in build/cache/files.

Each shows white frames and beeps at the times of FLASHES, so that what became of it can be measured without reading
anything: FFmpeg's own program says when a player shows them in the original, our segments when we do.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CACHE = Path(__file__).resolve().parents[3] / "build" / "cache" / "files"
# Multiples of 0.2 s, so that 5 pictures a second meet them; at uneven distances, so that a shift shows.
FLASHES = (1.0, 2.2, 3.6, 5.2)
FLASH_S = 0.2
SECONDS = 6.0


def later(seconds: float) -> tuple[float, ...]:
    return tuple(at + seconds for at in FLASHES)


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "bframes=2:keyint=25:scenecut=0:threads=1")
AAC = ("-c:a", "aac", "-b:a", "64k")
COPY = ("-c", "copy")


@dataclass(frozen=True)
class Clip:
    """How a file is made, and what must be found in it."""

    arguments: tuple[str, ...] = ()  # of ffmpeg, between its inputs and the file
    inputs: tuple[str, ...] | None = None  # of ffmpeg; None for `pictures` and `beeps`
    build: Callable[[Path], None] | None = None  # instead of ffmpeg
    video: str = "h264"  # codec of the first track of our result; empty for none
    audio: str = "aac"
    derived: tuple[str, ...] = ()  # tracks that are working copies
    size: tuple[int, int] = (160, 120)  # as shown
    seconds: float = SECONDS
    flashes: tuple[float, ...] = FLASHES
    beeps: tuple[float, ...] = FLASHES
    length_noted: bool = True  # else FFmpeg guesses it from the file's size
    played: bool = True  # FFmpeg's program shows it as players do
    gaps: dict[str, list[tuple[float, float, str]]] = field(default_factory=dict)  # by track, in seconds


def _on() -> str:
    return "+".join(f"between(t,{at - 0.001},{at + FLASH_S - 0.001})" for at in FLASHES)


def pictures(rate: int = 25, size: str = "160x120", seconds: float = SECONDS) -> tuple[str, ...]:
    # Moving grain, so that packets are as large as those of a camera.
    grain = "" if size == "3840x2160" else "noise=alls=12:allf=t:all_seed=7,"
    source = f"color=c=black:s={size}:r={rate}:d={seconds},{grain}drawbox=c=white:t=fill:enable='{_on()}'"
    return "-f", "lavfi", "-i", f"{source},format=yuv420p"


def beeps(rate: int = 48_000, seconds: float = SECONDS, layout: str = "mono", hertz: int = 1000) -> tuple[str, ...]:
    wave = f"0.8*sin(2*PI*{hertz}*t)*({_on()})"
    waves = "|".join([wave] * (2 if layout == "stereo" else 1))
    return "-f", "lavfi", "-i", f"aevalsrc=exprs='{waves}':s={rate}:d={seconds}:c={layout}"


BOTH = (*pictures(), *beeps())


def _ffmpeg(*arguments: str) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)


def made(name: str) -> Path:
    """The file of a clip."""
    clip = {**CLIPS, **SOUNDS, **TURNED}[name]
    recipes = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    path = CACHE / recipes / name
    if not path.exists():
        for other in CACHE.glob("*"):
            if other.name != recipes:
                shutil.rmtree(other, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{os.getpid()}-{name}")
        if clip.build:
            clip.build(unfinished)
        else:
            inputs = [str(made(each)) if each in CLIPS else each for each in clip.inputs or BOTH]
            _ffmpeg(*inputs, *clip.arguments, str(unfinished))
        unfinished.replace(path)
    return path


def turned(path: Path, degrees: int) -> None:
    _ffmpeg("-i", str(made("fast_start.mp4")), *COPY, "-metadata:s:v", f"rotate={degrees}", str(path))


def light(path: Path, codec: str, degrees: int) -> None:
    plain = path.with_suffix(".plain.mov")
    source = "color=c=black:s=160x120:r=25:d=2,drawbox=c=white:t=fill:w=80:h=60,format=yuv420p"
    _ffmpeg("-f", "lavfi", "-i", source, "-c:v", codec, "-g", "25", str(plain))
    _ffmpeg("-i", str(plain), *COPY, "-metadata:s:v", f"rotate={degrees}", str(path))
    plain.unlink()


def glued(path: Path, name: str, header_bytes: int = 0) -> None:
    part = made(name).read_bytes()
    path.write_bytes(part + part[header_bytes:])


def telephone_of_the_nineties(path: Path) -> None:
    """H.263 and AMR in 3GP: only PyAV's library has an AMR encoder."""
    plain = path.with_suffix(".avi")
    _ffmpeg(*pictures(size="176x144"), *beeps(8000), "-c:v", "h263", "-g", "25", "-c:a", "pcm_s16le", str(plain))
    try:
        _with_amr(plain, path, "3gp")
    finally:
        plain.unlink()


def amr(path: Path) -> None:
    plain = path.with_suffix(".wav")
    _ffmpeg(*beeps(8000), "-c:a", "pcm_s16le", str(plain))
    try:
        _with_amr(plain, path, "amr")
    finally:
        plain.unlink()


def _with_amr(plain: Path, path: Path, container: str) -> None:
    with av.open(str(plain)) as source, av.open(str(path), "w", format=container) as target:
        pairs = [
            (stream, target.add_stream_from_template(stream)) for stream in source.streams if stream.type == "video"
        ]
        sound = target.add_stream("libopencore_amrnb", rate=8000, layout="mono")
        sound.bit_rate = 12_200
        for stream, copy in pairs:
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = copy
                    target.mux(packet)
        source.seek(0)
        samples = np.concatenate([frame.to_ndarray() for frame in source.decode(audio=0)], axis=1)
        for begin in range(0, samples.shape[1], 160):
            block = np.ascontiguousarray(samples[:, begin : begin + 160])
            piece = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            piece.sample_rate, piece.time_base, piece.pts = 8000, Fraction(1, 8000), begin
            target.mux(sound.encode(piece))
        target.mux(sound.encode(None))


def high_efficiency(path: Path) -> None:
    """AAC whose configuration announces spectral band replication, as HE-AAC does: 1024 samples stand for 2048.

    No free encoder of HE-AAC is at hand. The core is real, the upper band is empty: times and rates are what is tested.
    """
    _ffmpeg(*beeps(24_000), "-c:a", "aac", "-b:a", "48k", "-movflags", "+faststart", "-f", "mp4", str(path))
    data = path.read_bytes()
    # AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): object type 2, 24 kHz, mono becomes 5, 24 kHz, mono, 48 kHz, 2;
    # written over the encoder's own (with its trailing sync extension for "no SBR"), so that no size changes.
    at = data.index(b"\x05\x80\x80\x80\x05\x13\x08\x56\xe5\x00") + 5
    configuration = (5 << 35 | 6 << 31 | 1 << 27 | 3 << 23 | 2 << 18).to_bytes(5, "big")
    path.write_bytes(data[:at] + configuration + data[at + 5 :])


JUMP = "'PTS+gte(T,3)*4/TB'"
CLIPS: dict[str, Clip] = {
    "fast_start.mp4": Clip((*X264, *AAC, "-movflags", "+faststart")),
    "moov_at_the_end.mp4": Clip((*X264, *AAC)),
    "fragmented.mp4": Clip(
        (*X264, *AAC, "-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
        # Without an edit list the reordering of pictures shifts everything.
        seconds=6.08,
        flashes=later(0.08),
        beeps=later(0.08),
    ),
    "turned_90.mov": Clip(build=lambda path: turned(path, 90), size=(120, 160)),
    "turned_180.mov": Clip(build=lambda path: turned(path, 180)),
    "turned_270.mov": Clip(build=lambda path: turned(path, 270), size=(120, 160)),
    "plain.mkv": Clip((*X264, *AAC)),
    "vp8_vorbis.webm": Clip(
        ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libvorbis"),
        derived=("video", "audio"),
    ),
    "vp9_opus.webm": Clip(
        ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-c:a", "libopus"),
        video="vp9",
        audio="opus",
    ),
    "h264_aac.flv": Clip((*X264, *AAC)),
    "sorenson_mp3.flv": Clip(("-c:v", "flv", "-c:a", "libmp3lame", "-ar", "44100"), audio="mp3", derived=("video",)),
    "mpeg4_mp3.avi": Clip(
        ("-c:v", "mpeg4", "-c:a", "libmp3lame"), audio="mp3", derived=("video",), flashes=later(0.04)
    ),
    "mpeg4.mp4": Clip(("-c:v", "mpeg4", *AAC), derived=("video",)),
    "h264_aac.ts": Clip((*X264, *AAC)),
    "hevc_aac.ts": Clip(("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=0", *AAC), video="hevc"),
    "hevc.mp4": Clip(
        ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=25:bframes=2:log-level=0", *AAC),
        video="hevc",
    ),
    "h263_amr.3gp": Clip(build=telephone_of_the_nineties, size=(176, 144), derived=("video", "audio")),
    "stereo.wav": Clip(("-c:a", "pcm_s16le"), beeps(44_100, layout="stereo"), video="", derived=("audio",)),
    "voice.mp3": Clip(("-c:a", "libmp3lame"), beeps(44_100), video="", audio="mp3"),
    "voice.m4a": Clip(AAC, beeps(), video=""),
    "voice.amr": Clip(build=amr, video="", derived=("audio",), length_noted=False),
    "voice.ogg": Clip(("-c:a", "libopus"), beeps(), video="", audio="opus"),
    "high_efficiency.m4a": Clip(build=high_efficiency, video=""),
    "telephone_a_law.wav": Clip(("-c:a", "pcm_alaw"), beeps(8000), video="", derived=("audio",)),
    "telephone_mu_law.wav": Clip(("-c:a", "pcm_mulaw"), beeps(8000), video="", derived=("audio",)),
    "variable_rate.mp4": Clip(
        ("-vf", "select='not(mod(n,5))+between(mod(n,50),0,20)'", "-vsync", "vfr", *X264, *AAC),
    ),
    "b_pictures.mp4": Clip(
        ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "bframes=8:b-adapt=0:keyint=50", *AAC)
    ),
    "open_groups.ts": Clip(
        ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "open-gop=1:bframes=3:b-adapt=0:keyint=25", *AAC)
    ),
    "open_groups.mp4": Clip(
        ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "open-gop=1:bframes=3:b-adapt=0:keyint=25", *AAC)
    ),
    "rare_key_frames.mp4": Clip(
        ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "keyint=infinite:scenecut=0", *AAC),
        (*pictures(seconds=12), *beeps(seconds=12)),
        derived=("video",),
        seconds=12,
    ),
    "five_a_second.mp4": Clip((*X264, *AAC), (*pictures(5), *beeps())),
    "sixty_a_second.mp4": Clip((*X264, *AAC), (*pictures(60), *beeps())),
    "four_k.mp4": Clip(
        (*X264, *AAC),
        (*pictures(10, "3840x2160", 2), *beeps(seconds=2)),
        size=(3840, 2160),
        seconds=2,
        flashes=FLASHES[:1],
        beeps=FLASHES[:1],
    ),
    "odd_size.mkv": Clip(
        ("-c:v", "mpeg4", *AAC), (*pictures(size="161x121"), *beeps()), size=(160, 120), derived=("video",)
    ),
    "negative_start.mkv": Clip(
        (*X264, *AAC, "-avoid_negative_ts", "disabled", "-output_ts_offset", "-0.5"), derived=("video",)
    ),
    "negative_start.mp4": Clip(  # an edit list hides what lies before 0
        (*X264, *AAC, "-avoid_negative_ts", "disabled", "-output_ts_offset", "-0.5"),
        derived=("video",),
        seconds=5.5,
        flashes=later(-0.5),
        beeps=later(-0.5),
    ),
    "late_start.mkv": Clip((*X264, *AAC, "-output_ts_offset", "100")),
    "sound_later.mp4": Clip(
        (*X264, *AAC),
        (*pictures(), "-itsoffset", "0.8", *beeps()),
        seconds=6.8,
        beeps=later(0.8),
        gaps={"video": [(6, 6.8, "MISSING")], "audio": [(0, 0.8, "MISSING")]},
    ),
    "jump_ahead.ts": Clip(
        ("-vf", f"setpts={JUMP}", "-af", f"asetpts={JUMP}", "-vsync", "passthrough", *X264, *AAC),
        seconds=10,
        flashes=(1.0, 2.2, 7.6, 9.2),
        beeps=(1.0, 2.2, 7.6, 9.2),
        gaps={"video": [(3, 7, "MISSING")], "audio": [(3, 7, "MISSING")]},
    ),
    "jump_ahead.mp4": Clip(
        ("-vf", f"setpts={JUMP}", "-af", f"asetpts={JUMP}", "-vsync", "passthrough", *X264, *AAC),
        seconds=10,
        flashes=(1.0, 2.2, 7.6, 9.2),
        beeps=(1.0, 2.2, 7.6, 9.2),
        gaps={"video": [(3, 7, "MISSING")], "audio": [(3, 7, "MISSING")]},
    ),
    "glued.ts": Clip(
        build=lambda path: glued(path, "h264_aac.ts"),
        seconds=12.05,
        flashes=(*FLASHES, *later(6.02)),
        beeps=(*FLASHES, *later(6.02)),
        # The count of packets breaks, too, so the last picture before the joint may not be whole.
        gaps={
            "video": [(6.02, 6.04, "DAMAGED"), (6.04, 6.04, "DISCONTINUITY")],
            "audio": [(6.04, 6.04, "DISCONTINUITY")],
        },
    ),
    "glued.flv": Clip(
        build=lambda path: glued(path, "h264_aac.flv", 13),
        played=False,  # it shows the second part over the first
        seconds=12,
        flashes=(*FLASHES, *later(6.02)),
        beeps=(*FLASHES, *later(6.02)),
        gaps={"video": [(6, 6, "DISCONTINUITY")], "audio": [(6, 6, "DISCONTINUITY")]},
    ),
    "wrap.ts": Clip((*X264, *AAC, "-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", "95440")),
    "cut_in.mp4": Clip(
        COPY,
        ("-ss", "0.52", "-i", "fast_start.mp4"),
        derived=("video",),
        seconds=5.48,
        flashes=later(-0.52),
        beeps=later(-0.52),
    ),
    "empty_edit.mp4": Clip(
        ("-vsync", "passthrough", *X264, *AAC),
        ("-itsoffset", "0.8", *pictures(), *beeps()),
        seconds=6.8,
        flashes=later(0.8),
        gaps={"video": [(0, 0.8, "MISSING")], "audio": [(6, 6.8, "MISSING")]},
    ),
}

JOIN = "[0:a]asplit[a][b];[b]adelay=500:all=1,atrim=end=6[c];[a][c]join=inputs=2:channel_layout=stereo[both]"
# A light in the upper left corner, and a note to show the picture turned.
TURNED = {
    f"light_{codec}_{degrees}.mov": Clip(build=lambda path, codec=codec, degrees=degrees: light(path, codec, degrees))
    for codec in ("libx264", "mpeg4")
    for degrees in (0, 90, 180, 270)
}
# Files with more sound than one track; what is expected stands in the tests.
SOUNDS: dict[str, Clip] = {
    "two_languages.mkv": Clip(
        (
            *("-filter_complex", "[1:a]asplit[first][copy];[copy]adelay=500:all=1,atrim=end=6[second]"),
            *("-map", "0:v", "-map", "[first]", "-map", "[second]", *X264, *AAC),
            *("-metadata:s:a:0", "language=chi", "-metadata:s:a:1", "language=eng"),
        )
    ),
    "unlike_streams.mkv": Clip(
        ("-map", "0:a", "-map", "1:a", "-c:a:0", "aac", "-c:a:1", "pcm_s16le"),
        (*beeps(), "-itsoffset", "2", *beeps(8000)),
    ),
    "holes_in_two_streams.mkv": Clip(
        ("-af", f"asetpts={JUMP}", "-map", "0:a", "-map", "1:a", *AAC), (*beeps(), *beeps(hertz=700))
    ),
    "agent_left_customer_right.wav": Clip(
        ("-filter_complex", JOIN, "-map", "[both]", "-c:a", "pcm_s16le"), beeps(8000)
    ),
    "agent_left_customer_right.m4a": Clip(("-filter_complex", JOIN, "-map", "[both]", *AAC), beeps()),
}
