"""Lists of sessions, newest first, in pages.

A page token holds the last session shown and the filters' digest, authenticated with a key of the tenant: it cannot be
made up, changed, used by another tenant or with other filters. New sessions do not shift pages (keyset, not offset).
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass

from shuanglu_signaling.domain.words import Channel, SessionState
from shuanglu_signaling.errors import FilterInvalid, PageTokenInvalid

DEFAULT_PAGE = 50
MAX_PAGE = 200
VERSION = b"\x01"
TAG_BYTES = 16
DIGEST_BYTES = 8
HEAD = struct.Struct(">cq8s")


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions; None, empty and 0 mean all."""

    order_id: str = ""
    state: SessionState | None = None
    channel: Channel | None = None
    created_from_us: int = 0
    created_to_us: int = 0

    def digest(self) -> bytes:
        """Short and stable, to tell whether a token belongs to these filters."""
        text = repr((self.order_id, self.state, self.channel, self.created_from_us, self.created_to_us))
        return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last session of a page; the next page has what comes after it, newest first."""

    created_at_us: int
    session_id: str


def validate(wanted: SessionFilter) -> None:
    """Raises FilterInvalid."""
    times = (("created_from_us", wanted.created_from_us), ("created_to_us", wanted.created_to_us))
    for field, value in times:
        if value < 0:
            raise FilterInvalid(f"{field} 不可为负数。{field} must not be negative.", field=field)
    if 0 < wanted.created_to_us <= wanted.created_from_us:
        text = "created_to_us 应晚于 created_from_us。created_to_us must be after created_from_us."
        raise FilterInvalid(text, field="created_to_us")


def page_size(asked: int) -> int:
    """1..200; 0 means 50. Raises FilterInvalid."""
    if not 0 <= asked <= MAX_PAGE:
        text = f"page_size 应在 0 至 {MAX_PAGE} 之间。page_size must be 0..{MAX_PAGE}."
        raise FilterInvalid(text, field="page_size")
    return asked or DEFAULT_PAGE


def write_token(cursor: Cursor, wanted: SessionFilter, key: bytes) -> str:
    """A token for the page after `cursor`; `key` is the tenant's."""
    body = HEAD.pack(VERSION, cursor.created_at_us, wanted.digest()) + cursor.session_id.encode()
    tag = hmac.digest(key, body, "sha256")[:TAG_BYTES]
    return base64.urlsafe_b64encode(tag + body).decode().rstrip("=")


def read_token(token: str, wanted: SessionFilter, key: bytes) -> Cursor | None:
    """Where to go on; None for the first page. Raises PageTokenInvalid."""
    if not token:
        return None
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        tag, body = data[:TAG_BYTES], data[TAG_BYTES:]
        if not hmac.compare_digest(tag, hmac.digest(key, body, "sha256")[:TAG_BYTES]):
            raise PageTokenInvalid("页标记无效。The page token is not one of ours.")
        version, created_at_us, digest = HEAD.unpack(body[: HEAD.size])
        session_id = body[HEAD.size :].decode()
    except (binascii.Error, ValueError, struct.error) as error:
        raise PageTokenInvalid("页标记无效。The page token is not one of ours.") from error
    if version != VERSION or digest != wanted.digest():
        raise PageTokenInvalid("页标记属于另一组筛选条件。The page token belongs to other filters.")
    return Cursor(created_at_us, session_id)
