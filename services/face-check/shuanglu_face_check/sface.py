"""Turns a face into an embedding with SFace (Zhong, Deng et al., IEEE TIP 2021; models/sface.md)."""

from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.domain.faces import FoundFace
from shuanglu_face_check.domain.geometry import Point
from shuanglu_face_check.metrics import tell_call
from shuanglu_face_check.onnx_session import open_session
from shuanglu_face_check.pixels import Array, PixelFormat, PixelPicture

EDGE = 112
# Where the network was trained to find eyes, nose and corners of the mouth (ArcFace's template, shifted to 112 x 112).
PLACES = np.array([38.2946 + 51.6963j, 73.5318 + 51.5014j, 56.0252 + 71.7366j, 41.5493 + 92.3655j, 70.7299 + 92.2041j])


class SFace:
    """A FaceEmbedder with 128 numbers."""

    def __init__(self, path: Path, provider: str, threads: int) -> None:
        """Raises ModelUnusable."""
        self.session = open_session(path, provider, threads)

    def embed(self, picture: PixelPicture, face: FoundFace) -> Embedding:
        """See FaceEmbedder."""
        pixels = aligned(picture.full(PixelFormat.RGB), face.landmarks)
        tensor = pixels.astype(np.float32).transpose(2, 0, 1)[None]
        started = perf_counter()
        (output,) = self.session.run(None, {"data": tensor})
        tell_call("sface", perf_counter() - started)
        return tuple(float(value) for value in output[0])


def aligned(pixels: Array, landmarks: tuple[Point, ...]) -> Array:
    """The face turned, scaled and moved so that its points come closest to their places; 112 x 112 x 3."""
    forward, moved = similarity(np.array([complex(point.x, point.y) for point in landmarks]), PLACES)
    # Pillow wants the way back, from a pixel of the result to one of the picture: (x + iy) -> turn * (x + iy) + shift.
    # For Pillow the middle of the first pixel is at 0.5, for the points it is at 0.
    turn, shift = 1 / forward, -moved / forward
    half = complex(0.5, 0.5)
    shift += half - turn * half
    matrix = (turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag)
    face = Image.fromarray(pixels).transform(
        (EDGE, EDGE), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR
    )
    return np.asarray(face)


def similarity(start: NDArray[np.complex128], goal: NDArray[np.complex128]) -> tuple[complex, complex]:
    """Turn and shift that bring the points of `start` closest to `goal` by least squares; never mirrored."""
    start_middle, goal_middle = start.mean(), goal.mean()
    centred = start - start_middle
    turn = complex((centred.conj() * (goal - goal_middle)).sum() / (centred.conj() * centred).sum().real)
    return turn, complex(goal_middle - turn * start_middle)
