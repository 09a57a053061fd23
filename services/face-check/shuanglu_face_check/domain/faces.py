"""What is seen in a frame."""

from dataclasses import dataclass

from shuanglu_face_check.domain.geometry import Box, Point, all_finite


@dataclass(frozen=True, slots=True)
class FoundFace:
    """A face as the detector gives it, with its score 0..1.

    `landmarks`: right eye, left eye, nose, right and left corner of the mouth (the person's own right and left).
    """

    box: Box
    landmarks: tuple[Point, ...]
    score: float

    @property
    def usable(self) -> bool:
        """False if a number is NaN or infinite, or the box is empty."""
        box = self.box
        numbers = [self.score, box.x, box.y, box.width, box.height]
        numbers += [value for point in self.landmarks for value in (point.x, point.y)]
        return all_finite(numbers) and box.area > 0


@dataclass(frozen=True, slots=True)
class FaceLook:
    """How a face looks. `sharpness`: variance of the Laplacian, not negative; `brightness`: mean grey, 0..1."""

    sharpness: float
    brightness: float


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face with everything that is reported of it. A similarity is a cosine, -1..1; None if it was not compared."""

    found: FoundFace
    look: FaceLook
    id_photo_similarity: float | None = None
    reference_similarity: float | None = None


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """A sampled frame, its faces largest first.

    `brightness` is mean luma and `contrast` its standard deviation, 0..1; `motion` is the mean absolute difference of
    luma to the sampled frame before, 0..1, None on the first of a segment; the size is in pixels.
    """

    at_ms: int
    faces: tuple[SeenFace, ...]
    brightness: float
    contrast: float
    motion: float | None
    width: int
    height: int


def largest_first(faces: list[FoundFace]) -> list[FoundFace]:
    """Usable faces by size, then by place, so that equal input gives equal order."""
    usable = [face for face in faces if face.usable]
    return sorted(usable, key=lambda face: (-face.box.area, face.box.x, face.box.y))
