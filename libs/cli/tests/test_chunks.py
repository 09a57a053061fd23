import base64
import hashlib
import io

import pytest

from shuanglu_cli.chunks import Chunks

DATA = bytes(range(256)) * 5


@pytest.mark.parametrize("size", [1, 100, 1280, 5000])
def test_chunks_are_the_file_with_their_checksums(size: int) -> None:
    with Chunks(io.BytesIO(DATA), size) as chunks:
        offset, found = 0, b""
        while (chunk := chunks.at(offset)).data:
            assert chunk.checksum == base64.b64encode(hashlib.sha256(chunk.data).digest()).decode()
            found, offset = found + chunk.data, chunk.end
    assert found == DATA


def test_a_chunk_may_be_asked_for_again_or_from_the_middle() -> None:
    with Chunks(io.BytesIO(DATA), 100) as chunks:
        assert [chunks.at(offset).data for offset in (0, 0, 40, 140, 1279, 1280)] == [
            DATA[:100],
            DATA[:100],
            DATA[40:140],
            DATA[140:240],
            DATA[1279:],
            b"",
        ]


def test_a_file_that_cannot_be_read_is_told() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("bad sector")

    with Chunks(Broken(DATA), 100) as chunks, pytest.raises(OSError, match="bad sector"):
        chunks.at(0)


def test_chunks_grow_on_a_quick_line_and_shrink_on_a_slow_one() -> None:
    with Chunks(io.BytesIO(bytes(10_000)), 100) as chunks:
        sizes, offset = [], 0
        for seconds in (0.1, 0.1, 0.1, 0.1, 9, 9, 9, 9, 1):
            chunk = chunks.at(offset)
            chunks.took(seconds)
            sizes.append(len(chunk.data))
            offset = chunk.end
    # One chunk is always read ahead, with the size of that moment.
    assert sizes[0] == 100
    assert max(sizes) == 400
    assert sizes[-1] == 100
