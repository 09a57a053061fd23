"""Points and boxes, in pixels of a picture: x to the right, y down."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A position."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its left upper corner; it may stick out of the picture."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Square pixels; 0 for an empty or inverted box."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def shorter_edge(self) -> float:
        """What decides whether there are enough pixels to compare a face."""
        return min(self.width, self.height)

    def iou(self, other: "Box") -> float:
        """Intersection over union, 0..1; 0 if either is empty."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        shared = max(width, 0.0) * max(height, 0.0)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0


def all_finite(values: Iterable[float]) -> bool:
    """False if any value is NaN or infinite: such numbers compare wrongly and are refused at the door."""
    return all(math.isfinite(value) for value in values)
