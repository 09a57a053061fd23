import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_asr.domain.loudness import LoudnessMeter, dbfs


@pytest.mark.parametrize(
    ("amplitude", "level"), [(1, 0), (0.1, -20), (0, -120), (1e-9, -120), (1.5, 0), (math.nan, -120)]
)
def test_amplitudes_in_dbfs(amplitude: float, level: float):
    assert dbfs(amplitude) == pytest.approx(level)


def test_seconds_are_the_sessions_and_the_first_and_last_may_be_shorter():
    meter = LoudnessMeter(1000)
    meter.add(1500, 500, 500 * 0.01, 0.2)
    meter.add(2000, 1000, 0, 0)
    meter.add(3000, 250, 250 * 1.0, 1)
    levels = [(one.start_ms, one.end_ms, one.rms_dbfs, one.peak_dbfs) for one in meter.finish()]
    assert levels == [(1500, 2000, -20, -13.98), (2000, 3000, -120, -120), (3000, 3250, 0, 0)]


def test_no_sound_has_no_level():
    assert LoudnessMeter(1000).finish() == ()


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 1)), min_size=1, max_size=20))
def test_pieces_of_any_size_give_the_same_levels(pieces: list[tuple[int, float]]):
    fine, coarse = LoudnessMeter(10_000), LoudnessMeter(10_000)
    at = 0
    for count, level in pieces:
        coarse.add(at, count, count * level**2, level)
        for one in range(count):
            fine.add(at + one, 1, level**2, level)
        at += count
    for left, right in zip(fine.finish(), coarse.finish(), strict=True):
        assert (left.start_ms, left.end_ms, left.peak_dbfs) == (right.start_ms, right.end_ms, right.peak_dbfs)
        assert left.rms_dbfs == pytest.approx(right.rms_dbfs, abs=0.011)
