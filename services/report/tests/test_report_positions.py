from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_report.domain.positions import local_time, money, position, quantity, stretch


@pytest.mark.parametrize(
    ("at_ms", "text"), [(0, "00:00.0"), (72_499, "01:12.4"), (3_723_999, "62:03.9"), (-5, "00:00.0")]
)
def test_positions_are_minutes_seconds_and_tenths(at_ms: int, text: str) -> None:
    assert position(at_ms) == text


@given(st.integers(0, 24 * 3_600_000))
def test_seeking_to_a_written_position_never_lands_behind(at_ms: int) -> None:
    minutes, seconds = position(at_ms).split(":")
    read_ms = int(minutes) * 60_000 + round(float(seconds) * 1000)
    assert 0 <= at_ms - read_ms < 100


def test_a_stretch_without_length_is_one_position() -> None:
    assert stretch(1000, 1000) == "00:01.0"
    assert stretch(1000, 2500) == "00:01.0–00:02.5"


def test_times_are_local_with_their_offset() -> None:
    at_us = 1_795_399_351_000_000
    assert local_time(at_us, timezone(timedelta(hours=8))) == "2026-11-23 10:02:31 +08:00"
    assert local_time(at_us, UTC) == "2026-11-23 02:02:31 +00:00"
    assert local_time(0, UTC) == ""


def test_money_has_its_sign_or_its_code() -> None:
    assert money(8_000_000, "CNY") == "¥80,000.00"
    assert money(123_456, "CHF") == "CHF 1,234.56"
    assert money(5, "") == "0.05"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9731, "ratio", "97.3 %"),
        (5.42, "s", "5.4 秒 s"),
        (0.62, "cosine", "0.62"),
        (2, "persons", "2 人 persons"),
        (1.5, "lux", "1.50 lux"),
    ],
)
def test_measured_values_have_their_unit(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text
