"""When the white frames and the beeps of the pack come: in FFmpeg's own program, and in our segments."""

import io
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
BRIGHT, LOUD = 128, 0.2
# Shorter than the distance of two flashes, longer than the period of the tone.
QUIET_S = 0.1


@dataclass(frozen=True)
class Shown:
    """What a player shows and plays, from its first moment on. Sizes as they appear."""

    flashes: list[float]
    beeps: list[float]
    seconds: float
    size: tuple[int, int]
    streams: dict[str, int]


def player(path: Path) -> Shown:
    """FFmpeg's own program as the player."""
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", str(path)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    kinds = [stream["codec_type"] for stream in told["streams"]]
    video = next((stream for stream in told["streams"] if stream["codec_type"] == "video"), None)
    return Shown(
        flashes=_flashes_in(path) if video else [],
        beeps=_beeps_in(path) if "audio" in kinds else [],
        seconds=_length(told["format"]),
        size=_upright(video) if video else (0, 0),
        streams={kind: kinds.count(kind) for kind in ("video", "audio") if kind in kinds},
    )


def _length(container: dict[str, Any]) -> float:
    seconds = float(container.get("duration", 0))
    # Matroska notes where it ends, not how long it lasts.
    return seconds - float(container["start_time"]) if "matroska" in container["format_name"] else seconds


def _upright(video: dict[str, Any]) -> tuple[int, int]:
    turn = next((each["rotation"] for each in video.get("side_data_list", []) if "rotation" in each), 0)
    width, height = video["width"], video["height"]
    return (height, width) if turn % 180 else (width, height)


def _flashes_in(path: Path) -> list[float]:
    filters = "scale=16:16,format=gray,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-"
    text = _played(path, "-map", "0:v:0", "-vsync", "passthrough", "-vf", filters, "-f", "null", "-").decode()
    times = [float(each) for each in re.findall(r"pts_time:(\S+)", text)]
    light = [float(each) for each in re.findall(r"YAVG=(\S+)", text)]
    return _onsets(list(zip(times, (each > BRIGHT for each in light), strict=True)))


def _beeps_in(path: Path) -> list[float]:
    filters = f"aresample={RATE}:async=1:min_hard_comp=0.01:first_pts=0"
    data = _played(path, "-map", "0:a:0", "-af", filters, "-ac", "1", "-f", "f32le", "-")
    return loud_onsets(np.frombuffer(data, np.float32))


def first_picture(path: Path) -> NDArray[np.uint8]:
    """As a player shows it, turned as the file says; small and grey."""
    data = _played(path, "-map", "0:v:0", "-frames:v", "1", "-vf", "scale=8:8,format=gray", "-f", "rawvideo", "-")
    return np.frombuffer(data, np.uint8).reshape(8, 8)


def _played(path: Path, *arguments: str) -> bytes:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", str(path), *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def flashes_of(data: bytes) -> list[float]:
    """Of one of our tracks, init and segments."""
    with av.open(io.BytesIO(data), format="mp4") as container:
        shown = sorted(
            (frame.time, bool(frame.reformat(16, 16, "gray").to_ndarray().mean() > BRIGHT))
            for frame in container.decode(video=0)
        )
    return _onsets(shown)


def beeps_of(data: bytes) -> list[float]:
    """Of one of our tracks, init and segments: each decoded block at its own time."""
    found: list[float] = []
    last = -1.0
    with av.open(io.BytesIO(data), format="mp4") as container:
        for frame in container.decode(audio=0):
            if frame.time is None:  # what a decoder makes of damaged bytes
                continue
            scale = 32_768 if frame.format.name.startswith("s16") else 1
            block = np.abs(frame.to_ndarray().reshape(-1 if frame.format.is_planar else 1, frame.samples)[0]) / scale
            for place in np.flatnonzero(block > LOUD):
                at = frame.time + int(place) / frame.sample_rate
                if last < 0 or at - last > QUIET_S:
                    found.append(at)
                last = at
    return found


def loud_onsets(samples: NDArray[np.float32], rate: int = RATE) -> list[float]:
    """Where sound begins after silence, in seconds."""
    places = np.flatnonzero(np.abs(samples) > LOUD)
    first = np.concatenate([[True], np.diff(places) > QUIET_S * rate]) if len(places) else []
    return [float(place) / rate for place in places[first]] if len(places) else []


def _onsets(shown: list[tuple[float, bool]]) -> list[float]:
    before = False
    found = []
    for at, bright in shown:
        if bright and not before:
            found.append(at)
        before = bright
    return found
