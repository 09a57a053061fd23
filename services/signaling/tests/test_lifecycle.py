"""Where a session stands, whatever the order of events."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_signaling.domain.lifecycle import Progress
from shuanglu_signaling.domain.words import SessionState

Fact = Callable[[Progress], Progress]
IMPORTS = st.sampled_from(["import-a", "import-b"])
TIMES = st.integers(1, 5)


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    kind, import_id, at_us = draw(st.integers(0, 3)), draw(IMPORTS), draw(TIMES)
    reason = draw(st.sampled_from(["NOT_A_RECORDING", "FILE_DAMAGED"]))
    return [
        lambda now: now.import_requested(import_id, at_us),
        lambda now: now.import_failed(import_id, reason, at_us),
        lambda now: now.recording_completed(at_us),
        lambda now: now.report_ready(at_us),
    ][kind]


def after(*told: Fact) -> Progress:
    progress = Progress()
    for fact in told:
        progress = fact(progress)
    return progress


def requested(import_id: str = "a", at_us: int = 1) -> Fact:
    return lambda now: now.import_requested(import_id, at_us)


def failed(import_id: str = "a", reason: str = "FILE_DAMAGED", at_us: int = 2) -> Fact:
    return lambda now: now.import_failed(import_id, reason, at_us)


def completed(now: Progress) -> Progress:
    return now.recording_completed(3)


def reported(now: Progress) -> Progress:
    return now.report_ready(4)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ((), SessionState.CREATED),
        ((requested(),), SessionState.RECORDING),
        ((requested(), failed()), SessionState.FAILED),
        ((failed(), requested()), SessionState.FAILED),
        ((requested(), failed(), requested("b", 3)), SessionState.RECORDING),
        ((requested(), failed(), requested("b", 3), completed), SessionState.INSPECTING),
        ((completed, requested()), SessionState.INSPECTING),
        ((reported, completed, requested()), SessionState.REPORTED),
        ((requested(), completed, reported, failed()), SessionState.REPORTED),
    ],
)
def test_the_state_follows_from_the_facts(told: tuple[Fact, ...], state: SessionState) -> None:
    assert after(*told).state is state


def test_the_newest_failure_tells_why() -> None:
    progress = after(failed("b", "NO_MEDIA", 9), failed("a", "FILE_DAMAGED", 5))
    assert progress.failure_reason == "NO_MEDIA"


def test_a_session_that_has_not_failed_has_no_reason() -> None:
    assert after(failed(), requested("b")).failure_reason == ""


@given(st.lists(facts(), max_size=8), st.randoms(use_true_random=False))
def test_order_and_repeats_change_nothing(told: list[Fact], chance: object) -> None:
    shuffled = told + told[:3]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert after(*shuffled) == after(*told)


@given(st.lists(facts(), max_size=8), facts())
def test_a_report_is_never_taken_back(told: list[Fact], late: Fact) -> None:
    assert after(*told, reported, late).state is SessionState.REPORTED
