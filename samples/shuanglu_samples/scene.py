"""One camera's picture over time: a room, people in it, and what goes wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from shuanglu_samples.portrait import BLINK_STEPS, MOUTH_STEPS, STAGE_HEIGHT, STAGE_WIDTH, Face, Picture, load_portrait
from shuanglu_samples.pose import Head, pose_at
from shuanglu_samples.timeline import FRAME_RATE
from shuanglu_samples.voice import Sound

# An end that no film reaches: one day.
STAYS: Final = 86_400_000

_GRAIN_SIGMA: Final = 1.1
_GRAIN_PICTURES: Final = 7
# Step of the eyelids in the pictures of one blink: 0.27 s at 15 pictures a second.
_BLINK: Final = (1, 2, 2, 1)
# Somebody who leaves or comes is blurred by speed for this many pictures.
_PASSING_FRAMES: Final = 4


@dataclass(frozen=True, slots=True)
class Presence:
    """A person in the picture from `start_ms` to `end_ms`: who, and where.

    `scale` and `dx`, `dy` (pixels) place the portrait; the person comes in from, and leaves to, the
    right edge within 0.3 s. Who starts at 0 is there from the first picture; who stays to the end
    has an `end_ms` beyond the film's (`STAYS`).
    """

    portrait: str
    start_ms: int
    end_ms: int
    scale: float = 1.0
    dx: float = 0.0
    dy: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What the camera of one role sees; people are drawn in their order, the first behind the others."""

    room: Callable[[], Picture]
    people: tuple[Presence, ...]
    black: tuple[tuple[int, int], ...] = ()
    seed: int = 0


class _Actor:
    """A portrait with its own rhythm of blinks and movements."""

    def __init__(self, name: str, frames: int, seed: int) -> None:
        portrait = load_portrait(name)
        self._face, self._head = Face(portrait), Head(portrait)
        self._phase = 1.3 * seed + len(name)
        self._blinks = _blinks(frames, seed)

    def picture(self, frame: int, opened: float) -> Picture:
        mouth = round(float(np.clip(opened, 0, 1)) * (MOUTH_STEPS - 1))
        texture = self._face.texture(mouth, min(int(self._blinks[frame]), BLINK_STEPS - 1))
        return self._head.moved(texture, pose_at(frame / FRAME_RATE, self._phase, opened))


def film(scene: Scene, opened: Sound) -> Iterator[Picture]:
    """The scene's pictures (BGR, 640 x 480), one for each value of `opened` (mouth, 0..1).

    The voice belongs to whoever is in front; people behind are silent.
    """
    frames = len(opened)
    actors = {
        name: _Actor(name, frames, scene.seed + len(name)) for name in {person.portrait for person in scene.people}
    }
    room = scene.room()
    grain = _grain(scene.seed)
    for frame in range(frames):
        now_ms = frame * 1000 / FRAME_RATE
        if any(start <= now_ms < end for start, end in scene.black):
            yield np.zeros((STAGE_HEIGHT, STAGE_WIDTH, 3), np.uint8)
            continue
        picture = room
        present = [person for person in scene.people if person.start_ms <= now_ms < person.end_ms]
        for person in present:
            mouth = float(opened[frame]) if person is present[-1] else 0.0
            layer = _placed(actors[person.portrait].picture(frame, mouth), person, frame)
            picture = _over(layer, picture)
        noise = grain[frame * 3 % _GRAIN_PICTURES]
        yield np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)


def _blinks(frames: int, seed: int) -> Sound:
    """Step of the eyelids per picture; a person blinks every two to five seconds."""
    random = np.random.default_rng(100 + seed)
    steps = np.zeros(frames, np.float32)
    at = int(random.uniform(0.8, 2.5) * FRAME_RATE)
    while at + len(_BLINK) < frames:
        steps[at : at + len(_BLINK)] = _BLINK
        at += int(random.uniform(2.2, 5.0) * FRAME_RATE)
    return steps


def _grain(seed: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]]:
    random = np.random.default_rng(200 + seed)
    shape = (STAGE_HEIGHT, STAGE_WIDTH, 1)
    return [
        np.repeat(random.normal(0, _GRAIN_SIGMA, shape).round().astype(np.int16), 3, axis=2)
        for _ in range(_GRAIN_PICTURES)
    ]


def _placed(layer: Picture, person: Presence, frame: int) -> Picture:
    """The person at the right place and size, on the way in or out, or sitting."""
    away = _away(person, frame)
    if away == 0 and person.scale == 1 and person.dx == 0 and person.dy == 0:
        return layer
    # Scaled about the middle of the lower edge, so that a body never floats.
    x = STAGE_WIDTH / 2 * (1 - person.scale) + person.dx + away * away * STAGE_WIDTH
    y = STAGE_HEIGHT * (1 - person.scale) + person.dy
    matrix = np.array([[person.scale, 0, x], [0, person.scale, y]])
    moved = cv2.warpAffine(layer, matrix, (STAGE_WIDTH, STAGE_HEIGHT), flags=cv2.INTER_AREA)
    if away > 0:
        moved = cv2.blur(moved, (1 + int(60 * away), 1))
    return np.asarray(moved, np.uint8)


def _away(person: Presence, frame: int) -> float:
    """How far the person is from the place: 0 sitting, towards 1 at the edge of the picture."""
    since = frame - person.start_ms * FRAME_RATE / 1000 + 1 if person.start_ms > 0 else _PASSING_FRAMES
    until = person.end_ms * FRAME_RATE / 1000 - frame
    return 1 - min(since, until, _PASSING_FRAMES) / _PASSING_FRAMES


def _over(layer: Picture, below: Picture) -> Picture:
    """The layer (BGRA) over the picture (BGR)."""
    alpha = cv2.merge([layer[..., 3]] * 3)
    front = cv2.multiply(layer[..., :3], alpha, scale=1 / 255)
    return np.asarray(cv2.add(front, cv2.multiply(below, cv2.bitwise_not(alpha), scale=1 / 255)), np.uint8)
