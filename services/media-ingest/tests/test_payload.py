from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain import payload

NAL = st.binary(min_size=1, max_size=40).map(lambda data: b"\x65" + data.replace(b"\0", b"\1"))


@given(st.lists(st.tuples(NAL, st.booleans()), min_size=1, max_size=6))
def test_start_codes_of_both_lengths_become_lengths(units: list[tuple[bytes, bool]]):
    stream = b"".join((b"\0\0\0\1" if long else b"\0\0\1") + unit for unit, long in units)
    assert payload.with_lengths(stream) == b"".join(len(unit).to_bytes(4, "big") + unit for unit, _ in units)


def test_access_unit_delimiters_are_dropped():
    assert payload.with_lengths(b"\0\0\0\1\x09\xf0\0\0\1\x65a") == b"\0\0\0\2\x65a"
    assert payload.with_lengths(b"\0\0\0\1\x46\x01\x50\0\0\1\x26\x01a", hevc=True) == b"\0\0\0\3\x26\x01a"


def test_a_configuration_record_is_not_annex_b():
    assert not payload.is_annex_b(b"\x01d\x00\r")
    assert payload.is_annex_b(b"\0\0\0\1g")
    assert payload.is_annex_b(b"\0\0\1g")


def test_adts_headers_tell_the_configuration_and_go():
    packet = b"\xff\xf1\x4c\x80\x01\x7f\xfc" + b"frame"
    assert payload.is_adts(packet)
    assert payload.adts_configuration(packet) == bytes.fromhex("1190")
    assert payload.without_adts(packet) == b"frame"


def test_adts_with_crc_has_a_longer_header():
    assert payload.without_adts(b"\xff\xf0\x4c\x80\x01\x7f\xfc" + b"cc" + b"frame") == b"frame"


def test_raw_aac_is_not_adts():
    assert not payload.is_adts(b"!\x1a\x8f\xff\xff\xfc\x00\x01")


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 4), st.integers(0, 5))
def test_units_that_fill_the_data_are_whole_and_zeros_behind_them_are_padding(
    units: list[bytes], size: int, padding: int
):
    data = b"".join(len(unit).to_bytes(size, "big") + unit for unit in units)
    assert payload.has_whole_units(data, size)
    assert payload.has_whole_units(memoryview(data), size)
    assert payload.has_whole_units(data + bytes(padding), size)


@given(st.binary(min_size=1, max_size=40), st.integers(1, 39))
def test_a_unit_that_breaks_off_is_not_whole(unit: bytes, missing: int):
    data = len(unit).to_bytes(4, "big") + unit
    assert not payload.has_whole_units(data[: -min(missing, len(unit))], 4)
    assert not payload.has_whole_units(data + b"\1", 4)


def test_the_size_of_lengths_stands_in_the_configuration():
    assert payload.length_size("h264", b"\1" + bytes(3) + b"\xff") == 4
    assert payload.length_size("h264", b"\1" + bytes(3) + b"\xfd") == 2
    assert payload.length_size("hevc", b"\1" + bytes(20) + b"\xff") == 4
    assert payload.length_size("h264", b"\0\0\0\1\x67") == 0
    assert payload.length_size("hevc", b"\1") == 0
    assert payload.length_size("aac", b"\1" + bytes(3) + b"\xff") == 0


def test_an_adts_frame_is_as_long_as_it_says():
    frame = bytes((0xFF, 0xF1, 0x4C, 0x80 | (20 >> 11), 20 >> 3 & 0xFF, (20 & 7) << 5, 0xFC)) + bytes(13)
    assert payload.is_whole_adts(frame)
    assert not payload.is_whole_adts(frame[:-1])
    assert not payload.is_whole_adts(b"\0" * 20)
