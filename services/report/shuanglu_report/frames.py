"""Byte strings over a pipe: how many, how long each is, then the bytes. Between the service and its press only."""

import struct
from collections.abc import Sequence

_COUNT = struct.Struct(">I")
_LENGTH = struct.Struct(">Q")


def pack(parts: Sequence[bytes]) -> bytes:
    """The parts as one byte string."""
    lengths = b"".join(_LENGTH.pack(len(part)) for part in parts)
    return b"".join((_COUNT.pack(len(parts)), lengths, *parts))


def unpack(data: bytes) -> list[bytes]:
    """The parts again. ValueError unless they are exactly what `pack` made."""
    try:
        (count,) = _COUNT.unpack_from(data)
        lengths = [_LENGTH.unpack_from(data, _COUNT.size + _LENGTH.size * number)[0] for number in range(count)]
    except struct.error as error:
        raise ValueError("the parts are cut short") from error
    at = _COUNT.size + _LENGTH.size * count
    if len(data) != at + sum(lengths):
        raise ValueError("the parts have another length than they say")
    parts = []
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    return parts
