from fractions import Fraction
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain import timeline
from shuanglu_media_ingest.domain.timeline import Clock, PresentationOrder, SampleClock

RATES = st.sampled_from([(1, 1000), (1, 15360), (1, 90000), (1001, 30000), (1, 48000), (1, 44100)])


@given(RATES, st.integers(-(10**9), 10**9), st.integers(0, 10**6), st.integers(0, 86_400_000))
def test_a_position_is_off_by_at_most_half_a_tick(
    base: tuple[int, int], timestamp: int, origin_ms: int, offset_ms: int
):
    origin = Fraction(origin_ms, 997)
    clock = Clock(Fraction(*base), origin, offset_ms, 90_000)
    exact = (timestamp * Fraction(*base) - origin + Fraction(offset_ms, 1000)) * 90_000
    assert abs(clock.ticks(timestamp) - exact) <= Fraction(1, 2)


@given(st.integers(0, 10**12), st.sampled_from([8000, 44_100, 48_000, 90_000]))
def test_milliseconds_are_rounded_to_the_nearest(ticks: int, timescale: int):
    clock = Clock(Fraction(1, 1000), Fraction(0), 0, timescale)
    assert abs(clock.ms(ticks) - Fraction(ticks * 1000, timescale)) <= Fraction(1, 2)


def test_a_duration_is_never_nothing():
    assert Clock(Fraction(1, 90_000), Fraction(0), 0, 1000).length(1) == 1


def test_the_files_first_moment_comes_to_its_offset():
    clock = Clock(Fraction(1, 90_000), Fraction(126_000, 90_000), 5000, 90_000)
    assert clock.ticks(126_000) == clock.floor == 450_000


@st.composite
def decode_orders(draw: st.DrawFn) -> list[int]:
    """Presentation times at least a millisecond apart, reordered by a few places, as B pictures do."""
    steps = draw(st.lists(st.integers(90, 5000), min_size=1, max_size=40))
    shown = list(accumulate(steps))
    order = draw(st.permutations(range(len(shown)))) if len(shown) < 6 else _windowed(draw, len(shown))
    return [shown[place] for place in order]


def _windowed(draw: st.DrawFn, count: int) -> list[int]:
    order: list[int] = []
    for begin in range(0, count, 4):
        order += draw(st.permutations(range(begin, min(begin + 4, count))))
    return order


@given(decode_orders())
def test_decode_times_grow_and_never_pass_presentation(present_at: list[int]):
    order = PresentationOrder(present_at)
    placed = [order.next(at) for at in present_at]
    decode_at = [at for at, _ in placed]
    assert decode_at == sorted(set(decode_at))
    assert decode_at[0] >= 0
    assert all(decoded <= shown for decoded, shown in zip(decode_at, present_at, strict=True))


@given(decode_orders())
def test_what_is_shown_from_a_picture_on_is_the_nth_presented(present_at: list[int]):
    order = PresentationOrder(present_at)
    assert [order.next(at)[1] for at in present_at] == sorted(present_at)


def test_pictures_in_order_are_decoded_when_they_are_shown():
    order = PresentationOrder([0, 40, 80])
    assert [order.next(at)[0] for at in (0, 40, 80)] == [0, 40, 80]


def test_the_first_decode_times_are_squeezed_when_reordering_would_pass_the_start():
    present_at = [0, 120, 40, 80, 240, 160, 200]
    order = PresentationOrder(present_at)
    assert [order.next(at)[0] for at in present_at] == [0, 1, 40, 80, 120, 160, 200]


def test_millisecond_jitter_of_sound_snaps_to_the_sample_clock():
    clock = SampleClock(48_000)
    jittered = [0, 1008, 2064, 3072, 4080, 5136]  # 0, 21, 43, 64, 85, 107 ms
    assert [clock.place(at, 1024) for at in jittered] == [0, 1024, 2048, 3072, 4096, 5120]


def test_a_jump_of_sound_stays_where_it_is():
    clock = SampleClock(48_000)
    assert [clock.place(0, 1024), clock.place(9600, 1024)] == [0, 9600]


def test_sound_never_goes_back():
    clock = SampleClock(48_000)
    clock.place(5000, 1024)
    assert clock.place(100, 1024) == 5001


def test_the_usual_step_is_the_median():
    assert timeline.usual_step([0, 40, 80, 2000, 2040]) == 40
    assert timeline.usual_step([7]) == 0


def test_the_longest_stretch_without_a_key_frame_counts_the_end():
    assert timeline.longest_key_interval([0, 40, 80, 120], [0]) == 120
    assert timeline.longest_key_interval([0, 50, 100, 150, 200], [0, 50, 200]) == 150
    assert timeline.longest_key_interval([], []) == 0
