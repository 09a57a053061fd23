"""Batches: many imports under a name that the caller chose."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from shuanglu_media_ingest.domain.imports import Import, ImportState
from shuanglu_media_ingest.errors import BatchInvalid, PageInvalid

BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_ITEMS = 500
MAX_BATCH = 100_000
_TAG_CHARS = 12


@dataclass(frozen=True, slots=True)
class Batch:
    """How far a batch is."""

    batch_id: str
    created_at_us: int
    counts: Mapping[ImportState, int]
    upload_bytes: int
    stored_upload_bytes: int


@dataclass(frozen=True, slots=True)
class Item:
    """An import of a batch, without its tracks; positions rise in the order in which imports were added."""

    position: int
    record: Import


@dataclass(frozen=True, slots=True)
class BatchPlace:
    """Where a page of batches ended."""

    created_at_us: int
    batch_id: str


def require_batch_id(batch_id: str) -> None:
    """Raises BatchInvalid."""
    if not BATCH_ID.fullmatch(batch_id):
        raise BatchInvalid("The name of the batch is not one.")


def require_items(count: int) -> None:
    """Raises BatchInvalid."""
    if not 1 <= count <= MAX_ITEMS:
        raise BatchInvalid(f"There are {count} items.")


def page_size(asked: int, usual: int, most: int) -> int:
    """Raises PageInvalid."""
    if not 0 <= asked <= most:
        raise PageInvalid(f"page_size must be 0..{most}.")
    return asked or usual


def write_token(place: str, *context: str) -> str:
    """A token for the page after `place`. It opens nothing that its reader may not see: the tag finds mistakes only."""
    body = f"{_tag(place, *context)}{place}"
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def read_token(token: str, *context: str) -> str:
    """The place that `write_token` was given with the same context. Raises PageInvalid."""
    try:
        body = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise PageInvalid("The page_token is not one of ours.") from error
    tag, place = body[:_TAG_CHARS], body[_TAG_CHARS:]
    if tag != _tag(place, *context):
        raise PageInvalid("The page_token is not one of ours, or belongs to another list.")
    return place


def _tag(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_TAG_CHARS]
