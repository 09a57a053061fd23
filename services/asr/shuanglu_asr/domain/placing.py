"""Where decoded samples stand on the session's timeline. A hole becomes silence: nothing is ever shifted."""

from dataclasses import dataclass

RATE = 16_000
# Timestamps of containers are rounded, to a millisecond in the worst case; that is no hole.
TOLERANCE = RATE // 200


@dataclass(frozen=True, slots=True)
class Placed:
    """What to do with a stretch: fill `silence` samples before it, leave out its first `skip` samples."""

    silence: int
    skip: int


def place(expected: int, start: int, samples: int) -> Placed:
    """A stretch of `samples` that says that it starts at `start`, where the sound so far ends at `expected`."""
    shift = start - expected
    if abs(shift) <= TOLERANCE:
        return Placed(0, 0)
    return Placed(shift, 0) if shift > 0 else Placed(0, min(samples, -shift))
