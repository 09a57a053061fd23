"""How a head moves: slow turns and nods of a person who sits and listens."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shuanglu_samples.portrait import STAGE_HEIGHT, STAGE_WIDTH, Picture, Points, Portrait

_GRID: Final = 8  # pixels between the nodes at which the movement is computed
_DEEPEST: Final = 0.55  # depth of the face outside the mesh, as a part of its width


@dataclass(frozen=True, slots=True)
class Pose:
    """Angles in degrees, shifts in pixels; all 0 is the portrait as it is."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    dx: float = 0.0
    dy: float = 0.0


def pose_at(seconds: float, phase: float, speaking: float) -> Pose:
    """The pose of a calm person. `phase` keeps two people apart; `speaking` 0..1 adds small nods."""
    t = seconds
    return Pose(
        yaw=3.4 * np.sin(2 * np.pi * t / 7.3 + phase) + 1.4 * np.sin(2 * np.pi * t / 2.9 + 2 * phase),
        pitch=1.8 * np.sin(2 * np.pi * t / 5.1 + 1.7 * phase) + 1.2 * speaking * np.sin(2 * np.pi * t / 0.9),
        roll=1.3 * np.sin(2 * np.pi * t / 6.1 + 0.6 * phase),
        dx=2.6 * np.sin(2 * np.pi * t / 8.7 + phase),
        dy=1.4 * np.sin(2 * np.pi * t / 4.3 + phase),
    )


class Head:
    """Moves a texture of one portrait to a pose; the body follows the shift, not the turn."""

    def __init__(self, portrait: Portrait) -> None:
        rows, columns = np.mgrid[0 : STAGE_HEIGHT + 1 : _GRID, 0 : STAGE_WIDTH + 1 : _GRID].astype(np.float32)
        self._columns, self._rows = columns, rows
        centre = portrait.head_centre
        self._x, self._y = columns - centre[0], rows - centre[1]
        depth = _depth(portrait) - centre[2]
        self._z = cv2.resize(depth, (columns.shape[1], rows.shape[0]), interpolation=cv2.INTER_AREA)
        across = self._x / (0.80 * portrait.face_width)
        along = (self._y + 0.10 * portrait.face_height) / (0.88 * portrait.face_height)
        radius = np.sqrt(across**2 + along**2)
        fade = np.clip((2.3 - radius) / 1.3, 0, 1)
        self._weight = fade * fade * (3 - 2 * fade)
        full = np.mgrid[0:STAGE_HEIGHT, 0:STAGE_WIDTH].astype(np.float32)
        self._full_rows, self._full_columns = full[0], full[1]

    def moved(self, texture: Picture, pose: Pose) -> Picture:
        """The texture in that pose, BGRA."""
        dx, dy = self._inverse(*self._way(pose))
        # The grid reaches one node past the stage, so nodes lie on pixels 0, 8, 16, …
        size = (STAGE_WIDTH + _GRID, STAGE_HEIGHT + _GRID)
        half = _GRID // 2
        window = (slice(half, half + STAGE_HEIGHT), slice(half, half + STAGE_WIDTH))
        columns = self._full_columns - cv2.resize(dx, size, interpolation=cv2.INTER_LINEAR)[window]
        rows = self._full_rows - cv2.resize(dy, size, interpolation=cv2.INTER_LINEAR)[window]
        return np.asarray(
            cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def _way(self, pose: Pose) -> tuple[Points, Points]:
        """How far each node of the grid goes: the head turned in space, seen from the front."""
        yaw, pitch, roll = np.radians([pose.yaw, pose.pitch, pose.roll])
        x = self._x * np.cos(yaw) + self._z * np.sin(yaw)
        z = self._z * np.cos(yaw) - self._x * np.sin(yaw)
        y = self._y * np.cos(pitch) - z * np.sin(pitch)
        turned_x = x * np.cos(roll) - y * np.sin(roll)
        turned_y = x * np.sin(roll) + y * np.cos(roll)
        dx = self._weight * (turned_x - self._x) + pose.dx * (0.4 + 0.6 * self._weight)
        dy = self._weight * (turned_y - self._y) + pose.dy * self._weight
        return dx.astype(np.float32), dy.astype(np.float32)

    def _inverse(self, dx: Points, dy: Points) -> tuple[Points, Points]:
        """The way that leads to each node: the movement is smooth, so three steps settle it."""
        found_x, found_y = dx, dy
        for _ in range(3):
            columns = (self._columns - found_x) / _GRID
            rows = (self._rows - found_y) / _GRID
            found_x, found_y = _sampled(dx, columns, rows), _sampled(dy, columns, rows)
        return found_x, found_y


def _sampled(field: Points, columns: Points, rows: Points) -> Points:
    return np.asarray(cv2.remap(field, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _depth(portrait: Portrait) -> NDArray[np.float32]:
    """Depth of the face per pixel from the mesh, continued outside it, smooth."""
    depth = np.zeros((STAGE_HEIGHT, STAGE_WIDTH), np.float32)
    seen = np.ones((STAGE_HEIGHT, STAGE_WIDTH), np.uint8)
    order = np.argsort(-portrait.mesh[portrait.triangles, 2].mean(axis=1))
    for triangle in portrait.triangles[order]:
        corners = np.round(portrait.mesh[triangle, :2]).astype(np.int32)
        cv2.fillConvexPoly(depth, corners, float(portrait.mesh[triangle, 2].mean()))
        cv2.fillConvexPoly(seen, corners, 0)
    _, labels = cv2.distanceTransformWithLabels(seen, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    by_label = np.zeros(int(labels.max()) + 1, np.float32)
    by_label[labels[seen == 0]] = depth[seen == 0]
    limit = _DEEPEST * portrait.face_width
    return np.asarray(cv2.GaussianBlur(np.clip(by_label[labels], -limit, limit), (0, 0), 7), np.float32)
