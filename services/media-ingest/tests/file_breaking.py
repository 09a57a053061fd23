"""Ways to break a file."""

import random
from collections.abc import Callable
from pathlib import Path

from file_pack import made


def cut(data: bytes, share: float) -> bytes:
    """Only the first part is left: a copy that stopped, a recorder that lost power."""
    return data[: int(len(data) * share)]


def noise(data: bytes, begin: float, length: int, seed: int = 1) -> bytes:
    """Bytes in the middle are not what they were."""
    at = int(len(data) * begin)
    return data[:at] + random.Random(seed).randbytes(length) + data[at + length :]


def hole(data: bytes, begin: float, length: int) -> bytes:
    """Bytes in the middle are gone."""
    at = int(len(data) * begin)
    return data[:at] + data[at + length :]


def number_behind(data: bytes, mark: bytes, offset: int, size: int, value: int, order: str = "big") -> bytes:
    """A field lies."""
    at = data.index(mark) + len(mark) + offset
    return data[:at] + value.to_bytes(size, order) + data[at + size :]  # type: ignore[arg-type]


def written(folder: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """A file of the pack, changed."""
    path = folder / f"broken-{name}"
    path.write_bytes(change(made(name).read_bytes()))
    return path
