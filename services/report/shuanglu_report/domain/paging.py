"""Page tokens: where a list goes on. Opaque, authenticated, and good only for the same tenant and filters."""

import base64
import binascii
import hmac
from dataclasses import dataclass

from shuanglu_report.errors import FilterInvalid, PageSizeInvalid, PageTokenInvalid

# Unspecified (all), pass, fail, unsure.
VERDICTS = range(4)
DEFAULT_SIZE = 50
LARGEST_SIZE = 200
_MARK_BYTES = 16
_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows a list shows. 0 and an empty session mean all; `to_us` is exclusive."""

    verdict: int
    from_us: int
    to_us: int
    # For a token that opens one session only.
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list, newest first: the row after which the next page begins."""

    created_at_us: int
    report_id: str


def checked(wanted: RowFilter) -> RowFilter:
    """The filter itself. Raises FilterInvalid for an outcome that there is not, and for times before the epoch."""
    if wanted.verdict not in VERDICTS:
        raise FilterInvalid("没有此结论。There is no such outcome.", field="verdict")
    for field, value in (("created_from_us", wanted.from_us), ("created_to_us", wanted.to_us)):
        if value < 0:
            raise FilterInvalid(f"{field} 不可为负数。{field} must not be negative.", field=field)
    return wanted


def page_size(asked: int) -> int:
    """The size to use; 0 asks for the default. Raises PageSizeInvalid."""
    if not 0 <= asked <= LARGEST_SIZE:
        raise PageSizeInvalid(f"page_size is {asked}")
    return asked or DEFAULT_SIZE


def _mark(key: bytes, tenant: str, wanted: RowFilter, place: bytes) -> bytes:
    """Holds for this place in this list alone (HMAC-SHA256, RFC 2104)."""
    text = f"{tenant}\0{wanted.verdict}\0{wanted.from_us}\0{wanted.to_us}\0{wanted.session_id}\0"
    return hmac.digest(key, text.encode() + place, "sha256")[:_MARK_BYTES]


def page_token(key: bytes, tenant: str, wanted: RowFilter, last: Position) -> str:
    """Token of the page after `last`."""
    place = last.created_at_us.to_bytes(_TIME_BYTES, "big") + last.report_id.encode()
    data = _mark(key, tenant, wanted, place) + place
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def position_of(key: bytes, token: str, tenant: str, wanted: RowFilter) -> Position | None:
    """Where the list goes on; None for an empty token. Raises PageTokenInvalid for one of another list, or changed."""
    if not token:
        return None
    try:
        data = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        mark, place = data[:_MARK_BYTES], data[_MARK_BYTES:]
        if hmac.compare_digest(mark, _mark(key, tenant, wanted, place)) and len(place) > _TIME_BYTES:
            return Position(int.from_bytes(place[:_TIME_BYTES], "big"), place[_TIME_BYTES:].decode("ascii"))
    except (binascii.Error, ValueError) as error:
        raise PageTokenInvalid("page_token cannot be read") from error
    raise PageTokenInvalid("page_token belongs to another list")
