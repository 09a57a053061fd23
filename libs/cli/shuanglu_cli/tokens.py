"""Development tokens: what a bank's identity provider would issue."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jwt

ALGORITHM = "ES256"
DEVELOPMENT_ROLES = ("bank_app", "agent", "reviewer", "auditor", "admin", "ops")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A development key and what its tokens say about themselves."""

    private_pem: str = field(repr=False)
    key_id: str
    issuer: str
    audience: str


def sign_token(
    key: SigningKey, tenant: str, subject: str, roles: Sequence[str], session_id: str, ttl_s: int, now_s: int
) -> str:
    """A JWT (RFC 7519). `session_id`: empty, or the only session that it opens. A negative `ttl_s` has expired."""
    issued_at_s = min(now_s, now_s + ttl_s)
    claims: dict[str, object] = {
        "iss": key.issuer,
        "aud": key.audience,
        "sub": subject,
        "iat": issued_at_s,
        "exp": now_s + ttl_s,
        "tenant": tenant,
        "roles": list(roles),
    }
    if session_id:
        claims["session_id"] = session_id
    return jwt.encode(claims, key.private_pem, algorithm=ALGORITHM, headers={"kid": key.key_id})
