from hypothesis import given
from hypothesis import strategies as st

from shuanglu_face_check.domain.faces import FoundFace
from shuanglu_face_check.domain.geometry import Box, Point
from shuanglu_face_check.domain.reference import (
    GOOD_EDGE_PX,
    GOOD_SCORE,
    REFERENCE_SEGMENTS,
    reference_face,
    segments_to_ask,
)


def face(size: float, score: float = 0.9, x: float = 0) -> FoundFace:
    return FoundFace(Box(x, 0, size, size), (Point(0, 0),) * 5, score)


def test_the_largest_good_face_is_the_reference():
    assert reference_face([face(80), face(120), face(200, 0.7)]) == face(120)


def test_small_or_doubtful_faces_are_no_reference():
    assert reference_face([face(GOOD_EDGE_PX - 1), face(200, GOOD_SCORE - 0.01)]) is None
    assert reference_face([]) is None


@given(st.permutations([face(100, x=0), face(100, x=50), face(70, x=90)]))
def test_the_order_of_faces_does_not_change_the_reference(faces: list[FoundFace]):
    assert reference_face(faces) == face(100, x=0)


@given(st.integers(min_value=1, max_value=10_000))
def test_a_segment_asks_itself_and_those_before_it_but_only_the_first(index: int):
    asked = segments_to_ask(index)
    assert asked[0] == 1
    assert asked[-1] == min(index, REFERENCE_SEGMENTS)
