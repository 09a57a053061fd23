from dataclasses import replace
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_sender import PPS, SPS, Frame, Sent, fake_pictures, packetised, pictures, rtp, sent

from shuanglu_media_ingest.domain.live import sps
from shuanglu_media_ingest.domain.live.clock import Placed
from shuanglu_media_ingest.domain.live.h264 import Picture, Pictures
from shuanglu_media_ingest.domain.live.rtp import Sequencer
from shuanglu_media_ingest.domain.survey import Medium


def collected(packets: list[Sent]) -> tuple[Pictures, list[Picture]]:
    sequencer, found, out = Sequencer(), Pictures(), list[Picture]()
    ordered = [packet for each in packets for packet in sequencer.add(each.packet, each.arrived_ms)]
    for packet in ordered + sequencer.flush():
        out += found.add(Placed(packet, packet.timestamp, 1))
    return found, out


def as_sample(units: tuple[bytes, ...]) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def number_of(picture: Picture) -> int:
    return int.from_bytes(picture.data[-4:], "big")


@given(st.integers(4, 6000))
def test_pictures_of_any_size_come_out_as_they_went_in(size_bytes: int):
    frames = fake_pictures(2, size_bytes=size_bytes)
    _, out = collected(sent(frames, Medium.VIDEO))
    assert [picture.data for picture in out] == [as_sample(frame.units) for frame in frames]
    assert [picture.at for picture in out] == [round(frame.at_s * 90_000) for frame in frames]
    assert [picture.key for picture in out] == [number % 15 == 0 for number in range(30)]


@given(st.sets(st.integers(0, 200), min_size=1, max_size=6))
def test_a_lost_packet_takes_its_picture_and_those_that_build_on_it(gone: set[int]):
    frames = fake_pictures(4, size_bytes=3000)
    packets = sent(frames, Medium.VIDEO)
    _, out = collected([each for number, each in enumerate(packets) if number not in gone])
    shown = {number_of(picture) for picture in out}
    hurt = {round(packets[number].made_s * 15) for number in gone if number < len(packets)}
    for number in range(60):
        group = range(number - number % 15, number + 1)
        assert (number in shown) == (not hurt & set(group))


def test_the_first_picture_is_a_key_frame():
    _, out = collected(sent(fake_pictures(3)[5:], Medium.VIDEO))
    assert (number_of(out[0]), out[0].key, len(out)) == (15, True, 30)


def test_a_lost_packet_between_pictures_costs_up_to_the_next_key_frame():
    packets = sent(fake_pictures(2), Medium.VIDEO)
    found, out = collected([each for each in packets if each.made_s != Fraction(10, 15)])
    assert [number_of(picture) for picture in out] == [*range(10), *range(15, 30)]
    assert found.dropped == 4


def test_a_key_frame_without_parameter_sets_gets_those_before():
    frames = fake_pictures(2)
    frames[15] = replace(frames[15], units=frames[15].units[2:])
    _, out = collected(sent(frames, Medium.VIDEO))
    assert out[15].data == as_sample((SPS, PPS, *frames[15].units))


def test_a_key_frame_whose_parameter_sets_were_lost_is_not_shown():
    """They may have said another size."""
    packets = sent(fake_pictures(3), Medium.VIDEO)
    lost = next(number for number, each in enumerate(packets) if each.made_s == 1)
    _, out = collected(packets[:lost] + packets[lost + 1 :])
    assert [number_of(picture) for picture in out] == [*range(15), *range(30, 45)]


def test_a_picture_without_a_marker_ends_where_the_next_one_begins():
    packets = sent(fake_pictures(1), Medium.VIDEO)
    bare = [
        replace(each, packet=each.packet[:1] + bytes([each.packet[1] & 0x7F]) + each.packet[2:]) for each in packets
    ]
    assert len(collected(bare)[1]) == 14


def test_delimiters_and_filling_are_left_out():
    frames = [Frame(Fraction(0), (b"\x09\xf0", SPS, PPS, b"\x65\x88\0\0\0\1", b"\x0c\xff\xff\x80"))]
    _, out = collected(sent(frames, Medium.VIDEO))
    assert [picture.data for picture in out] == [as_sample((SPS, PPS, b"\x65\x88\0\0\0\1"))]


@given(rubbish=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30), marker=st.booleans())
def test_rubbish_never_raises_and_never_stops_what_follows(*, rubbish: list[bytes], marker: bool):
    good = sent(fake_pictures(1), Medium.VIDEO, sequence=len(rubbish), timestamp=90_000)
    bad = [Sent(Fraction(0), 0, rtp(number, 7, data, marker=marker)) for number, data in enumerate(rubbish)]
    _, out = collected(bad + good)
    assert [number_of(picture) for picture in out][-14:] == list(range(1, 15))


@pytest.mark.parametrize("first", [b"\x7c\x45", b"\x79\0", b"\x78\0\x09ab", b"\x78\0\0", b"\xe5\x88", b"\x60"])
def test_what_the_mode_does_not_allow_is_refused(first: bytes):
    found, out = collected([Sent(Fraction(0), 0, rtp(0, 0, first, marker=True))])
    assert (found.malformed, out) == (1, [])


@pytest.mark.parametrize(
    "size", [(160, 120), (640, 480), (480, 640), (1280, 720), (1920, 1080), (322, 242), (354, 288)]
)
@pytest.mark.parametrize("profile", ["baseline", "high", "high444"])
def test_sizes_are_those_that_ffmpeg_reads(size: tuple[int, int], profile: str):
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv444p" if profile == "high444" else "yuv420p"
    encoder.time_base, encoder.options = Fraction(1, 15), {"profile": profile, "preset": "ultrafast"}
    picture = av.VideoFrame(*size, encoder.pix_fmt)
    picture.pts = 0
    data = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    unit = next(each.rstrip(b"\0") for each in data.split(b"\0\0\1") if each and each[0] & 0x1F == 7)
    assert sps.size(unit) == sps.Size(*size)


@given(st.binary(max_size=40))
def test_a_damaged_parameter_set_is_refused_or_has_a_size(data: bytes):
    try:
        size = sps.size(b"\x67" + data)
    except sps.SpsDamaged:
        return
    assert size.width > 0
    assert size.height > 0


def test_what_an_encoder_made_is_what_comes_out():
    frames = pictures(1, size=(640, 480))
    assert any(len(packetised(frame.units)) > 3 for frame in frames)
    _, out = collected(sent(frames, Medium.VIDEO, sequence=65_500))
    assert [picture.data for picture in out] == [as_sample(frame.units) for frame in frames]
