"""Identifiers: UUIDv7 for new things, hashes for work that may be repeated."""

import hashlib
import os
import uuid


def new_id(now_us: int) -> str:
    """A UUIDv7 (RFC 9562 §5.7): sorts by time, so database pages stay together."""
    value = (now_us // 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    value &= ~(0xF << 76) & ~(0x3 << 62)
    return str(uuid.UUID(int=value | 0x7 << 76 | 0x2 << 62))


def derived_id(*parts: str) -> str:
    """The same parts give the same id: 32 hexadecimal digits of a SHA-256 over the length-prefixed parts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode()
        total.update(len(data).to_bytes(4, "big") + data)
    return total.hexdigest()[:32]
