import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain import tus
from shuanglu_media_ingest.domain.tus import HeaderInvalid

ID = "0123456789abcdef" * 2


@given(st.integers(0, 10**18 - 1))
def test_numbers_are_read_back(value: int):
    assert tus.number("Upload-Length", str(value)) == value


@pytest.mark.parametrize("value", [None, "", "-1", "+1", "1.0", "０", "01", "1" + "0" * 18, " 1"])
def test_other_numbers_are_refused(value: str | None):
    with pytest.raises(HeaderInvalid, match="Upload-Length"):
        tus.number("Upload-Length", value)


@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,8}\Z"), st.binary(max_size=20), max_size=5))
def test_metadata_is_read_back(values: dict[str, bytes]):
    header = ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in values.items())
    assert tus.metadata(header) == values


def test_a_key_without_a_value_is_allowed():
    assert tus.metadata("is_confidential") == {"is_confidential": b""}


@pytest.mark.parametrize("value", ["a !!", "a YQ==,a YQ==", "ä YQ==", ",", "a " + "A" * 5000])
def test_broken_metadata_is_refused(value: str):
    with pytest.raises(HeaderInvalid):
        tus.metadata(value)


@pytest.mark.parametrize("algorithm", tus.CHECKSUMS)
def test_checksums_are_read(algorithm: str):
    digest = hashlib.new(algorithm, b"x").digest()
    found = tus.checksum(f"{algorithm} {base64.b64encode(digest).decode()}")
    assert found == tus.Checksum(algorithm, digest)
    assert tus.checksum(None) is None


@pytest.mark.parametrize("value", ["", "sha1", "crc32 YQ==", "sha256 YQ==", "sha1 %%%"])
def test_broken_checksums_are_refused(value: str):
    with pytest.raises(HeaderInvalid):
        tus.checksum(value)


def test_concatenation_takes_urls_of_any_shape():
    found = tus.concat(f"final;/files/{ID} https://bank.example/files/{ID}/")
    assert found == tus.Concat(partial=False, parts=(ID, ID))
    assert tus.concat("partial") == tus.Concat(partial=True)
    assert tus.concat(None) is None


@pytest.mark.parametrize("value", ["", "final", "final;", "final;/files/../../x", "whole", f"partial;/files/{ID}"])
def test_broken_concatenation_is_refused(value: str):
    with pytest.raises(HeaderInvalid):
        tus.concat(value)
