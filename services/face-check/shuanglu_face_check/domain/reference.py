"""A track's reference: the face that the track began with.

Later frames are compared with it, so that a switch of persons shows even where there is no ID photo. It is the largest
good face in the first frame of the earliest of the track's first segments that has one. Segment n only asks segments
1..n: these are stored before it, so every worker, in whatever order, comes to the same reference.
"""

from collections.abc import Sequence

from shuanglu_face_check.domain.faces import FoundFace

REFERENCE_SEGMENTS = 5
GOOD_SCORE = 0.8
GOOD_EDGE_PX = 60.0


def segments_to_ask(segment_index: int) -> range:
    """Segments that may hold the reference for a segment, in order."""
    return range(1, min(segment_index, REFERENCE_SEGMENTS) + 1)


def reference_face(faces: Sequence[FoundFace]) -> FoundFace | None:
    """The largest face that is good enough to compare others with, or None."""
    good = [face for face in faces if face.score >= GOOD_SCORE and face.box.shorter_edge >= GOOD_EDGE_PX]
    return max(good, key=lambda face: (face.box.area, -face.box.x, -face.box.y), default=None)
