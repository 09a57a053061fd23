"""What the examiner needs from outside. Adapters: av_pictures, photo (pictures), yunet (finder), sface (embedder)."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.domain.faces import FaceLook, FoundFace
from shuanglu_face_check.domain.geometry import Box


class Picture(Protocol):
    """One picture, upright."""

    @property
    def width(self) -> int:
        """Pixels."""
        ...

    @property
    def height(self) -> int:
        """Pixels."""
        ...

    def light(self) -> tuple[float, float]:
        """Mean luma and its standard deviation, each 0..1."""
        ...

    def look(self, box: Box) -> FaceLook:
        """How the part inside the box looks; the box may stick out."""
        ...


P = TypeVar("P", bound=Picture)
P_contra = TypeVar("P_contra", bound=Picture, contravariant=True)


class FaceFinder(Protocol[P_contra]):
    """Finds faces."""

    def find(self, picture: P_contra) -> list[FoundFace]:
        """All faces, in pixels of the picture, in any order. Numbers may be NaN on damaged pictures."""
        ...


class FaceEmbedder(Protocol[P_contra]):
    """Turns a face into an embedding."""

    def embed(self, picture: P_contra, face: FoundFace) -> Embedding:
        """The face's embedding; numbers may be NaN on damaged pictures."""
        ...


class MotionMeter(Protocol[P_contra]):
    """Tells how much changed between two pictures."""

    def motion(self, picture: P_contra, before: P_contra) -> float:
        """Mean absolute difference of luma, 0..1."""
        ...


@dataclass(frozen=True, slots=True)
class Sample(Generic[P]):
    """The picture that is shown at a point of the grid. Two points may share one picture."""

    at_ms: int
    picture: P
