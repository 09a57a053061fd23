"""The sound of one track: a voice where its lines stand, room tone everywhere else."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import numpy as np

from shuanglu_samples.voice import RATE_HZ, Sound

# A calm voice near a microphone: 20 dB below full scale, as EBU R 128's speech practice roughly asks for.
_VOICE_RMS: Final = 0.1
_PEAK: Final = 0.89
_ROOM_RMS: Final = 0.0022  # -53 dBFS: a quiet room is not digital silence
_MUMBLE_CUTOFF_HZ: Final = 600
_MUMBLE_GAIN: Final = 0.6


def levelled(voice: Sound) -> Sound:
    """The voice at the common level, measured where it is active, with peaks held below -1 dBFS."""
    active = voice[np.abs(voice) > 0.06 * np.abs(voice).max(initial=0)]
    if active.size == 0:
        return voice
    scaled = voice * np.float32(_VOICE_RMS / float(np.sqrt(np.mean(np.square(active)))))
    return np.asarray(np.tanh(scaled / _PEAK) * _PEAK, np.float32)


def mumbled(voice: Sound) -> Sound:
    """The voice behind a closed mouth: low tones only, and quiet. Heard as speech, not as words."""
    spectrum = np.fft.rfft(voice)
    frequency = np.fft.rfftfreq(voice.size, 1 / RATE_HZ)
    gain = 1 / np.sqrt(1 + (frequency / _MUMBLE_CUTOFF_HZ) ** 8)
    return np.asarray(np.fft.irfft(spectrum * gain, voice.size) * _MUMBLE_GAIN, np.float32)


def mix(voices: Iterable[tuple[int, Sound]], duration_ms: int, seed: int) -> Sound:
    """Voices at their start in milliseconds over the room's tone; `seed` keeps rooms apart."""
    size = duration_ms * RATE_HZ // 1000
    track = _room_tone(size, seed)
    for start_ms, voice in voices:
        start = start_ms * RATE_HZ // 1000
        track[start : start + voice.size] += voice[: size - start]
    return np.clip(track, -1, 1)


def muted(track: Sound, start_ms: int, end_ms: int) -> Sound:
    """The track with digital silence from start to end: a dead microphone."""
    result = track.copy()
    result[start_ms * RATE_HZ // 1000 : end_ms * RATE_HZ // 1000] = 0
    return result


def envelope(track: Sound, frames: int) -> Sound:
    """How far the voice opens the mouth in each of `frames` equal stretches, 0..1, smoothed."""
    edges = np.linspace(0, track.size, frames + 1).astype(int)
    level = np.array([np.sqrt(np.mean(np.square(track[a:b]))) for a, b in pairwise(edges)])
    opened = np.clip((level - 4 * _ROOM_RMS) / (1.6 * _VOICE_RMS), 0, 1)
    return np.asarray(np.convolve(opened, [0.2, 0.6, 0.2], mode="same"), np.float32)


def _room_tone(size: int, seed: int) -> Sound:
    """Soft noise that falls with frequency, like air conditioning far away."""
    white = np.random.default_rng(seed).normal(size=size)
    spectrum = np.fft.rfft(white)
    frequency = np.fft.rfftfreq(size, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum / np.sqrt(1 + (frequency / 200) ** 2), size)
    return np.asarray(noise * _ROOM_RMS / np.sqrt(np.mean(np.square(noise))), np.float32)
