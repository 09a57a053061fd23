"""Which faces of a frame are worth the cost of an embedding.

An embedding costs ten times as much as finding a face, and a person who sits still stays the same person. So a face
is compared when it is new, when it jumped (then it may be somebody else), and again after a while. At the start of a
segment nothing is known of the frames before, so every face is new: that keeps segments independent of each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shuanglu_face_check.domain.faces import FoundFace
from shuanglu_face_check.domain.geometry import Box

SAME_FACE_IOU = 0.5
COMPARE_EVERY_MS = 1000
SMALLEST_COMPARED_PX = 40.0


@dataclass(frozen=True, slots=True)
class FollowedFace:
    """A face of the sampled frame before. `compared_at_ms` is None as long as it was too small to compare."""

    box: Box
    compared_at_ms: int | None


def follow(faces: Sequence[FoundFace], before: Sequence[FollowedFace], at_ms: int) -> tuple[FollowedFace, ...]:
    """One entry for each face, in order; those with `compared_at_ms == at_ms` are to be compared in this frame."""
    previous = match(faces, before)
    return tuple(
        FollowedFace(face.box, at_ms if is_due(face, known, at_ms) else (known.compared_at_ms if known else None))
        for face, known in zip(faces, previous, strict=True)
    )


def is_due(face: FoundFace, known: FollowedFace | None, at_ms: int) -> bool:
    """Should this face be compared now?"""
    if face.box.shorter_edge < SMALLEST_COMPARED_PX:
        return False
    if known is None or known.compared_at_ms is None:
        return True
    return at_ms - known.compared_at_ms >= COMPARE_EVERY_MS


def match(faces: Sequence[FoundFace], before: Sequence[FollowedFace]) -> list[FollowedFace | None]:
    """The face before that each face continues, best overlap first.

    Each is taken once, so a second face on the same spot is new.
    """
    pairs = sorted(
        ((face.box.iou(known.box), -i, -j) for i, face in enumerate(faces) for j, known in enumerate(before)),
        reverse=True,
    )
    matched: list[FollowedFace | None] = [None] * len(faces)
    taken: set[int] = set()
    for overlap, i, j in pairs:
        if overlap >= SAME_FACE_IOU and matched[-i] is None and -j not in taken:
            matched[-i] = before[-j]
            taken.add(-j)
    return matched
