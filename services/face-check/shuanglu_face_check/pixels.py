"""Pictures as arrays: what the detector, the embedder and the measures of light and sharpness read."""

from abc import ABC, abstractmethod
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shuanglu_face_check.domain.faces import FaceLook
from shuanglu_face_check.domain.geometry import Box

Array = NDArray[np.uint8]

# Light and motion are measured on a small picture: cheaper, and camera grain averages out.
LIGHT_LONGEST_EDGE = 160
FACE_EDGE = 112
WHITE = 255.0


class PixelFormat(StrEnum):
    """Layouts, by FFmpeg's names. Grey is full range, 0 is black."""

    GREY = "gray"
    RGB = "rgb24"
    BGR = "bgr24"


class PixelPicture(ABC):
    """One picture that is rendered at the sizes and in the layouts that are asked for."""

    def __init__(self, width: int, height: int) -> None:
        """Size in pixels, as shown."""
        self.width = width
        self.height = height
        self._rendered: dict[tuple[int, int, PixelFormat], Array] = {}

    @abstractmethod
    def render(self, width: int, height: int, layout: PixelFormat) -> Array:
        """The whole picture at this size: height x width for grey, else height x width x 3."""

    def at(self, width: int, height: int, layout: PixelFormat) -> Array:
        """Like render, done once."""
        key = (width, height, layout)
        if key not in self._rendered:
            self._rendered[key] = self.render(width, height, layout)
        return self._rendered[key]

    def full(self, layout: PixelFormat) -> Array:
        """At its own size."""
        return self.at(self.width, self.height, layout)

    def small_grey(self) -> Array:
        """Small enough to measure light and motion cheaply."""
        width, height = fitted(self.width, self.height, LIGHT_LONGEST_EDGE)
        return self.at(width, height, PixelFormat.GREY)

    def light(self) -> tuple[float, float]:
        """Mean luma and its standard deviation, each 0..1."""
        grey = self.small_grey()
        return float(grey.mean() / WHITE), float(grey.std() / WHITE)

    def look(self, box: Box) -> FaceLook:
        """Sharpness and brightness of the part inside the box."""
        left, top = max(box.x, 0.0), max(box.y, 0.0)
        right, bottom = min(box.x + box.width, self.width), min(box.y + box.height, self.height)
        if right - left < 1 or bottom - top < 1:
            return FaceLook(0.0, 0.0)
        whole = Image.fromarray(self.full(PixelFormat.GREY))
        face = whole.resize((FACE_EDGE, FACE_EDGE), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        grey = np.asarray(face, dtype=np.int32)
        return FaceLook(laplacian_variance(grey), float(grey.mean() / WHITE))


def laplacian_variance(grey: NDArray[np.int32]) -> float:
    """Variance of the 4-neighbour Laplacian, in grey levels squared: little where nothing has an edge."""
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return float(laplacian.var())


def fitted(width: int, height: int, longest_edge: int) -> tuple[int, int]:
    """The size with the same shape whose longer edge is at most `longest_edge`; never larger than the picture."""
    scale = min(1.0, longest_edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class LumaMotion:
    """Motion as the mean absolute difference of two small grey pictures."""

    def motion(self, picture: PixelPicture, before: PixelPicture) -> float:
        """0..1; 1 if the sizes differ, because then nothing is as it was."""
        now, then = picture.small_grey(), before.small_grey()
        if now.shape != then.shape:
            return 1.0
        return float(np.abs(now.astype(np.int16) - then).mean() / WHITE)
