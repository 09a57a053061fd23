from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain.joints import MAX_JOINTS, Joints, TooManyJoints

MS = Fraction(1, 1000)


def placed(packets: list[tuple[int, int]], joints: Joints | None = None) -> list[int]:
    """Packets of 40 ms as (stream, decode time); where each comes to lie."""
    joints = joints or Joints({0: MS, 1: MS})
    return [at + joints.shift(stream, at, at, 40) for stream, at in packets]


def test_a_clock_that_runs_on_is_left_alone():
    packets = [(0, 0), (1, 10), (0, 40), (1, 50), (0, 80)]
    assert placed(packets) == [0, 10, 40, 50, 80]


def test_a_leap_forward_of_minutes_is_kept():
    assert placed([(0, 0), (0, 40), (0, 600_000)]) == [0, 40, 600_000]


def test_a_clock_that_begins_anew_goes_on_where_it_was():
    joints = Joints({0: MS, 1: MS})
    packets = [(0, 1000), (1, 1000), (0, 1040), (1, 1040), (0, 0), (1, 0), (0, 40), (1, 40)]
    assert placed(packets, joints) == [1000, 1000, 1040, 1040, 1080, 1080, 1120, 1120]
    assert joints.at_s == [Fraction(1080, 1000)]


def test_both_streams_keep_their_distance_over_a_joint():
    packets = [(0, 1000), (1, 1010), (0, 1040), (1, 1050), (0, 0), (1, 10), (0, 40)]
    assert placed(packets)[4:] == [1090, 1100, 1130]


def test_a_stream_that_is_still_before_the_joint_stays_on_the_old_clock():
    packets = [(0, 5000), (1, 5000), (0, 5040), (0, 0), (1, 5040), (0, 40), (1, 0)]
    assert placed(packets) == [5000, 5000, 5040, 5080, 5040, 5120, 5080]


def test_a_clock_that_is_set_forward_by_hours_goes_on_where_it_was():
    joints = Joints({0: MS})
    assert placed([(0, 0), (0, 40), (0, 7_200_000), (0, 7_200_040)], joints) == [0, 40, 80, 120]
    assert len(joints.at_s) == 1


def test_one_wild_time_does_not_bend_the_line():
    packets = [(0, 0), (0, 40), (0, 90_000_000), (0, 120), (0, 160)]
    assert placed(packets) == [0, 40, 80, 120, 160]


def test_times_that_are_noise_are_refused():
    joints = Joints({0: MS})
    with pytest.raises(TooManyJoints):
        placed([(0, 1_000_000 - 10_000 * number) for number in range(MAX_JOINTS + 2)], joints)
    assert len(joints.at_s) == MAX_JOINTS


def test_a_stream_knows_when_its_next_packet_is_due():
    joints = Joints({0: MS})
    assert joints.due(0) is None
    joints.shift(0, 1000, 1000, 40)
    assert joints.due(0) == 1040


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-(10**7), 10**7)), max_size=60))
def test_no_stream_ever_runs_back_by_more_than_it_may(packets: list[tuple[int, int]]):
    ends: dict[int, int] = {}
    for (stream, _), at in zip(packets, placed(packets), strict=True):
        assert at >= ends.get(stream, at) - 501
        ends[stream] = at + 40
