"""Frames between a service and its cell: four bytes of length (big endian), then msgpack of plain values.

Plain values are None, bool, int of 64 bits, float, str, bytes, lists and dicts of them; tuples arrive as lists. A child
that a hostile file has taken over can send wrong values, but no code and nothing larger than the bound.
"""

import socket
import struct
from typing import Any

import msgpack

HEADER = struct.Struct(">I")
# What a service sends to its cell at most: a segment with its init, or a minute of sound.
LARGEST_REQUEST_BYTES = 256 << 20


class FrameBroken(Exception):
    """Not a frame, or one that is too large."""


def packed(value: Any) -> bytes:
    """A frame. Raises FrameBroken for values that are not plain."""
    try:
        body: bytes = msgpack.packb(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise FrameBroken(f"not a plain value: {type(error).__name__}") from error
    return HEADER.pack(len(body)) + body


def length_of(header: bytes | bytearray, largest: int) -> int:
    """How long the body is. Raises FrameBroken beyond the bound."""
    (length,) = HEADER.unpack(header)
    if not 0 < length <= largest:
        raise FrameBroken(f"a frame of {length} bytes, at most {largest} are taken")
    return int(length)


def unpacked(body: bytes | bytearray) -> Any:
    """The value of a body. Raises FrameBroken."""
    try:
        return msgpack.unpackb(body)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise FrameBroken(f"a frame cannot be read: {type(error).__name__}") from error


def send(channel: socket.socket, value: Any) -> None:
    """The child's side: blocks until the service has room."""
    channel.sendall(packed(value))


def receive(channel: socket.socket) -> Any:
    """The child's side: the next value. Raises EOFError when the service is gone."""
    header = _exactly(channel, HEADER.size)
    return unpacked(_exactly(channel, length_of(header, LARGEST_REQUEST_BYTES)))


def _exactly(channel: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        got = channel.recv_into(view[filled:])
        if not got:
            raise EOFError
        filled += got
    return data
