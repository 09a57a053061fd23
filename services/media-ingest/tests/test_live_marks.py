from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain.gaps import Cause, Gap
from shuanglu_media_ingest.domain.live.marks import CallMark, Mark, explained, of
from shuanglu_media_ingest.domain.survey import Medium

HOLE = Gap(10_000, 20_000, Cause.LOST)


def test_a_hole_without_a_mark_keeps_its_cause():
    assert explained([HOLE], []) == [HOLE]


def test_a_mark_that_nearly_covers_a_hole_gives_it_its_cause():
    assert explained([HOLE], [Mark(Cause.AWAY, 10_600, 19_500)]) == [Gap(10_000, 20_000, Cause.AWAY)]


def test_a_mark_that_is_longer_than_the_hole_explains_it_and_no_more():
    assert explained([HOLE], [Mark(Cause.RECORDER, 4000, 26_000)]) == [Gap(10_000, 20_000, Cause.RECORDER)]


def test_two_marks_split_a_hole():
    marks = [Mark(Cause.AWAY, 9900, 14_000), Mark(Cause.RECORDER, 14_000, 20_300)]
    assert explained([HOLE], marks) == [Gap(10_000, 14_000, Cause.AWAY), Gap(14_000, 20_000, Cause.RECORDER)]


def test_what_a_mark_leaves_over_keeps_its_cause():
    found = explained([HOLE], [Mark(Cause.AWAY, 10_100, 15_000)])
    assert found == [Gap(10_000, 15_000, Cause.AWAY), Gap(15_000, 20_000, Cause.LOST)]


def test_our_own_fault_is_noticed_late_and_takes_what_nobody_else_explains():
    marks = [Mark(Cause.RECORDER, 13_000, 19_800)]
    assert explained([HOLE], marks) == [Gap(10_000, 20_000, Cause.RECORDER)]
    marks.append(Mark(Cause.AWAY, 10_000, 13_000))
    assert explained([HOLE], marks) == [Gap(10_000, 13_000, Cause.AWAY), Gap(13_000, 20_000, Cause.RECORDER)]
    late = [Mark(Cause.RECORDER, 16_000, 19_800)]
    assert explained([HOLE], late) == [Gap(10_000, 16_000, Cause.LOST), Gap(16_000, 20_000, Cause.RECORDER)]


def test_our_own_fault_is_never_hidden_behind_another():
    found = explained([HOLE], [Mark(Cause.MUTED, 0, 30_000), Mark(Cause.RECORDER, 12_000, 18_000)])
    assert [gap.cause for gap in found if gap.start_ms == 12_000] == [Cause.RECORDER]


def test_muted_media_is_a_gap_even_if_silence_was_sent():
    assert explained([], [Mark(Cause.MUTED, 5000, 9000)]) == [Gap(5000, 9000, Cause.MUTED)]
    assert explained([], [Mark(Cause.AWAY, 5000, 9000), Mark(Cause.MUTED, 5000, 5300)]) == []


def test_marks_are_those_of_the_track_on_its_timeline():
    marks = [
        CallMark(Cause.AWAY, 3_000_000, 5_000_000, "customer"),
        CallMark(Cause.AWAY, 3_000_000, 5_000_000, "agent"),
        CallMark(Cause.MUTED, 3_000_000, 5_000_000, "customer", Medium.AUDIO),
        CallMark(Cause.HELD, 500_000, 5_000_000),
    ]
    assert of(marks, "customer", Medium.VIDEO, 1_000_000) == [
        Mark(Cause.AWAY, 2000, 4000),
        Mark(Cause.HELD, 0, 4000),
    ]


def stretches(causes: list[Cause]) -> st.SearchStrategy[list[tuple[int, int, Cause]]]:
    one = st.tuples(st.integers(0, 60_000), st.integers(1, 9000), st.sampled_from(causes))
    return st.lists(one, max_size=6)


@given(
    stretches([Cause.LOST, Cause.AWAY, Cause.MISSING]), stretches([Cause.RECORDER, Cause.AWAY, Cause.HELD, Cause.MUTED])
)
def test_every_hole_is_told_once_and_nothing_lies_over_another(
    raw: list[tuple[int, int, Cause]], known: list[tuple[int, int, Cause]]
):
    holes, at = [], 0
    for start, length, cause in raw:
        holes.append(Gap(at + start, at + start + length, cause))
        at += start + length
    marks = [Mark(cause, start, start + length) for start, length, cause in known]
    found = explained(holes, marks)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(found))
    assert all(gap.start_ms < gap.end_ms for gap in found)
    told = {moment for gap in found for moment in range(gap.start_ms, gap.end_ms, 97)}
    for hole in holes:
        covered = sum(
            min(hole.end_ms, gap.end_ms) - max(hole.start_ms, gap.start_ms)
            for gap in found
            if gap.start_ms < hole.end_ms and gap.end_ms > hole.start_ms
        )
        assert covered == hole.end_ms - hole.start_ms
    blank = [mark for mark in marks if mark.cause in (Cause.MUTED, Cause.HELD)]
    assert all(any(each.start_ms <= moment < each.end_ms for each in (*holes, *blank)) for moment in told)
