from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_quality.domain.intervals import Interval, hull, intersect, merge, shares_ms, subtract, total_ms

INTERVALS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 60)).map(lambda pair: Interval(pair[0], pair[0] + pair[1])),
    max_size=8,
)


def points(parts: list[Interval]):
    return {at for part in parts for at in range(part.start_ms, part.end_ms)}


@given(INTERVALS)
def test_merge_keeps_the_cover_and_leaves_disjoint_parts_in_order(parts: list[Interval]):
    merged = merge(parts)
    assert points(merged) == points(parts)
    assert all(one.end_ms < two.start_ms for one, two in pairwise(merged))


@given(INTERVALS, INTERVALS)
def test_subtract_and_intersect_split_the_whole(whole: list[Interval], parts: list[Interval]):
    assert points(subtract(whole, parts)) == points(whole) - points(parts)
    assert points(intersect(whole, parts)) == points(whole) & points(parts)
    assert total_ms(whole) == total_ms(subtract(whole, parts)) + total_ms(intersect(whole, parts))


@given(INTERVALS, st.integers(0, 20))
def test_merge_closes_holes_that_are_small_enough(parts: list[Interval], join_ms: int):
    merged = merge(parts, join_ms)
    assert all(two.start_ms - one.end_ms > join_ms for one, two in pairwise(merged))


@given(INTERVALS, INTERVALS)
def test_shares_are_what_the_parts_cover_of_each_window(windows: list[Interval], parts: list[Interval]):
    disjoint = merge(windows)
    shares = shares_ms(disjoint, parts)
    assert shares == [len(points([window]) & points(parts)) for window in disjoint]


def test_an_interval_cannot_end_before_it_starts():
    with pytest.raises(ValueError, match="before it starts"):
        Interval(5, 4)


def test_positions_and_overlaps_use_exclusive_ends():
    part = Interval(10, 20)
    assert part.contains(10)
    assert not part.contains(20)
    assert part.overlap_ms(Interval(20, 30)) == 0
    assert part.overlap_ms(Interval(0, 15)) == 5
    assert part.clip(Interval(20, 25)) is None
    assert part.widen(15, 5) == Interval(0, 25)
    assert hull([Interval(5, 6), Interval(1, 2)]) == Interval(1, 6)
