import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuanglu_media_ingest.domain.live.clock import JUMP_MS, Placed, RtpClock
from shuanglu_media_ingest.domain.live.rtp import Packet

RATE = 48_000
STEP = 960


def packet(number: int, arrived_ms: int, timestamp: int | None = None) -> Packet:
    return Packet(number, number * STEP if timestamp is None else timestamp, False, b"", arrived_ms)


def placed(packets: list[Packet], first_us: int = 0) -> list[Placed]:
    clock = RtpClock(RATE, first_us)
    return [each for one in packets for each in clock.take(one)] + clock.flush()


def off_ms(found: list[Placed]) -> list[float]:
    """By how much each packet misses the moment when it was made."""
    return [each.at * 1000 / RATE - each.packet.sequence * 20 for each in found]


@pytest.mark.parametrize("ppm", [-200, 0, 200])
def test_over_an_hour_a_sender_whose_clock_drifts_stays_within_40_ms(ppm: int):
    chance = random.Random(ppm)
    packets = [
        packet(number, number * 20 + 10 + int(chance.expovariate(1 / 15)), round(number * STEP * (1 + ppm / 1e6)))
        for number in range(180_000)
    ]
    found = placed(packets)
    assert len(found) == len(packets)
    misses = off_ms(found)
    assert max(misses) <= 40
    assert min(misses) >= -40
    # It never jumps: no packet is longer or shorter than a hundredth of its length.
    steps = [after.at - before.at for before, after in itertools.pairwise(found)]
    assert max(steps) - min(steps) <= STEP // 50


def test_a_first_packet_that_was_late_does_not_count_for_the_rest():
    packets = [packet(number, number * 20 + (200 if number < 3 else 0)) for number in range(500)]
    assert all(abs(miss) <= 1 for miss in off_ms(placed(packets)))


def test_a_way_that_becomes_longer_is_followed_slowly():
    packets = [packet(number, number * 20 + (0 if number < 1000 else 90)) for number in range(3000)]
    misses = off_ms(placed(packets))
    assert abs(misses[1100]) <= 5
    assert abs(misses[-1] - 90) <= 2


def test_what_the_network_had_stalled_lies_where_it_belongs():
    """Three seconds stand still and come within the next one."""
    packets = [packet(number, number * 20) for number in range(500)]
    stalled = [
        each if not 200 <= each.sequence < 350 else each._replace(arrived_ms=7000 + each.sequence) for each in packets
    ]
    found = placed(stalled)
    assert {each.epoch for each in found} == {1}
    assert all(abs(miss) <= 5 for miss in off_ms(found))


def test_a_queue_that_grows_and_is_worked_off_moves_nothing():
    """Chrome sends a large picture over two seconds; what is behind it waits, and catches up."""
    packets = [
        packet(number, number * 20 + max(0, min(10 * (number - 200), 1800, 1800 - 30 * (number - 450))))
        for number in range(600)
    ]
    found = placed(packets)
    assert {each.epoch for each in found} == {1}
    assert all(abs(miss) <= 5 for miss in off_ms(found))


@given(st.integers(JUMP_MS + 100, 60_000))
@settings(max_examples=20)
def test_a_clock_that_is_paused_goes_on_where_it_arrives(pause_ms: int):
    """Chrome's, when a track is taken away for a while: numbers and times go on as if nothing had been."""
    packets = [packet(number, number * 20 + (pause_ms if number >= 200 else 0)) for number in range(400)]
    found = placed(packets)
    misses = off_ms(found)
    assert all(abs(miss) <= 1 for miss in misses[:200])
    assert all(abs(miss - pause_ms) <= 1 for miss in misses[200:])


@given(st.integers(200, 300), st.integers(-(1 << 31), 1 << 31))
@settings(max_examples=40)
def test_one_time_that_cannot_be_moves_nothing_else(number: int, wrong: int):
    packets = [packet(each, each * 20) for each in range(500)]
    packets[number] = packets[number]._replace(timestamp=wrong)
    found = [each for each in placed(packets) if each.packet.sequence != number]
    assert len(found) == 499
    assert all(abs(miss) <= 1 for miss in off_ms(found))


def test_a_garbage_time_that_lies_ahead_is_refused_and_the_next_packet_knows():
    packets = [packet(number, number * 20) for number in range(300)]
    packets[100] = packets[100]._replace(timestamp=1 << 40)
    found = placed(packets)
    assert [each.packet.sequence for each in found if each.packet.after_loss] == [101]
    assert len(found) == 299


def test_a_clock_that_was_set_ahead_counts_anew():
    packets = [
        packet(number, number * 20, number * STEP + (RATE * 30 if number >= 150 else 0)) for number in range(300)
    ]
    found = placed(packets)
    assert all(abs(miss) <= 1 for miss in off_ms(found))
    assert {each.epoch for each in found} == {1, 2}


def test_another_sender_has_another_distance():
    packets = [packet(number, number * 20) for number in range(100)]
    packets += [packet(number, number * 20, number * STEP + 12_345_678) for number in range(100, 200)]
    packets[100] = packets[100]._replace(restarted=True)
    assert all(abs(miss) <= 1 for miss in off_ms(placed(packets)))


def test_positions_count_from_the_sessions_start():
    found = placed([packet(number, number * 20) for number in range(100)], first_us=2_500_000)
    assert found[0].at == RATE * 5 // 2


def test_sound_and_picture_of_one_sender_lie_together_though_their_first_packets_do_not():
    """The picture's first packets are paced over a tenth of a second, the sound's are not."""
    sound = [packet(number, number * 20 + 30 + number % 7) for number in range(500)]
    picture = [
        Packet(number, number * 6000, True, b"", number * 1000 // 15 + 30 + max(0, 120 - 10 * number))
        for number in range(150)
    ]
    clock = RtpClock(90_000, 0)
    seen = [each for one in picture for each in clock.take(one)]
    misses = [each.at / 90 - each.packet.sequence * 1000 / 15 for each in seen]
    heard = off_ms(placed(sound))
    assert max(abs(one - heard[-1]) for one in misses) <= 40


def test_the_file_of_a_sender_that_stops_at_once_is_placed_at_its_end():
    found = placed([packet(number, number * 20) for number in range(5)])
    assert [each.at for each in found] == [number * STEP for number in range(5)]
