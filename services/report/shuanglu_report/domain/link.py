"""Replay links: a token in the path opens one recording until it expires.

Whoever has the link may watch, so it is short-lived. `<payload>.<signature>`, both base64url without padding; the
signature is HMAC-SHA256 (RFC 2104) over the payload's text.
The payload names tenant, session and end, so a link cannot be widened or prolonged.
"""

import base64
import hmac
from dataclasses import dataclass

from shuanglu_report.errors import LinkExpired, LinkRefused, TtlInvalid

DEFAULT_TTL_S = 3600
SHORTEST_TTL_S = 60
LONGEST_TTL_S = 86_400
_LONGEST_TOKEN = 400


@dataclass(frozen=True, slots=True)
class Grant:
    """What a link opens, and until when."""

    tenant: str
    session_id: str
    expires_at_us: int


def life_s(asked: int) -> int:
    """How long a link lives; 0 asks for an hour. Raises TtlInvalid."""
    if asked and not SHORTEST_TTL_S <= asked <= LONGEST_TTL_S:
        raise TtlInvalid(f"ttl_s is {asked}")
    return asked or DEFAULT_TTL_S


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(key: bytes, payload: str) -> str:
    return _encoded(hmac.digest(key, payload.encode(), "sha256"))


def sign(key: bytes, grant: Grant) -> str:
    """The token of a grant."""
    payload = _encoded("\0".join((grant.tenant, grant.session_id, str(grant.expires_at_us))).encode())
    return f"{payload}.{_signature(key, payload)}"


def opened(key: bytes, token: str, now_us: int) -> Grant:
    """What a token opens. Raises LinkRefused if a single character was changed, LinkExpired when its time is over."""
    payload, _, signature = token.partition(".")
    # Compared as text: decoding first would let several spellings of one signature pass.
    if len(token) > _LONGEST_TOKEN or not hmac.compare_digest(_signature(key, payload).encode(), signature.encode()):
        raise LinkRefused("the replay link does not hold")
    parts = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode().split("\0")
    grant = Grant(parts[0], parts[1], int(parts[2]))
    if grant.expires_at_us <= now_us:
        raise LinkExpired("the replay link has expired")
    return grant
