from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain import gaps
from shuanglu_media_ingest.domain.gaps import MAX_GAPS, Cause, Ends, Faults
from shuanglu_media_ingest.domain.timeline import GAP_MS, Clock, Stretch

MS = Clock(Fraction(1, 1000), Fraction(0), 0, 1000)
OWN = Stretch(0, 4000)
EVERY_40 = range(0, 4000, 40)


def sound(*, bad: int | None = None, good: int | None = None) -> Faults:
    faults = Faults(pictures=False)
    if bad is not None:
        faults.bad(bad)
    if good is not None:
        faults.good(good, key=True)
    return faults


def found(
    faults: Faults, shown: "range | list[int]" = EVERY_40, ends: Ends | None = None
) -> list[tuple[int, int, str]]:
    every = gaps.gaps(list(shown), 40, MS, faults, ends or Ends(OWN, OWN))
    return [(gap.start_ms, gap.end_ms, str(gap.cause)) for gap in every]


def holes(shown: list[int], own: Stretch, whole: Stretch) -> list[Stretch]:
    return gaps.holes(shown, 40, MS, own, whole)


def test_a_hole_of_more_than_half_a_second_is_a_gap():
    assert holes([0, 40, 80, 620, 660], Stretch(0, 700), Stretch(0, 700)) == []
    assert holes([0, 40, 80, 621, 661], Stretch(0, 701), Stretch(0, 701)) == [Stretch(120, 621)]


def test_the_order_of_decoding_makes_no_gap():
    assert gaps.holes([0, 800, 400, 200, 600], 200, MS, Stretch(0, 1000), Stretch(0, 1000)) == []


def test_a_late_start_and_an_early_end_are_gaps():
    assert holes([1000, 1040], Stretch(1000, 1080), Stretch(0, 5000)) == [Stretch(0, 1000), Stretch(1080, 5000)]


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=50, unique=True))
def test_holes_lie_inside_the_file_and_never_overlap(present_at: list[int]):
    own, whole = Stretch(min(present_at), max(present_at) + 40), Stretch(0, max(present_at) + 1000)
    edges = [edge for hole in holes(present_at, own, whole) for edge in (hole.start_ms, hole.end_ms)]
    assert edges == sorted(edges)
    assert all(hole.end_ms - hole.start_ms > GAP_MS for hole in holes(present_at, own, whole))


def test_a_whole_track_has_no_gap():
    assert found(sound()) == []


def test_damage_is_told_however_short():
    assert found(sound(bad=1000, good=1040)) == [(1000, 1040, "DAMAGED")]


def test_a_damaged_picture_takes_with_it_what_builds_on_it():
    faults = Faults(pictures=True)
    faults.bad(1000)
    faults.good(1040, key=False)
    faults.good(2000, key=True)
    assert found(faults) == [(1000, 2000, "DAMAGED")]


def test_damage_that_never_ends_lasts_until_the_end():
    assert found(sound(bad=3000)) == [(3000, 4000, "DAMAGED")]
    assert found(sound(bad=3000), ends=Ends(OWN, Stretch(0, 9000), 9000)) == [(3000, 9000, "DAMAGED")]


def test_what_the_container_promised_and_does_not_hold_is_damaged():
    assert found(sound(), ends=Ends(OWN, Stretch(0, 9000), 9000)) == [(4000, 9000, "DAMAGED")]


def test_an_end_that_is_only_early_is_missing():
    assert found(sound(), ends=Ends(OWN, Stretch(0, 9000))) == [(4000, 9000, "MISSING")]


def test_a_file_that_breaks_off_without_a_promise_says_so_at_its_end():
    assert found(sound(), ends=Ends(OWN, OWN, None, breaks_off=True)) == [(4000, 4000, "DAMAGED")]


def test_a_hole_with_damage_at_its_edge_is_damaged_and_one_without_is_missing():
    shown = [*range(0, 1000, 40), *range(2000, 2400, 40), *range(3400, 4000, 40)]
    assert found(sound(bad=1000, good=1010), shown) == [
        (1000, 1010, "DAMAGED"),
        (1010, 2000, "DAMAGED"),
        (2400, 3400, "MISSING"),
    ]


def test_a_place_where_bytes_are_gone_is_marked_once():
    faults = sound()
    faults.mark(1500)
    faults.mark(1500)
    assert found(faults) == [(1500, 1500, "DAMAGED")]


def test_a_file_that_breaks_off_inside_damage_says_that_more_is_gone():
    ends = Ends(OWN, OWN, None, breaks_off=True)
    assert found(sound(bad=3000), ends=ends) == [(3000, 4000, "DAMAGED"), (4000, 4000, "DAMAGED")]


def test_two_looks_at_a_stream_are_added_up():
    faults, other = sound(bad=100, good=200), sound(bad=3000)
    other.mark(500)
    faults.add(other)
    assert found(faults) == [(100, 200, "DAMAGED"), (500, 500, "DAMAGED"), (3000, 4000, "DAMAGED")]
    assert faults
    assert not sound()


@given(
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 5000)), max_size=40),
    st.lists(st.integers(0, 100_000), min_size=1, max_size=40, unique=True),
)
def test_gaps_are_in_order_and_inside_and_all_damage_is_in_them(bad: list[tuple[int, int]], shown: list[int]):
    faults = sound()
    faults.stretches = [(start, start + length) for start, length in bad]
    own = Stretch(min(shown), max(shown) + 40)
    result = gaps.gaps(shown, 40, MS, faults, Ends(own, Stretch(0, own.end_ms + 700)))
    assert result == sorted(result)
    damaged = {at for gap in result if gap.cause is Cause.DAMAGED for at in range(gap.start_ms, gap.end_ms)}
    assert all(at in damaged for start, length in bad for at in (start, start + length - 1))
    missing = [gap for gap in result if gap.cause is Cause.MISSING]
    assert not any(at in damaged for gap in missing for at in (gap.start_ms, gap.end_ms - 1))


def test_a_file_full_of_holes_names_only_so_many_and_hides_none():
    faults = sound()
    faults.stretches = [(at, at + 10) for at in range(0, 2_000_000, 1000)]
    own = Stretch(0, 2_000_000)
    result = gaps.gaps(range(0, 2_000_000, 40), 40, MS, faults, Ends(own, own))
    assert len(result) <= MAX_GAPS
    assert (result[0].start_ms, result[-1].end_ms) == (0, 1_999_010)
