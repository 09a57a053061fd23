"""The hash of a recording: one number over all its segments, which anybody can compute again."""

import hashlib
from collections.abc import Iterable


def segments_sha256(hashes: Iterable[str]) -> str:
    """SHA-256 over the 32-byte hashes, one after the other; 64 hexadecimal digits. ValueError for what is no hash."""
    total = hashlib.sha256()
    for value in hashes:
        total.update(bytes.fromhex(value))
    return total.hexdigest()
