import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_sender import ORIGIN_US, Sent, fake_sound, mjr, sent

from shuanglu_media_ingest.domain.live.mjr import Damage, Header, Item, MjrParser, NotMjr, Record
from shuanglu_media_ingest.domain.survey import Medium

PACKETS = sent(fake_sound(0.5), Medium.AUDIO)
FILE = mjr(PACKETS, Medium.AUDIO)
HEADER_END = FILE.index(b"MEET")


def parsed(data: bytes, offset: int = 0) -> list[Item]:
    parser = MjrParser(offset)
    return parser.feed(data[offset:]) + parser.finish()


def packets_of(items: list[Item]) -> list[bytes]:
    return [item.packet for item in items if isinstance(item, Record)]


def test_a_file_gives_its_header_and_every_packet_with_its_arrival():
    header, *found = parsed(FILE)
    assert header == Header(Medium.AUDIO, "opus", ORIGIN_US, HEADER_END)
    assert [(item.arrived_ms, item.packet) for item in found if isinstance(item, Record)] == [
        (each.arrived_ms, each.packet) for each in PACKETS
    ]
    assert found[-1].end_offset == len(FILE)


@given(st.lists(st.integers(0, len(FILE)), max_size=8))
def test_it_does_not_matter_how_the_bytes_are_divided(cuts: list[int]):
    parser, found, edges = MjrParser(), list[Item](), [0, *sorted(cuts), len(FILE)]
    for start, end in itertools.pairwise(edges):
        found += parser.feed(FILE[start:end])
        assert parser.read_to == end
    assert found + parser.finish() == parsed(FILE)


@given(st.integers(0, len(FILE)))
def test_a_file_that_ends_in_the_middle_gives_the_whole_records_before(end: int):
    found, every = parsed(FILE[:end]), parsed(FILE)
    assert found == every[: len(found)]
    assert len(found) == sum(1 for item in every if item.end_offset <= end)


def test_reading_goes_on_from_any_item():
    every = parsed(FILE)
    for number, item in enumerate(every):
        assert parsed(FILE, item.end_offset) == every[number + 1 :]


@given(st.integers(1, len(PACKETS) - 8), st.integers(1, 60), st.binary(max_size=40))
def test_lost_bytes_and_rubbish_are_told_and_reading_goes_on(number: int, gone: int, rubbish: bytes):
    starts = [HEADER_END + sum(10 + len(each.packet) for each in PACKETS[:count]) for count in range(len(PACKETS))]
    start = starts[number]
    data = FILE[: start + 3] + rubbish + FILE[start + 3 + gone :]
    found = parsed(data)
    # Nothing is made up, and what lies behind the damage is there. The record before it is doubtful and goes with it.
    assert set(packets_of(found)) <= {each.packet for each in PACKETS}
    assert packets_of(found)[-1] == PACKETS[-1].packet
    assert packets_of(found)[: number - 1] == [each.packet for each in PACKETS[: number - 1]]


def test_a_record_that_breaks_off_before_the_next_one_is_damage():
    one, two = (mjr([Sent(each.made_s, 0, each.packet)], Medium.AUDIO)[HEADER_END:] for each in PACKETS[:2])
    found = parsed(FILE[:HEADER_END] + one + two[:-3] + one + two)
    assert [type(item) for item in found] == [Header, Record, Damage, Record, Record]


@pytest.mark.parametrize("data", [b"MJR00003", b"RIFF", b"MJR00002\x00\x02{}", b"MJR00002\x00\x03abc"])
def test_another_file_is_refused_with_the_place(data: bytes):
    with pytest.raises(NotMjr, match="at byte"):
        parsed(data)


@given(st.binary(max_size=3000))
def test_rubbish_behind_the_header_gives_damage_or_nothing(rubbish: bytes):
    found = parsed(FILE[:HEADER_END] + rubbish)
    assert found[0] == parsed(FILE)[0]
    assert all(each.end_offset <= HEADER_END + len(rubbish) for each in found)
