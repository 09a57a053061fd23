from hypothesis import given
from hypothesis import strategies as st

from shuanglu_face_check.domain.faces import FoundFace
from shuanglu_face_check.domain.following import COMPARE_EVERY_MS, FollowedFace, follow
from shuanglu_face_check.domain.geometry import Box, Point


def face(x: float, size: float = 100) -> FoundFace:
    return FoundFace(Box(x, 0, size, size), (Point(x, 0),) * 5, 0.9)


def due(followed: tuple[FollowedFace, ...], at_ms: int) -> list[bool]:
    return [entry.compared_at_ms == at_ms for entry in followed]


def test_all_faces_of_the_first_frame_are_compared():
    assert due(follow([face(0), face(300)], (), 0), 0) == [True, True]


def test_a_face_that_stays_is_compared_once_a_second():
    followed: tuple[FollowedFace, ...] = ()
    compared = []
    for at_ms in range(0, 3000, 250):
        followed = follow([face(at_ms / 100)], followed, at_ms)
        compared += [at_ms] * due(followed, at_ms)[0]
    assert compared == [0, 1000, 2000]


def test_a_face_that_jumps_is_compared_at_once():
    followed = follow([face(0)], (), 0)
    assert due(follow([face(80)], followed, 250), 250) == [True]


def test_a_new_face_is_compared_at_once():
    followed = follow([face(0)], (), 0)
    assert due(follow([face(0), face(300)], followed, 250), 250) == [False, True]


def test_a_second_face_on_the_same_spot_is_new():
    followed = follow([face(0)], (), 0)
    assert due(follow([face(0), face(1)], followed, 250), 250) == [False, True]


def test_a_face_that_was_away_for_a_frame_is_new():
    followed = follow([], follow([face(0)], (), 0), 250)
    assert due(follow([face(0)], followed, 500), 500) == [True]


def test_a_small_face_is_never_compared():
    followed = follow([face(0, 39)], (), 0)
    assert due(followed, 0) == [False]
    assert due(follow([face(0, 39)], followed, COMPARE_EVERY_MS), COMPARE_EVERY_MS) == [False]


def test_a_face_is_compared_as_soon_as_it_is_large_enough():
    followed = follow([face(0, 39)], (), 0)
    assert due(follow([face(0, 41)], followed, 250), 250) == [True]


@given(
    st.lists(st.floats(min_value=0, max_value=500), max_size=4),
    st.lists(st.floats(min_value=0, max_value=500), max_size=4),
)
def test_each_face_has_one_entry_and_no_earlier_face_is_taken_twice(now: list[float], then: list[float]):
    before = tuple(FollowedFace(face(x).box, number) for number, x in enumerate(then))
    followed = follow([face(x) for x in now], before, 900)
    assert [entry.box.x for entry in followed] == now
    kept = [entry.compared_at_ms for entry in followed if entry.compared_at_ms != 900]
    assert len(kept) == len(set(kept))
