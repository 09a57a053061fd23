"""Rooms behind the people: drawn, softly lit, out of focus."""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shuanglu_samples.portrait import STAGE_HEIGHT, STAGE_WIDTH, Picture

_Canvas = NDArray[np.float32]
_Colour = tuple[int, int, int]

_WALNUT: Final = (52, 78, 104)
_BOOKS: Final = (
    (70, 62, 120),
    (110, 92, 60),
    (62, 96, 78),
    (150, 150, 160),
    (60, 70, 86),
    (48, 84, 140),
    (120, 116, 90),
)


@cache
def living_room() -> Picture:
    """The customer's home: a warm wall, a window to the left, books to the right. BGR."""
    room = _wall((150, 176, 190), (118, 140, 156))
    _box(room, (-40, 30), (118, 330), (226, 232, 232))
    for x in (-40, 36, 112):
        _box(room, (x, 24), (x + 9, 336), (206, 214, 220))
    _box(room, (-40, 176), (118, 184), (206, 214, 220))
    _curtain(room, 118, 40, (138, 158, 178))
    _shelf(room, 498, 96, seed=3)
    _box(room, (0, 430), (640, 480), (66, 86, 108))
    return _finish(room, light=(60, 170), seed=11)


@cache
def office() -> Picture:
    """The bank's office: a cool wall with glass, a plant and a cabinet. BGR."""
    room = _wall((186, 178, 166), (142, 134, 124))
    for x in (-20, 110, 428, 560):
        _box(room, (x, 40), (x + 112, 300), (208, 200, 186))
        _box(room, (x + 8, 48), (x + 104, 292), (222, 214, 200))
    _box(room, (-10, 330), (190, 480), (120, 116, 112))
    _box(room, (-10, 330), (190, 338), (160, 156, 150))
    _plant(room, (566, 330), seed=5)
    _box(room, (540, 388), (594, 470), (92, 96, 100))
    return _finish(room, light=(330, -30), seed=12)


def _wall(top: _Colour, bottom: _Colour) -> _Canvas:
    rows = np.linspace(0, 1, STAGE_HEIGHT, dtype=np.float32)[:, None, None]
    colour = np.array(top, np.float32) * (1 - rows) + np.array(bottom, np.float32) * rows
    return np.repeat(colour, STAGE_WIDTH, axis=1)


def _box(room: _Canvas, start: tuple[int, int], end: tuple[int, int], colour: _Colour) -> None:
    cv2.rectangle(room, start, end, colour, -1)


def _curtain(room: _Canvas, left: int, width: int, colour: _Colour) -> None:
    for x in range(width):
        fold = 1 + 0.18 * np.sin(x / 3.1) + 0.08 * np.sin(x / 1.3)
        room[:350, left + x] = np.array(colour, np.float32) * fold


def _shelf(room: _Canvas, left: int, top: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    _box(room, (left, top), (STAGE_WIDTH, 440), (44, 62, 84))
    for board in range(top, 440, 84):
        x = left + 8
        while x < STAGE_WIDTH:
            width, height = int(random.integers(8, 17)), int(random.integers(48, 70))
            book = np.array(_BOOKS[int(random.integers(len(_BOOKS)))]) * random.uniform(0.75, 1.1)
            _box(
                room, (x, board + 80 - height), (x + width - 2, board + 78), (int(book[0]), int(book[1]), int(book[2]))
            )
            x += width
        _box(room, (left, board + 78), (STAGE_WIDTH, board + 84), _WALNUT)


def _plant(room: _Canvas, root: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(26):
        angle, length = random.uniform(-1.2, 1.2), random.uniform(60, 130)
        tip = (root[0] + length * np.sin(angle), root[1] + 50 - length * np.cos(angle))
        middle = ((root[0] + tip[0]) / 2, (root[1] + 50 + tip[1]) / 2)
        green = random.uniform(0.7, 1.15)
        box = (middle, (15.0, float(length)), float(np.degrees(angle)))
        cv2.ellipse(room, box, (70 * green, 112 * green, 78 * green), -1)


def _finish(room: _Canvas, light: tuple[int, int], seed: int) -> Picture:
    """Out of focus, brighter near the light, darker in the corners; a little noise against banding."""
    soft = cv2.GaussianBlur(room, (0, 0), 4.5)
    rows, columns = np.mgrid[0:STAGE_HEIGHT, 0:STAGE_WIDTH].astype(np.float32)
    distance = np.hypot(columns - light[0], rows - light[1]) / STAGE_WIDTH
    soft = soft * (1.12 - 0.42 * distance)[..., None]
    noise = np.random.default_rng(seed).normal(0, 0.8, soft.shape)
    return np.asarray(np.clip(soft + noise, 0, 255), np.uint8)
