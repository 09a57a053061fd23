from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain import boxes
from shuanglu_media_ingest.domain.cutting import Cut, Cutter, Unit


def unit(at: int, *, key: bool, duration: int = 40, data: bytes = b"x") -> Unit:
    return Unit(data, at, at, at, duration, key=key)


def cut_all(units: list[Unit], timescale: int = 1000) -> list[Cut]:
    cutter = Cutter(timescale)
    found = [cut for each in units if (cut := cutter.add(each)) is not None]
    last = cutter.finish()
    return found + ([last] if last else [])


def test_segments_begin_at_key_frames_about_every_two_seconds():
    cuts = cut_all([unit(at, key=at % 1000 == 0) for at in range(0, 5000, 40)])
    assert [(cut.index, cut.start, cut.end) for cut in cuts] == [(1, 0, 2000), (2, 2000, 4000), (3, 4000, 5000)]


def test_a_key_frame_that_comes_a_hair_early_still_cuts():
    cuts = cut_all([unit(at, key=True) for at in (0, 1980, 3970)])
    assert [cut.start for cut in cuts] == [0, 1980, 3970]


def test_a_hole_cuts_and_stays_a_hole():
    cuts = cut_all([unit(0, key=True), unit(40, key=True), unit(1040, key=True)])
    assert [(cut.start, cut.end) for cut in cuts] == [(0, 80), (1040, 1080)]


def test_a_hole_before_a_dependent_picture_does_not_cut():
    cuts = cut_all([unit(0, key=True), unit(1040, key=False)])
    assert [(cut.start, cut.end) for cut in cuts] == [(0, 1080)]


def test_nothing_gives_nothing():
    assert cut_all([]) == []


@given(st.lists(st.tuples(st.integers(1, 900), st.booleans()), min_size=1, max_size=80))
def test_every_packet_is_in_exactly_one_segment_in_order(steps: list[tuple[int, bool]]):
    at, units = 0, []
    for number, (step, key) in enumerate(steps):
        units.append(unit(at, key=key or number == 0, data=number.to_bytes(2, "big")))
        at += step
    cuts = cut_all(units)
    payloads = [list(boxes.split(cut.data))[1].payload for cut in cuts]
    assert b"".join(payloads) == b"".join(each.data for each in units)
    assert [cut.index for cut in cuts] == list(range(1, len(cuts) + 1))
    assert all(before.end <= after.start for before, after in pairwise(cuts))
