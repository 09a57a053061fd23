from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from shuanglu_face_check.domain.grid import (
    DEFAULT_RATE,
    HIGHEST_RATE,
    LOWEST_RATE,
    grid_points,
    shown_at,
    usable_rate,
)

rates = st.integers(min_value=LOWEST_RATE, max_value=HIGHEST_RATE)
cuts = st.lists(st.integers(min_value=1, max_value=60_000), max_size=12, unique=True)


@settings(deadline=None)
@given(rates, cuts, st.integers(min_value=0, max_value=3_600_000))
def test_how_a_recording_is_cut_changes_nothing_of_what_is_looked_at(rate: int, inner: list[int], start: int):
    borders = [start, *(start + border for border in sorted(inner)), start + 60_001]
    pieces = [grid_points(a, b, rate) for a, b in pairwise(borders)]
    assert tuple(point for piece in pieces for point in piece) == grid_points(start, start + 60_001, rate)


@settings(deadline=None)  # up to 15,000 points each
@given(rates)
def test_a_thousand_seconds_have_as_many_points_as_the_rate_says(rate: int):
    assert len(grid_points(0, 1_000_000, rate)) == rate
    assert len(grid_points(7_000_000, 8_000_000, rate)) == rate


@given(rates, st.integers(min_value=0, max_value=10_000_000), st.integers(min_value=0, max_value=20_000))
def test_points_ascend_and_lie_inside(rate: int, start: int, length: int):
    points = grid_points(start, start + length, rate)
    assert list(points) == sorted(set(points))
    assert all(start <= point < start + length for point in points)


def test_two_frames_a_second_are_looked_at_every_half_second():
    assert grid_points(2000, 4000, 2000) == (2000, 2500, 3000, 3500)


def test_a_rate_that_does_not_divide_a_second_does_not_drift():
    assert grid_points(0, 2000, 3000) == (0, 334, 667, 1000, 1334, 1667)


def test_a_segment_between_two_points_has_none():
    assert grid_points(2001, 2499, 2000) == ()
    assert grid_points(2000, 2000, 2000) == ()


def test_a_rate_that_is_not_set_is_two_a_second():
    assert usable_rate(0) == usable_rate(-5) == DEFAULT_RATE


def test_a_rate_out_of_bounds_is_brought_back():
    assert usable_rate(1) == LOWEST_RATE
    assert usable_rate(1_000_000) == HIGHEST_RATE


@given(
    st.lists(st.integers(min_value=0, max_value=5000), min_size=1, unique=True).map(sorted),
    st.lists(st.integers(min_value=0, max_value=6000), unique=True).map(sorted),
)
def test_a_point_shows_the_last_frame_that_has_begun(times: list[int], points: list[int]):
    for point, index in zip(points, shown_at(points, times), strict=True):
        begun = [time for time in times if time <= point]
        assert times[index] == (begun[-1] if begun else times[0])
