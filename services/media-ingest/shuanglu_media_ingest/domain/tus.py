"""The words of tus 1.0 (https://tus.io/protocols/resumable-upload): what headers mean."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination,concatenation"
CHECKSUMS = ("sha1", "sha256", "md5")
UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
MAX_METADATA_CHARS = 4096
MAX_PARTS = 64

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_METADATA_KEY = re.compile(r"[!-+\--~]+")  # printable ASCII without space and comma


class HeaderInvalid(ValueError):
    """A header does not say what tus wants; the text names it."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a PATCH body must hash to."""

    algorithm: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Concat:
    """Upload-Concat: a part of a later upload, or the sum of parts (ids in order)."""

    partial: bool
    parts: tuple[str, ...] = ()


def number(name: str, value: str | None) -> int:
    """A header's non-negative integer, below 10^18. Raises HeaderInvalid."""
    if value is None or not _NUMBER.fullmatch(value):
        raise HeaderInvalid(f"{name} must be a non-negative integer")
    return int(value)


def metadata(value: str | None) -> dict[str, bytes]:
    """Upload-Metadata as keys and values. Raises HeaderInvalid for what a server must refuse."""
    if not value:
        return {}
    if len(value) > MAX_METADATA_CHARS:
        raise HeaderInvalid(f"Upload-Metadata is longer than {MAX_METADATA_CHARS} characters")
    found: dict[str, bytes] = {}
    for pair in value.split(","):
        key, _, encoded = pair.strip().partition(" ")
        if not _METADATA_KEY.fullmatch(key) or key in found:
            raise HeaderInvalid("Upload-Metadata needs distinct keys of ASCII without spaces and commas")
        found[key] = _base64("Upload-Metadata", encoded)
    return found


def checksum(value: str | None) -> Checksum | None:
    """Upload-Checksum, None if there is none. Raises HeaderInvalid for unknown algorithms and wrong lengths."""
    if value is None:
        return None
    algorithm, _, encoded = value.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise HeaderInvalid(f"Upload-Checksum knows {', '.join(CHECKSUMS)}")
    digest = _base64("Upload-Checksum", encoded)
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise HeaderInvalid(f"Upload-Checksum has not the length of {algorithm}")
    return Checksum(algorithm, digest)


def concat(value: str | None) -> Concat | None:
    """Upload-Concat, None if there is none. Parts are URLs; their last piece is the id. Raises HeaderInvalid."""
    if value is None:
        return None
    if value == "partial":
        return Concat(partial=True)
    kind, _, urls = value.partition(";")
    parts = tuple(url.rstrip("/").rpartition("/")[2] for url in urls.split())
    if kind != "final" or not 1 <= len(parts) <= MAX_PARTS or not all(UPLOAD_ID.fullmatch(part) for part in parts):
        raise HeaderInvalid(f"Upload-Concat is `partial` or `final;` and 1 to {MAX_PARTS} upload URLs")
    return Concat(partial=False, parts=parts)


def _base64(name: str, encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise HeaderInvalid(f"{name} must be base64") from error
