"""Cuts a person out of a portrait, and dresses one who came in a space suit."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Weights = NDArray[np.float32]
_Outline = tuple[tuple[float, float], ...]

# Right halves of outlines, from the top down, in widths and heights of the face's box: x from its
# middle, y from its upper edge. The left half is their mirror image.
_MAY_BE_PERSON: Final = (
    (0.70, -0.45), (1.00, 0.00), (0.95, 0.62), (0.52, 0.92), (0.50, 1.14), (0.86, 1.34),
    (1.90, 1.48), (2.70, 1.75), (2.70, 9.0),
)  # fmt: skip
_IS_BODY: Final = ((0.28, 0.90), (0.28, 1.30), (0.50, 1.42), (0.95, 1.80), (1.10, 9.0))
_JACKET: Final = (
    (0.36, 1.14), (0.62, 1.30), (1.00, 1.42), (1.42, 1.60), (1.68, 1.85), (1.95, 9.0),
)  # fmt: skip
_TOP: Final = ((0.36, 1.10), (0.42, 1.42), (0.0, 2.50))
_LAPEL: Final = ((0.36, 1.12), (0.62, 1.36), (0.72, 1.75), (0.52, 1.80), (0.02, 2.50), (0.36, 1.50))
_JACKET_BGR: Final = (74, 52, 38)
_TOP_BGR: Final = (58, 46, 44)
_LAPEL_BGR: Final = (84, 60, 45)
_SMOOTH: Final = 4  # polygons are drawn that much larger, then shrunk


class Outlines:
    """Places outlines relative to one face on a picture of the given size."""

    def __init__(self, face: NDArray[np.float32], shape: tuple[int, ...]) -> None:
        self._x, self._y, self._w, self._h = (float(value) for value in face[:4])
        self._height, self._width = shape[:2]

    @property
    def middle(self) -> float:
        """Column of the face's middle."""
        return self._x + self._w / 2

    @property
    def chin(self) -> float:
        """Row of the lower edge of the face's box."""
        return self._y + self._h

    def both(self, half: _Outline) -> NDArray[np.float64]:
        """Points of an outline with both halves."""
        return self.points((*((-x, y) for x, y in half), *half[::-1]))

    def points(self, outline: _Outline) -> NDArray[np.float64]:
        """Points of an outline in pixels, not below the picture."""
        return np.array([(self.middle + x * self._w, min(self._y + y * self._h, self._height)) for x, y in outline])

    def weights(self, points: NDArray[np.float64]) -> Weights:
        """A filled polygon as weights 0..1 with soft edges."""
        canvas = np.zeros((self._height * _SMOOTH, self._width * _SMOOTH), np.uint8)
        cv2.fillPoly(canvas, [(points * _SMOOTH).astype(np.int32)], 255)
        small = cv2.resize(canvas, (self._width, self._height), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(small, (0, 0), 1.2) / 255, np.float32)


def cut_out(stage: Image, face: NDArray[np.float32], outside: NDArray[np.bool_]) -> Weights:
    """A soft matte of the person by GrabCut, seeded with the face and a body below it.

    `outside` marks what is not part of the photo.
    """
    outlines = Outlines(face, stage.shape)
    mask = np.full(stage.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.fillPoly(mask, [outlines.both(_MAY_BE_PERSON).astype(np.int32)], cv2.GC_PR_FGD)
    _, y, w, h = (float(value) for value in face[:4])
    cv2.ellipse(mask, ((outlines.middle, y + 0.45 * h), (0.92 * w, 1.05 * h), 0), cv2.GC_FGD, -1)
    cv2.fillPoly(mask, [outlines.both(_IS_BODY).astype(np.int32)], cv2.GC_FGD)
    mask[outside] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    cv2.grabCut(stage, mask, [0, 0, 1, 1], np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    solid = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    largest = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    closed = cv2.morphologyEx(largest, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    shrunk = cv2.erode(closed, np.ones((3, 3), np.uint8)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(shrunk, (0, 0), 1.4), np.float32)


def dress(stage: Image, alpha: Weights, face: NDArray[np.float32]) -> tuple[Image, Weights]:
    """A dark jacket over a dark round-neck top, with soft shading: bank staff wear no space suit.

    Returns the picture and the matte of head and jacket.
    """
    outlines = Outlines(face, stage.shape)
    _, y, w, h = (float(value) for value in face[:4])
    rows, columns = np.mgrid[0 : stage.shape[0], 0 : stage.shape[1]].astype(np.float32)
    beside = np.exp(-((columns - (outlines.middle - 1.1 * w)) ** 2) / (2 * (0.8 * w) ** 2))
    light = (1.0 + 0.35 * beside - 0.25 * (rows - outlines.chin) / stage.shape[0])[..., None]
    grain = np.random.default_rng(7).normal(0, 1.5, (*stage.shape[:2], 1))
    jacket = outlines.weights(outlines.both(_JACKET))
    mirrored = tuple((-x, y) for x, y in _LAPEL)
    layers = (
        (jacket, _JACKET_BGR),
        (outlines.weights(outlines.both(_TOP)), _TOP_BGR),
        (outlines.weights(outlines.points(_LAPEL)), _LAPEL_BGR),
        (outlines.weights(outlines.points(mirrored)), _LAPEL_BGR),
    )
    result = stage.astype(np.float64)
    for weights, colour in layers:
        result += weights[..., None] * (np.array(colour) * light + grain - result)
    neck = (np.abs(columns - outlines.middle) < 0.43 * w) & (rows < outlines.chin + 0.20 * h)
    head = alpha * (neck | (rows < y + 0.78 * h))
    return np.clip(result, 0, 255).astype(np.uint8), np.maximum(head, jacket)
