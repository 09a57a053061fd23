"""A portrait that speaks and blinks: the still picture warped by its face mesh, one texture per face.

The mesh is MediaPipe's (468 points, measured once by `tools/prepare_portraits.py`). A texture is the
portrait with the mouth opened by one of a few steps and the eyelids at one of three; there are few
of them, so a film costs little. The head's movement comes later, see `pose.py`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shuanglu_samples.errors import UnreadableData

Points = NDArray[np.float32]
Picture = NDArray[np.uint8]

STAGE_WIDTH: Final = 640
STAGE_HEIGHT: Final = 480
MOUTH_STEPS: Final = 7
BLINK_STEPS: Final = 3
# Lower lip's way at the widest step, as a part of the face's height: speech, not a yawn.
_WIDEST: Final = 0.075

_CHEEKS: Final = (234, 454)
_FOREHEAD_CHIN: Final = (10, 152)
_SILHOUETTE: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
# From the right corner to the left one, without the corners: inner lips face each other pair by pair.
_UPPER_LIP: Final = (
    (191, 80, 81, 82, 13, 312, 311, 310, 415),
    (183, 42, 41, 38, 12, 268, 271, 272, 407),
    (184, 74, 73, 72, 11, 302, 303, 304, 408),
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
)
_LOWER_LIP: Final = (
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
)
_MOUTH_CORNERS: Final = (78, 308)
# How far each row of a lip follows its inner edge when the mouth is shut: the lip grows, the face stays.
_LIP_FOLLOWS: Final = (1.0, 0.8, 0.5, 0.25)
_LOWER_LIDS: Final = ((7, 163, 144, 145, 153, 154, 155), (249, 390, 373, 374, 380, 381, 382))
# Rows of the upper lids from the edge upwards, and how far each goes with the edge.
_UPPER_LIDS: Final = (
    ((246, 161, 160, 159, 158, 157, 173), (247, 30, 29, 27, 28, 56, 190), (113, 225, 224, 223, 222, 221, 189)),
    ((466, 388, 387, 386, 385, 384, 398), (467, 260, 259, 257, 258, 286, 414), (342, 445, 444, 443, 442, 441, 413)),
)
_LID_FOLLOWS: Final = (1.0, 0.55, 0.15)
# Rings round the silhouette: size, and how far they go with it, so that no seam shows.
_RINGS: Final = ((1.12, 0.7), (1.3, 0.3), (1.5, 0.0))


@dataclass(frozen=True, slots=True)
class Portrait:
    """One person: picture with alpha (BGRA, stage size) and mesh (468 x 3, stage pixels)."""

    picture: Picture
    mesh: Points
    triangles: NDArray[np.int32]

    @property
    def face_width(self) -> float:
        """From cheek to cheek in pixels."""
        return float(np.linalg.norm(self.mesh[_CHEEKS[0], :2] - self.mesh[_CHEEKS[1], :2]))

    @property
    def face_height(self) -> float:
        """From forehead to chin in pixels."""
        return float(np.linalg.norm(self.mesh[_FOREHEAD_CHIN[0], :2] - self.mesh[_FOREHEAD_CHIN[1], :2]))

    @property
    def head_centre(self) -> Points:
        """The middle between the cheeks, about which the head turns."""
        return np.asarray((self.mesh[_CHEEKS[0]] + self.mesh[_CHEEKS[1]]) / 2, np.float32)


@cache
def load_portrait(name: str) -> Portrait:
    """A portrait of the package: `customer`, `agent` or `other`. Raises UnreadableData."""
    data = resources.files("shuanglu_samples") / "data"
    picture = cv2.imdecode(np.frombuffer((data / f"{name}.webp").read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.shape != (STAGE_HEIGHT, STAGE_WIDTH, 4):
        raise UnreadableData(f"{name}.webp")
    measured = json.loads((data / "mesh.json").read_text(encoding="utf-8"))
    triangles = np.array(measured["triangles"], np.int32).reshape(-1, 3)
    return Portrait(picture.astype(np.uint8), np.array(measured["puppets"][name], np.float32), triangles)


class Face:
    """Textures of one portrait by mouth step (0 shut) and blink step (0 open), each made once."""

    def __init__(self, portrait: Portrait) -> None:
        self.portrait = portrait
        self._textures: dict[tuple[int, int], Picture] = {}

    def texture(self, mouth: int, blink: int) -> Picture:
        """The portrait with that mouth and those eyelids, BGRA."""
        key = (mouth, blink)
        if key not in self._textures:
            opening = mouth / (MOUTH_STEPS - 1) * _WIDEST * self.portrait.face_height
            target = move_mouth(self.portrait, opening)
            target = move_lids(target, self.portrait.mesh, blink / (BLINK_STEPS - 1))
            picture = _warp(self.portrait, target)
            if mouth:
                _paint_mouth(picture, target, opening)
            self._textures[key] = picture
        return self._textures[key]


def move_mouth(portrait: Portrait, opening: float) -> Points:
    """Mesh points with the lips first shut, then the jaw lowered by `opening` pixels."""
    mesh = portrait.mesh
    target = mesh[:, :2].copy()
    gap = np.maximum(mesh[_LOWER_LIP[0], 1] - mesh[_UPPER_LIP[0], 1], 0)
    for upper, lower, follows in zip(_UPPER_LIP, _LOWER_LIP, _LIP_FOLLOWS, strict=True):
        target[upper, 1] += 0.45 * gap * follows
        target[lower, 1] -= 0.55 * gap * follows
    left, right = target[_MOUTH_CORNERS[0]], target[_MOUTH_CORNERS[1]]
    middle = (left + right) / 2
    across = np.clip(np.abs(target[:, 0] - middle[0]) / (0.56 * portrait.face_width), 0, 1)
    line = (target[_UPPER_LIP[0][4], 1] + target[_LOWER_LIP[0][4], 1]) / 2
    below = np.clip((target[:, 1] - line) / (0.10 * portrait.face_height), 0, 1)
    drop = below * (1 - across**2)
    half = (right[0] - left[0]) / 2
    for row, lips in enumerate(_LOWER_LIP):
        reach = np.clip(np.abs(target[lips, 0] - middle[0]) / (half * (1.0 + 0.12 * row)), 0, 1)
        drop[list(lips)] = np.sqrt(1 - reach**2)
    for lips in _UPPER_LIP:
        reach = np.clip(np.abs(target[lips, 0] - middle[0]) / half, 0, 1)
        drop[list(lips)] = -0.15 * np.sqrt(1 - reach**2)
    target[:, 1] += opening * drop
    return target


def move_lids(points: Points, mesh: Points, shut: float) -> Points:
    """The points with the upper eyelids lowered; 1 is shut."""
    target = points.copy()
    for lower, rows in zip(_LOWER_LIDS, _UPPER_LIDS, strict=True):
        way = (mesh[lower, :2] - mesh[rows[0], :2]) * shut * 0.96
        for row, follows in zip(rows, _LID_FOLLOWS, strict=True):
            target[list(row)] += way * follows
    return target


def _warp(portrait: Portrait, target: Points) -> Picture:
    """Move every triangle of the mesh, and the rings round it, to its target."""
    source, moved = _with_rings(portrait.mesh[:, :2], target)
    rows, columns = np.mgrid[0:STAGE_HEIGHT, 0:STAGE_WIDTH].astype(np.float32)
    for triangle in _triangles_with_rings(portrait.triangles):
        before, after = source[triangle], moved[triangle]
        if np.abs(before - after).max() > 0.02:
            _fill(columns, rows, before, after)
    return np.asarray(
        cv2.remap(portrait.picture, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _with_rings(source: Points, target: Points) -> tuple[Points, Points]:
    rim = source[list(_SILHOUETTE)]
    way = target[list(_SILHOUETTE)] - rim
    centre = rim.mean(axis=0)
    rings = [centre + (rim - centre) * size for size, _ in _RINGS]
    moved = [ring + way * follows for ring, (_, follows) in zip(rings, _RINGS, strict=True)]
    return np.concatenate([source, *rings]), np.concatenate([target, *moved])


def _triangles_with_rings(triangles: NDArray[np.int32]) -> Iterator[list[int]]:
    """Rings first: the face lies over them."""
    count = len(_SILHOUETTE)
    rings = [list(_SILHOUETTE), *([468 + ring * count + i for i in range(count)] for ring in range(len(_RINGS)))]
    for inner, outer in zip(rings[-2::-1], rings[:0:-1], strict=True):
        for i in range(count):
            j = (i + 1) % count
            yield [inner[i], inner[j], outer[i]]
            yield [inner[j], outer[j], outer[i]]
    for triangle in triangles:
        yield [int(index) for index in triangle]


def _fill(columns: Points, rows: Points, before: Points, after: Points) -> None:
    """Write into the inverse map where the pixels of one moved triangle come from."""
    low = np.maximum(np.floor(after.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(after.max(axis=0)).astype(int) + 1, (STAGE_WIDTH, STAGE_HEIGHT))
    edges = np.column_stack([after[1] - after[0], after[2] - after[0]]).astype(np.float64)
    area = edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0]
    if abs(area) < 1e-3 or (high <= low).any():
        return
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    u = ((x - after[0, 0]) * edges[1, 1] - (y - after[0, 1]) * edges[0, 1]) / area
    v = ((y - after[0, 1]) * edges[0, 0] - (x - after[0, 0]) * edges[1, 0]) / area
    inside = (u >= -0.01) & (v >= -0.01) & (u + v <= 1.01)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    for axis, field in enumerate((columns, rows)):
        origin, first, second = before[0, axis], before[1, axis] - before[0, axis], before[2, axis] - before[0, axis]
        field[window][inside] = (origin + u * first + v * second)[inside]


def _paint_mouth(picture: Picture, target: Points, opening: float) -> None:
    """The inside of the mouth: dark red, a light band of upper teeth, soft edges."""
    upper, lower = target[list(_UPPER_LIP[0])], target[list(_LOWER_LIP[0])]
    left, right = target[_MOUTH_CORNERS[0]], target[_MOUTH_CORNERS[1]]
    hole = np.concatenate([[left], upper, [right], lower[::-1]])
    teeth = np.concatenate([upper, (upper + np.array([0, 0.38 * opening], np.float32))[::-1]])
    layer = picture[..., :3].astype(np.float32)
    skin = layer[int(target[0, 1]) - 4, int(target[0, 0])].mean()
    inside = _soft_polygon(hole, 0.8)
    layer += inside * (np.array([26, 20, 52], np.float32) * skin / 110 - layer)
    layer += inside * _soft_polygon(teeth, 1.0) * 0.75 * (np.array([150, 166, 172], np.float32) * skin / 120 - layer)
    picture[..., :3] = np.clip(layer, 0, 255).astype(np.uint8)


def _soft_polygon(points: Points, blur: float) -> Points:
    """A filled polygon as a column of weights 0..1 with sub-pixel corners."""
    canvas = np.zeros((STAGE_HEIGHT, STAGE_WIDTH), np.uint8)
    cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), blur)[..., None], np.float32)
