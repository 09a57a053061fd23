"""Camera and microphone of a test's browser: the sample's films in the two forms that Chromium plays as devices."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "samples" / "personal-loan"
FOLDER = ROOT / "build" / "console-media"
MAKE_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Devices:
    """Files that stand for a camera and a microphone."""

    camera: Path  # Motion JPEG.
    microphone: Path  # WAV.


def devices_of(who: str) -> Devices:
    """The sample's `customer` or `agent`; made once, a few megabytes."""
    source, devices = SAMPLE / f"{who}.mp4", Devices(FOLDER / f"{who}.mjpeg", FOLDER / f"{who}.wav")
    FOLDER.mkdir(parents=True, exist_ok=True)
    make(source, devices.camera, "-an", "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg")
    make(source, devices.microphone, "-vn", "-ac", "1", "-ar", "48000", "-f", "wav")
    return devices


def make(source: Path, target: Path, *how: str) -> None:
    """Convert, unless it is there and newer."""
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return
    half = target.with_suffix(".half")
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *how, str(half)]
    subprocess.run(command, check=True, timeout=MAKE_TIMEOUT_S)
    half.rename(target)
