from hypothesis import given
from hypothesis import strategies as st

from shuanglu_asr.domain.turns import Turn
from shuanglu_asr.domain.windows import Span, needed, windows

pieces = st.lists(st.tuples(st.integers(0, 20_000), st.integers(200, 28_000)), max_size=30)


def row(parts: list[tuple[int, int]]) -> list[Turn]:
    """Turns from silences and lengths."""
    made, at = [], 0
    for silence, length in parts:
        made.append(Turn(at + silence, at + silence + length))
        at += silence + length
    return made


@given(pieces)
def test_every_turn_is_in_exactly_one_window_in_order(parts: list[tuple[int, int]]):
    turns = row(parts)
    assert [turn for window in windows(turns) for turn in window] == turns


@given(pieces)
def test_a_window_is_short_or_a_single_turn(parts: list[tuple[int, int]]):
    for window in windows(row(parts)):
        assert len(window) == 1 or window[-1].end_ms - window[0].start_ms <= 30_000


def test_no_turns_make_no_window():
    assert windows([]) == ()


@given(pieces.filter(bool))
def test_the_segments_of_a_window_hold_all_of_its_turns(parts: list[tuple[int, int]]):
    turns = row(parts)
    spans = [Span(index + 1, index * 2000, index * 2000 + 2000) for index in range(turns[-1].end_ms // 2000 + 1)]
    for window in windows(turns):
        chosen = needed(spans, window)
        assert chosen == tuple(range(chosen[0], chosen[-1] + 1))
        assert spans[chosen[0] - 1].start_ms <= max(0, window[0].start_ms - 100)
        assert spans[chosen[-1] - 1].end_ms >= window[-1].end_ms


def test_a_turn_at_the_start_of_a_segment_asks_for_the_one_before_too():
    spans = [Span(1, 0, 2000), Span(2, 2000, 4000), Span(3, 4000, 6000)]
    assert needed(spans, [Turn(2050, 3000)]) == (1, 2)
    assert needed(spans, [Turn(2150, 3000)]) == (2,)
