"""Beats that stand still, and consumers that do: judged by a monotonic clock of one's own."""

from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain.leases import LEASE_S, Beat, Watch
from shuanglu_media_ingest.domain.pressure import STALL_S, Gate, Judge, Lag
from shuanglu_media_ingest.domain.queue import RETRY_DELAYS_S, delay_s

LIMITS = {"face-check": 200, "asr-windows": 64}


def beat(count: int, import_id: str = "i", lease: str = "l") -> Beat:
    return Beat("bank-a", import_id, lease, count)


def test_a_beat_that_stands_still_for_a_lease_is_abandoned() -> None:
    watch = Watch()
    assert watch.abandoned([beat(1)], 100.0) == []
    assert watch.abandoned([beat(1)], 100.0 + LEASE_S - 0.1) == []
    assert watch.abandoned([beat(1)], 100.0 + LEASE_S) == [beat(1)]


@given(st.lists(st.floats(0.1, LEASE_S - 0.1), max_size=50))
def test_a_beat_that_moves_is_never_abandoned(pauses: list[float]) -> None:
    watch, now_s = Watch(), 0.0
    for count, pause_s in enumerate(pauses):
        now_s += pause_s
        assert watch.abandoned([beat(count)], now_s) == []


def test_a_new_worker_of_the_same_import_has_a_lease_of_its_own() -> None:
    watch = Watch()
    watch.abandoned([beat(1)], 0.0)
    assert watch.abandoned([beat(1, lease="other")], LEASE_S) == []
    assert watch.abandoned([beat(1, lease="other")], 2 * LEASE_S) == [beat(1, lease="other")]


def test_one_that_has_ended_is_forgotten() -> None:
    watch = Watch()
    watch.abandoned([beat(1)], 0.0)
    watch.abandoned([], 1.0)
    assert watch.abandoned([beat(1)], LEASE_S + 0.5) == []


def test_short_queues_hold_nobody_up() -> None:
    judge = Judge(LIMITS)
    assert judge.judge([Lag("face-check", 199, 5), Lag("asr-windows", 63, 5)], 0.0) is Gate.OPEN
    assert judge.judge([], 1.0) is Gate.OPEN


def test_one_long_queue_that_moves_holds_up() -> None:
    judge = Judge(LIMITS)
    for second in range(100):
        lags = [Lag("face-check", 0, 5), Lag("asr-windows", 64, second)]
        assert judge.judge(lags, float(second)) is Gate.CLOSED


def test_a_long_queue_that_stands_still_only_slows() -> None:
    judge = Judge(LIMITS)
    stuck = [Lag("face-check", 1000, 7)]
    assert judge.judge(stuck, 0.0) is Gate.CLOSED
    assert judge.judge(stuck, STALL_S) is Gate.TRICKLE
    assert judge.judge([Lag("face-check", 1000, 8)], STALL_S + 1) is Gate.CLOSED


def test_a_stalled_consumer_does_not_hide_another_one_that_is_behind() -> None:
    judge = Judge(LIMITS)
    stuck = Lag("face-check", 1000, 7)
    judge.judge([stuck, Lag("asr-windows", 100, 1)], 0.0)
    assert judge.judge([stuck, Lag("asr-windows", 100, 2)], STALL_S) is Gate.CLOSED


def test_an_idle_consumer_is_not_taken_for_a_stalled_one_when_work_comes() -> None:
    judge = Judge(LIMITS)
    judge.judge([Lag("face-check", 0, 7)], 0.0)
    assert judge.judge([Lag("face-check", 500, 7)], 10 * STALL_S) is Gate.CLOSED


def test_delays_grow_and_end_growing() -> None:
    delays = [delay_s(times) for times in range(1, 20)]
    assert delays == sorted(delays)
    assert delays[-1] == RETRY_DELAYS_S[-1]
