"""Writes one track: H.264 640 x 480 at 15 pictures a second and AAC mono, in one MP4."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.resampler import AudioResampler

from shuanglu_samples.portrait import STAGE_HEIGHT, STAGE_WIDTH, Picture
from shuanglu_samples.timeline import FRAME_RATE
from shuanglu_samples.voice import RATE_HZ, Sound

_AUDIO_HZ: Final = 48_000
_AUDIO_BIT_RATE: Final = 64_000
# A key frame each second and none else, no frames out of order: what a call's recorder writes.
_X264: Final = {
    "preset": "fast",
    "crf": "26",
    "g": str(FRAME_RATE),
    "keyint_min": str(FRAME_RATE),
    "sc_threshold": "0",
    "bf": "0",
    "flags": "+cgop",
    "threads": "1",
}


def write_track(path: Path, pictures: Iterable[Picture], sound: Sound) -> None:
    """Write pictures (BGR) and sound (mono, 24 kHz), both from 0.

    A file of that name is replaced when all is written.
    """
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as file:
        video = file.add_stream("libx264", rate=FRAME_RATE, options=_X264)
        video.width, video.height, video.pix_fmt = STAGE_WIDTH, STAGE_HEIGHT, "yuv420p"
        video.time_base = Fraction(1, FRAME_RATE)
        audio = file.add_stream("aac", rate=_AUDIO_HZ, layout="mono")
        audio.bit_rate = _AUDIO_BIT_RATE
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        for samples in _audio_frames(sound):
            file.mux(audio.encode(samples))
        file.mux(audio.encode(None))
    part.replace(path)


def _audio_frames(sound: Sound) -> Iterable[av.AudioFrame]:
    whole = av.AudioFrame.from_ndarray(np.round(sound * 32767).astype(np.int16)[None], format="s16", layout="mono")
    whole.sample_rate, whole.pts, whole.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    resampler = AudioResampler(format="fltp", layout="mono", rate=_AUDIO_HZ, frame_size=1024)
    yield from resampler.resample(whole)
    yield from resampler.resample(None)
