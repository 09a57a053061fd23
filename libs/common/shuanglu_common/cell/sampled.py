"""Histograms of what happens in a cell: the child measures, the service that everybody asks has the sum."""

from collections import deque

from prometheus_client import Histogram

# A child that nobody asks for so long forgets the oldest.
MOST_UNTOLD = 10_000


class Sampled:
    """A histogram with one label. What a child observes is told to the service with its next answer."""

    def __init__(self, histogram: Histogram) -> None:
        """`histogram`: of this process."""
        self.histogram = histogram
        self._untold: deque[tuple[str, float]] = deque(maxlen=MOST_UNTOLD)

    def observe(self, label: str, value: float) -> None:
        """In the child."""
        self._untold.append((label, value))

    def untold(self) -> list[tuple[str, float]]:
        """What was observed since this was last asked."""
        told = list(self._untold)
        self._untold.clear()
        return told

    def take(self, label: str, value: float) -> None:
        """In the service: what a child has told."""
        self.histogram.labels(label).observe(value)
