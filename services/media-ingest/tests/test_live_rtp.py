import itertools
from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from live_sender import Frame, Sent, arrived, fake_sound, rtp, sent

from shuanglu_media_ingest.domain.live.rtp import MAX_LEAP, WAIT_MS, Packet, Sequencer, parse
from shuanglu_media_ingest.domain.survey import Medium


def ordered(packets: list[Sent]) -> tuple[Sequencer, list[Packet]]:
    sequencer = Sequencer()
    out = [found for each in packets for found in sequencer.add(each.packet, each.arrived_ms)]
    return sequencer, out + sequencer.flush()


def numbers(packets: list[Packet]) -> list[int]:
    return [int.from_bytes(packet.payload[1:], "big") for packet in packets]


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_numbers_and_times_go_on_where_their_bits_end(sequence: int, timestamp: int):
    _, out = ordered(sent(fake_sound(2), Medium.AUDIO, sequence=sequence, timestamp=timestamp))
    assert numbers(out) == list(range(100))
    assert {after.sequence - before.sequence for before, after in itertools.pairwise(out)} == {1}
    assert {after.timestamp - before.timestamp for before, after in itertools.pairwise(out)} == {960}


@given(st.lists(st.tuples(st.integers(0, WAIT_MS - 100), st.booleans()), min_size=120, max_size=120))
def test_late_packets_and_repeats_come_out_once_and_in_order(delays: list[tuple[int, bool]]):
    made = sent(fake_sound(2.4), Medium.AUDIO, sequence=0xFFF0)
    # The first one is not overtaken by more than the start waits for.
    late = [replace(each, arrived_ms=each.arrived_ms + delay) for each, (delay, _) in zip(made, delays, strict=True)]
    late[0] = made[0]
    twice = [
        replace(each, arrived_ms=each.arrived_ms + 30) for each, (_, again) in zip(late, delays, strict=True) if again
    ]
    sequencer, out = ordered(arrived(late + twice))
    assert numbers(out) == list(range(120))
    assert not any(packet.after_loss for packet in out)
    assert sequencer.lost == 0
    assert sequencer.repeated + sequencer.late == len(twice)


@given(st.sets(st.integers(1, 298), max_size=80))
def test_what_is_lost_is_counted_and_marked(gone: set[int]):
    made = [each for number, each in enumerate(sent(fake_sound(6), Medium.AUDIO)) if number not in gone]
    sequencer, out = ordered(made)
    kept = [number for number in range(300) if number not in gone]
    assert numbers(out) == kept
    assert [packet.after_loss for packet in out] == [number > 0 and number - 1 in gone for number in kept]
    assert sequencer.lost == len(gone)


def test_packets_behind_a_lost_one_wait_no_longer_than_they_must():
    sequencer, made = Sequencer(), sent(fake_sound(4), Medium.AUDIO)
    out_at = {}
    for number, each in enumerate(made):
        if number != 50:
            for packet in sequencer.add(each.packet, each.arrived_ms):
                out_at[packet.sequence] = each.arrived_ms
    assert out_at[49] == made[49].arrived_ms
    assert out_at[51] == made[51].arrived_ms + WAIT_MS
    assert out_at[150] == made[150].arrived_ms


def test_the_share_of_lost_packets_is_that_of_the_last_seconds():
    sequencer, made = Sequencer(), sent(fake_sound(20), Medium.AUDIO)
    for number, each in enumerate(made):
        if not 200 <= number < 250:
            sequencer.add(each.packet, each.arrived_ms)
        if number == 310:
            assert 150 <= sequencer.lost_permille() <= 250
    assert sequencer.lost_permille() == 0


def test_another_sender_begins_anew_when_two_packets_say_so():
    first = sent(fake_sound(1), Medium.AUDIO, sequence=10, source=1)
    second = sent(fake_sound(1), Medium.AUDIO, sequence=60_000, timestamp=77, source=2)
    second = [replace(each, arrived_ms=each.arrived_ms + 1000) for each in second]
    _, out = ordered(first + second)
    assert numbers(out) == [*range(50), *range(50)]
    assert [number for number, packet in enumerate(out) if packet.restarted] == [50]
    assert out[50].after_loss


def test_one_packet_of_another_sender_or_far_ahead_is_refused():
    made = sent(fake_sound(1), Medium.AUDIO)
    made.insert(20, Sent(Fraction(0), 400, rtp(21, 20 * 960, b"\x78", source=99)))
    made.insert(30, Sent(Fraction(0), 560, rtp(20_000, 20 * 960, b"\x78")))
    sequencer, out = ordered(made)
    assert numbers(out) == list(range(50))
    assert sequencer.refused >= 1


def test_a_long_cut_is_loss_of_the_same_sender():
    made = sent(fake_sound(100), Medium.AUDIO)
    sequencer, out = ordered(made[:50] + made[50 + MAX_LEAP + 500 :])
    assert len(out) == len(made) - MAX_LEAP - 500
    assert [number for number, packet in enumerate(out) if packet.after_loss] == [50]
    assert sequencer.lost == MAX_LEAP + 500
    assert not any(packet.restarted for packet in out)


def test_extensions_sources_and_padding_are_taken_off():
    head = bytes([0x80 | 0x10 | 0x20 | 2, 96 | 0x80]) + (5).to_bytes(2, "big") + (9).to_bytes(4, "big") + bytes(4)
    data = head + bytes(8) + b"\xbe\xde\x00\x01" + bytes(4) + b"body" + b"\0\0\3"
    found = parse(data)
    assert found is not None
    assert (found.payload, found.marker, found.sequence, found.timestamp) == (b"body", True, 5, 9)


@given(st.binary(max_size=60))
def test_rubbish_is_refused_and_never_raises(rubbish: bytes):
    sequencer = Sequencer()
    sequencer.add(rubbish, 0)
    assert parse(rubbish) is None or len(rubbish) >= 12


def test_padding_that_probes_the_network_keeps_its_number():
    made = sent([Frame(Fraction(0), (b"\x78",))], Medium.AUDIO)
    probe = Sent(Fraction(0), 5, bytes([0xA0]) + rtp(1, 0, b"\0\0\3")[1:])
    _, out = ordered([*made, probe])
    assert [packet.payload for packet in out] == [b"\x78", b""]
