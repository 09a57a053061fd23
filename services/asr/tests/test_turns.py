import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_asr.domain.turns import FRAME_MS, Turn, TurnFinder, TurnRules

RULES = TurnRules(max_turn_ms=3200)
# Stretches of a few levels, as speech is, rather than noise from frame to frame.
levels = st.sampled_from([0.0, 0.1, 0.3, 0.4, 0.5, 0.6, 0.9, 1.0])
stretches = st.lists(st.tuples(levels, st.integers(1, 60)), max_size=12)
probabilities = stretches.map(lambda parts: [level for level, count in parts for _ in range(count)])


def turns(row: list[float], rules: TurnRules = RULES, origin_ms: int = 0) -> list[Turn]:
    finder = TurnFinder(origin_ms, rules)
    found = finder.add_all(row)
    last = finder.finish()
    return [*found, last] if last else found


def spoken(*counts: int) -> list[float]:
    """Silence and speech in turn, in frames."""
    return [float(number % 2) for number, count in enumerate(counts) for _ in range(count)]


def test_speech_between_silences_is_one_turn_with_pads():
    assert turns(spoken(20, 30, 20)) == [Turn(20 * 32 - 200, 50 * 32 + 200)]


def test_a_short_answer_survives():
    # 同意 in the sample is heard in 10 frames.
    assert len(turns(spoken(40, 10, 40))) == 1


def test_a_click_is_no_turn():
    assert turns(spoken(40, 5, 40)) == []


def test_a_pause_inside_a_sentence_does_not_end_the_turn():
    assert len(turns(spoken(20, 30, 12, 30, 20))) == 1


def test_a_longer_silence_ends_the_turn():
    assert len(turns(spoken(20, 30, 13, 30, 20))) == 2


def test_a_probability_between_the_thresholds_neither_starts_nor_ends_a_turn():
    assert turns([0.4] * 100) == []
    assert turns([1.0] * 10 + [0.4] * 40 + [0.0] * 20) == [Turn(0, 50 * 32 + 200)]


def test_speech_that_goes_on_to_the_end_is_a_turn():
    assert turns(spoken(20, 30)) == [Turn(20 * 32 - 200, 50 * 32)]


def test_a_turn_that_is_too_long_is_cut_at_its_quietest_place():
    row = [1.0] * 70 + [0.4] * 5 + [1.0] * 60
    first, second = turns(row)
    assert 70 * FRAME_MS <= first.end_ms <= 75 * FRAME_MS
    assert first.end_ms == second.start_ms
    assert (first.start_ms, second.end_ms) == (0, 135 * FRAME_MS)


def test_positions_count_from_the_origin():
    assert turns(spoken(20, 30, 20), origin_ms=5000) == [Turn(5000 + 20 * 32 - 200, 5000 + 50 * 32 + 200)]


def test_no_sound_has_no_turn():
    assert turns([]) == []


@given(probabilities, st.lists(st.integers(0, 200), max_size=10))
def test_how_the_sound_is_cut_changes_nothing(row: list[float], cuts: list[int]):
    finder = TurnFinder(0, RULES)
    borders = sorted({0, len(row), *(cut for cut in cuts if cut < len(row))})
    found = [turn for begin, end in itertools.pairwise(borders) for turn in finder.add_all(row[begin:end])]
    last = finder.finish()
    assert [*found, *([last] if last else [])] == turns(row)


@given(probabilities)
def test_turns_are_in_order_inside_the_sound_and_never_overlap(row: list[float]):
    found = turns(row)
    assert all(before.end_ms <= after.start_ms for before, after in itertools.pairwise(found))
    assert all(0 <= turn.start_ms < turn.end_ms <= len(row) * FRAME_MS for turn in found)
    assert all(turn.duration_ms <= RULES.max_turn_ms + 2 * RULES.pad_ms for turn in found)


@given(probabilities)
def test_every_frame_of_certain_speech_that_lasts_is_in_a_turn(row: list[float]):
    found = turns(row)
    least = RULES.min_speech_ms // FRAME_MS
    for at in range(len(row) - least + 1):
        if all(value >= RULES.start_probability for value in row[at : at + least]):
            begin, end = at * FRAME_MS, (at + least) * FRAME_MS
            covered = sum(max(0, min(end, turn.end_ms) - max(begin, turn.start_ms)) for turn in found)
            assert covered == end - begin


@given(st.lists(st.floats(0, 0.49), max_size=200))
def test_where_nobody_speaks_there_is_no_turn(row: list[float]):
    assert turns(row) == []


@pytest.mark.parametrize(
    "rules",
    [
        {"start_probability": 0.3, "end_probability": 0.5},
        {"end_probability": 0.0},
        {"pad_ms": 300},
        {"max_turn_ms": 500},
    ],
)
def test_rules_that_contradict_each_other_are_refused(rules: dict[str, float]):
    with pytest.raises(ValueError, match=r"must|needed|too short"):
        TurnRules(**rules)  # type: ignore[arg-type]
