"""Finds faces with YuNet (Wu, Peng, Yu: YuNet, a tiny millisecond-level face detector; models/yunet.md)."""

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import numpy as np

from shuanglu_face_check.domain.faces import FoundFace
from shuanglu_face_check.domain.geometry import Box, Point
from shuanglu_face_check.metrics import tell_call
from shuanglu_face_check.onnx_session import Tensor, open_session
from shuanglu_face_check.pixels import Array, PixelFormat, PixelPicture, fitted

STRIDES = (8, 16, 32)
LANDMARKS = 5
# Two boxes that overlap more than this are one face, as in OpenCV's own use of the network.
ONE_FACE_IOU = 0.3


class YuNet:
    """A FaceFinder. Looks at a smaller picture; boxes and points are in pixels of the whole one."""

    def __init__(self, path: Path, provider: str, threads: int, *, longest_edge: int, min_score: float) -> None:
        """`longest_edge`, in pixels, bounds the size that is looked at. Raises ModelUnusable."""
        self.session = open_session(path, provider, threads)
        self.outputs = [output.name for output in self.session.get_outputs()]
        self.longest_edge = longest_edge
        self.min_score = min_score

    def find(self, picture: PixelPicture) -> list[FoundFace]:
        """See FaceFinder."""
        width, height = fitted(picture.width, picture.height, self.longest_edge)
        pixels = picture.at(width, height, PixelFormat.BGR)
        started = perf_counter()
        outputs = self.session.run(self.outputs, {"input": padded(pixels)})
        tell_call("yunet", perf_counter() - started)
        named: dict[str, Tensor] = {name: output[0] for name, output in zip(self.outputs, outputs, strict=True)}
        rows = candidates(named, -(-width // STRIDES[-1]) * STRIDES[-1], self.min_score)
        return [found_face(row, picture.width / width, picture.height / height) for row in distinct(rows)]


def padded(pixels: Array) -> Tensor:
    """The network's input: 1x3xHxW, 0..255, zeros to the right and below up to whole cells of the largest stride."""
    height, width = pixels.shape[:2]
    unit = STRIDES[-1]
    tensor = np.zeros((1, 3, -(-height // unit) * unit, -(-width // unit) * unit), np.float32)
    tensor[0, :, :height, :width] = pixels.transpose(2, 0, 1)
    return tensor


def candidates(outputs: Mapping[str, Tensor], padded_width: int, min_score: float) -> Tensor:
    """Cells that see a face: score, left, top, width, height, then x and y of five points; best first."""
    found = []
    for stride in STRIDES:
        scores = np.sqrt(outputs[f"cls_{stride}"][:, 0].clip(0, 1) * outputs[f"obj_{stride}"][:, 0].clip(0, 1))
        index = np.flatnonzero(scores >= min_score)
        cells = np.stack((index % (padded_width // stride), index // (padded_width // stride)), axis=1)
        boxes, points = outputs[f"bbox_{stride}"][index], outputs[f"kps_{stride}"][index]
        centres = (cells + boxes[:, :2]) * stride
        sizes = np.exp(boxes[:, 2:]) * stride
        landmarks = (np.tile(cells, LANDMARKS) + points) * stride
        found.append(np.concatenate((scores[index, None], centres - sizes / 2, sizes, landmarks), axis=1))
    rows: Tensor = np.concatenate(found).astype(np.float32)
    return rows[np.lexsort((rows[:, 2], rows[:, 1], -rows[:, 0]))]


def distinct(rows: Tensor) -> list[Tensor]:
    """One row for each face: of those that overlap, the best."""
    kept: list[tuple[Box, Tensor]] = []
    for row in rows:
        box = Box(*(float(value) for value in row[1:5]))
        if all(box.iou(other) <= ONE_FACE_IOU for other, _ in kept):
            kept.append((box, row))
    return [row for _, row in kept]


def found_face(row: Tensor, scale_x: float, scale_y: float) -> FoundFace:
    """A row in pixels of the whole picture."""
    score, left, top, width, height, *points = (float(value) for value in row)
    landmarks = tuple(Point(x * scale_x, y * scale_y) for x, y in zip(points[::2], points[1::2], strict=True))
    return FoundFace(Box(left * scale_x, top * scale_y, width * scale_x, height * scale_y), landmarks, score)
