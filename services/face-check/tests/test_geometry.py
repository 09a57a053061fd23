import math

from hypothesis import given
from hypothesis import strategies as st

from shuanglu_face_check.domain.faces import FoundFace, largest_first
from shuanglu_face_check.domain.geometry import Box, Point, all_finite

sides = st.floats(min_value=1, max_value=1000)
places = st.floats(min_value=-500, max_value=2000)
boxes = st.builds(Box, places, places, sides, sides)


@given(boxes, boxes)
def test_overlap_is_the_same_from_both_sides_and_between_0_and_1(one: Box, other: Box):
    assert 0 <= one.iou(other) <= 1 + 1e-9
    assert math.isclose(one.iou(other), other.iou(one), abs_tol=1e-12)


@given(boxes)
def test_a_box_overlaps_itself_fully(box: Box):
    assert math.isclose(box.iou(box), 1, rel_tol=1e-6)


def test_boxes_that_only_touch_do_not_overlap():
    assert Box(0, 0, 10, 10).iou(Box(10, 0, 10, 10)) == 0


def test_half_a_box_overlaps_by_a_third():
    assert math.isclose(Box(0, 0, 10, 10).iou(Box(5, 0, 10, 10)), 1 / 3)


def test_an_empty_box_overlaps_nothing():
    assert Box(0, 0, 0, 10).iou(Box(0, 0, 0, 10)) == 0
    assert Box(0, 0, -5, 10).area == 0


def test_numbers_that_are_not_finite_are_seen():
    assert all_finite([0.0, -1.5])
    assert not all_finite([0.0, math.nan])
    assert not all_finite([math.inf])


def face(box: Box, score: float = 0.9, x: float = 1.0) -> FoundFace:
    return FoundFace(box, (Point(x, 1.0),) * 5, score)


def test_faces_come_largest_first():
    small, large = face(Box(0, 0, 10, 10)), face(Box(50, 0, 40, 40))
    assert largest_first([small, large]) == [large, small]


@given(st.permutations([face(Box(x, y, 10, 10)) for x in (0, 5) for y in (0, 5)]))
def test_equally_large_faces_have_one_order(faces: list[FoundFace]):
    assert largest_first(faces) == largest_first(list(reversed(faces)))


def test_faces_with_numbers_that_are_not_finite_are_dropped():
    broken = [face(Box(math.nan, 0, 10, 10)), face(Box(0, 0, 10, 10), math.nan), face(Box(0, 0, 10, 10), x=math.inf)]
    assert largest_first([*broken, face(Box(0, 0, 0, 10))]) == []
