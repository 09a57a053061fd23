"""Recordings that the import benchmark makes: large ones from a loop, short ones from the committed sample."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import av

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples" / "personal-loan" / "customer.mp4"
LOOP_S = 10
# A camera of a branch: 720p, 30 pictures a second, a key frame every 2 s, 8 Mbit/s.
PICTURE = f"testsrc2=size=1280x720:rate=30:duration={LOOP_S},noise=alls=40:allf=t"
RATE = "-b:v 8M -minrate 8M -maxrate 8M -bufsize 8M"
ENCODER = f"-c:v libx264 -preset ultrafast -g 60 -sc_threshold 0 {RATE} -pix_fmt yuv420p"
TONE = f"sine=frequency=440:sample_rate=48000:duration={LOOP_S}"
SHORT_S = 4


def ffmpeg(*arguments: str) -> None:
    """Run it; raises CalledProcessError with what it says."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True)


def large_recording(folder: Path, mib: int) -> Path:
    """An MP4 (H.264 and AAC, index at the end) of about so many MiB; made once."""
    target = folder / f"recording-{mib}.mp4"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    loop, making = folder / "loop.mp4", folder / "making.mp4"
    if not loop.exists():
        inputs = ("-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", TONE)
        ffmpeg(*inputs, *ENCODER.split(), "-c:a", "aac", "-b:a", "64k", "-shortest", str(making))
        making.rename(loop)
    times = round(mib * (1 << 20) / loop.stat().st_size)
    ffmpeg("-stream_loop", str(max(0, times - 1)), "-i", str(loop), "-c", "copy", str(making))
    return making.rename(target)


def short_recordings(folder: Path) -> list[Path]:
    """Pieces of about 4 s of the sample's customer, cut at key frames, not encoded anew: a face and mostly a voice."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for number, start_s in enumerate(starts()):
        target = folder / f"customer-{number:02}.mp4"
        if not target.exists():
            ffmpeg("-ss", f"{start_s:.3f}", "-t", str(SHORT_S), "-i", str(SAMPLE), "-c", "copy", str(target))
        made.append(target)
    return made


def starts() -> Iterator[float]:
    """Key frames of the sample, at least 4 s apart, with 4 s left behind them."""
    with av.open(str(SAMPLE)) as container:
        stream = container.streams.video[0]
        end_s = float((stream.duration or 0) * (stream.time_base or 0))
        after_s = 0.0
        for packet in container.demux(stream):
            if packet.pts is None or not packet.is_keyframe or packet.time_base is None:
                continue
            at_s = float(packet.pts * packet.time_base)
            if at_s >= after_s and at_s + SHORT_S <= end_s:
                yield at_s
                after_s = at_s + SHORT_S
