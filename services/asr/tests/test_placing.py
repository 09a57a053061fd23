from hypothesis import given
from hypothesis import strategies as st

from shuanglu_asr.domain.placing import TOLERANCE, Placed, place


def test_sound_that_follows_is_taken_as_it_is():
    assert place(1000, 1000, 320) == Placed(0, 0)


def test_rounded_timestamps_are_no_hole():
    assert place(1000, 1000 + TOLERANCE, 320) == Placed(0, 0)
    assert place(1000, 1000 - TOLERANCE, 320) == Placed(0, 0)


def test_a_hole_becomes_silence():
    assert place(1000, 17_000, 320) == Placed(16_000, 0)


def test_what_was_heard_already_is_left_out():
    assert place(1000, 800, 320) == Placed(0, 200)
    assert place(1000, 100, 320) == Placed(0, 320)


@given(st.integers(0, 10**9), st.integers(-(10**9), 10**9), st.integers(1, 10_000))
def test_sound_stands_where_it_says(expected: int, start: int, samples: int):
    placed = place(expected, start, samples)
    assert placed.silence >= 0
    assert 0 <= placed.skip <= samples
    if placed.skip < samples:
        assert abs(expected + placed.silence - (start + placed.skip)) <= TOLERANCE
