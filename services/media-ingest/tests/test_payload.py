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
