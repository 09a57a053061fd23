import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_common.sealing import HEADER_BYTES, SealBroken, Sealer, expiry_us, read_master_key

SEALER = Sealer(bytes(range(32)))


@given(data=st.binary(max_size=200), expiry=st.integers(0, 2**63 - 1))
def test_what_was_sealed_opens_in_its_place(data: bytes, expiry: int) -> None:
    sealed = SEALER.seal("bank", "s1", "transcripts/a/0", data, expiry)
    assert SEALER.open("bank", "s1", "transcripts/a/0", sealed) == data
    assert expiry_us(sealed) == expiry


@given(data=st.binary(min_size=1, max_size=50), at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_changed_byte_breaks_the_seal(data: bytes, at: int, flip: int) -> None:
    sealed = bytearray(SEALER.seal("bank", "s1", "x", data))
    sealed[at % len(sealed)] ^= flip
    with pytest.raises(SealBroken):
        SEALER.open("bank", "s1", "x", bytes(sealed))


@pytest.mark.parametrize("place", [("other", "s1", "x"), ("bank", "s2", "x"), ("bank", "s1", "y")])
def test_a_sealed_object_cannot_be_moved(place: tuple[str, str, str]) -> None:
    with pytest.raises(SealBroken):
        SEALER.open(*place, SEALER.seal("bank", "s1", "x", b"secret"))


def test_a_truncated_object_is_refused() -> None:
    sealed = SEALER.seal("bank", "s1", "x", b"")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            SEALER.open("bank", "s1", "x", sealed[:length])


def test_the_same_work_gives_the_same_bytes_and_other_work_another_nonce() -> None:
    first = SEALER.seal("bank", "s1", "x", b"one")
    assert first == SEALER.seal("bank", "s1", "x", b"one")
    assert first[12:HEADER_BYTES] != SEALER.seal("bank", "s1", "x", b"two")[12:HEADER_BYTES]


def test_a_master_key_of_wrong_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text(base64.b64encode(b"short").decode())
    with pytest.raises(ValueError, match="32 bytes"):
        read_master_key(path)
