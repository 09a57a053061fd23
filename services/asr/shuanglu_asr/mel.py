"""Log-mel spectrogram that Whisper was trained on (Radford et al. 2022, 2.2): 80 bands, 25 ms windows every 10 ms."""

import numpy as np
from numpy.typing import NDArray

from shuanglu_asr.av_sound import Samples
from shuanglu_asr.domain.placing import RATE

WINDOW = 400
HOP = 160
BANDS = 80
FRAME_MS = HOP * 1000 // RATE
# Slaney's mel scale: linear up to 1 kHz, then 27 steps for each factor 6.4.
LINEAR_HZ = 200.0 / 3
BREAK_HZ = 1000.0
LOG_STEP = np.log(6.4) / 27.0


def mel_filters() -> NDArray[np.float32]:
    """Triangles of equal area, (BANDS, WINDOW // 2 + 1)."""
    break_mel = BREAK_HZ / LINEAR_HZ
    top = break_mel + np.log(RATE / 2 / BREAK_HZ) / LOG_STEP
    mels = np.linspace(0.0, top, BANDS + 2)
    hertz = np.where(mels < break_mel, mels * LINEAR_HZ, BREAK_HZ * np.exp(LOG_STEP * (mels - break_mel)))
    ramps = hertz[:, None] - np.fft.rfftfreq(WINDOW, 1 / RATE)[None]
    widths = np.diff(hertz)[:, None]
    triangles = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    filters: NDArray[np.float32] = (triangles * (2.0 / (hertz[2:] - hertz[:-2]))[:, None]).astype(np.float32)
    return filters


class LogMel:
    """Makes spectrograms; keeps the filters."""

    def __init__(self) -> None:
        """Computes filters and window once.

        The filters are doubles: in singles the last bits of the product depend on where memory happens to lie, and the
        recogniser's int8 numbers make confidences that differ by about 0.01 between two processes out of that.
        """
        self.filters = mel_filters().astype(np.float64)
        self.window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)

    def __call__(self, sound: Samples, frames: int) -> NDArray[np.float32]:
        """The sound, followed by silence or cut, as (BANDS, frames), a frame each 10 ms."""
        length = frames * HOP
        padded = np.pad(sound[:length], (0, max(0, length - len(sound))))
        padded = np.pad(padded, WINDOW // 2, mode="reflect")
        strides = (padded.strides[0] * HOP, padded.strides[0])
        cut = np.lib.stride_tricks.as_strided(padded, (frames, WINDOW), strides)
        power = np.abs(np.fft.rfft(cut * self.window, axis=1)).astype(np.float32) ** 2
        logs = np.log10(np.maximum(self.filters @ power.T, 1e-10))
        return np.ascontiguousarray((np.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0, dtype=np.float32)
