"""Tokens and principals. The gateway checks tokens first; every service checks them again itself.

Claims: `iss`, `aud`, `exp`, `sub`, `tenant`, `roles` (list) and, for a token of one session, `session_id` (RFC 7519).
A customer's token is always one of one session: without `session_id` the role counts for nothing.
Three issuers: the bank's, our services among themselves, and signaling for those who take part in a call. A token of
the last kind names `session_id`, `participant_id`, `invitation_id` and `seat`, and holds a participant's roles alone.
"""

import json
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shuanglu_common.access import (
    ACCESS,
    DOORS,
    NOT_BY_INVITATION,
    OPEN_CALLS,
    OPEN_PREFIXES,
    Role,
    Row,
    Scope,
)
from shuanglu_common.bus.subjects import SESSION_ID, TENANT
from shuanglu_common.errors import Forbidden, NotFound, Unauthenticated
from shuanglu_common.settings import ServiceSettings

INTERNAL_ISSUER = "shuanglu-internal"
INTERNAL_TTL_S = 300
SESSION_ISSUER = "shuanglu-session"
PARTICIPANT_ROLES = frozenset({Role.CUSTOMER, Role.AGENT})
PARTICIPANT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
LEEWAY_S = 30
ALGORITHMS = ["ES256", "RS256"]


class TokenInvalid(Unauthenticated):
    """The token does not hold: expired, wrong issuer, audience, key or claims."""

    reason = "TOKEN_INVALID"
    help = "Get a new token and send it as `Authorization: Bearer …`."


class TokenMissing(Unauthenticated):
    """No token came with the call."""

    reason = "TOKEN_MISSING"


class RoleForbidden(Forbidden):
    """None of the token's roles may do this."""

    reason = "ROLE_FORBIDDEN"


class SessionHidden(NotFound):
    """The token opens another session, so this one does not exist for it."""

    reason = "SESSION_NOT_FOUND"
    help = "请核对会话标识。Check the session_id; sessions of other tenants are not shown."


class TokenTooNarrow(Forbidden):
    """A token of one session cannot make or list what goes beyond it."""

    reason = "SESSION_TOKEN_TOO_NARROW"
    help = "该令牌只能用于一个会话。This token opens one session only; use a token without session_id."


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `session_id` is set for a token of one session; `token` is the caller's own, to pass on.

    `participant_id` is set for a token of one participant of that session. `invitation_id` and `seat` (number of the
    acceptance) are set if it came of an invitation: whether that still counts, signaling knows.
    """

    tenant: str
    subject: str
    roles: frozenset[Role]
    session_id: str | None = None
    token: str = ""
    participant_id: str | None = None
    invitation_id: str | None = None
    seat: int = 0

    def require_session(self, session_id: str) -> None:
        """Raises SessionHidden if the token opens another session only."""
        if self.session_id is not None and self.session_id != session_id:
            raise SessionHidden("there is no such session")

    def require_any(self, roles: frozenset[Role]) -> None:
        """Raises RoleForbidden without one of the roles."""
        if not roles & self.roles:
            raise RoleForbidden("the token's roles may not do this")


CURRENT: ContextVar[Principal | None] = ContextVar("principal", default=None)


def current_principal() -> Principal:
    """Who made the call that runs now. Raises TokenMissing outside a call."""
    principal = CURRENT.get()
    if principal is None:
        raise TokenMissing("the call has no token")
    return principal


class Issuer(Enum):
    """Whose token it is."""

    BANK = "bank"
    SERVICES = "services"
    SESSION = "session"


def principal_of(claims: Mapping[str, Any], token: str, issuer: Issuer) -> Principal:
    """A principal from verified claims. Raises TokenInvalid for claims of a wrong shape."""
    tenant, roles = claims.get("tenant"), claims.get("roles")
    if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
        raise TokenInvalid("the token names no tenant")
    if not isinstance(roles, list):
        raise TokenInvalid("the token has no list of roles")
    session_id = id_of(claims, "session_id", SESSION_ID)
    participant_id = id_of(claims, "participant_id", PARTICIPANT_ID)
    invitation_id = id_of(claims, "invitation_id", SESSION_ID)
    if participant_id is not None and session_id is None:
        raise TokenInvalid("the token names a participant of no session")
    seat = claims.get("seat", 0)
    if not isinstance(seat, int) or seat < 0:
        raise TokenInvalid("the token's seat is not one")
    known = {role for role in Role if role in roles}
    if issuer is Issuer.SESSION:
        if participant_id is None or invitation_id is None:
            raise TokenInvalid("the token names no participant")
        # Whatever happens to signaling's key: it opens no more than calls.
        known &= PARTICIPANT_ROLES
    if issuer is not Issuer.SERVICES:
        known.discard(Role.SERVICE)
    if session_id is None:
        known.discard(Role.CUSTOMER)
    subject = str(claims.get("sub", ""))
    return Principal(tenant, subject, frozenset(known), session_id, token, participant_id, invitation_id, seat)


def id_of(claims: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str | None:
    """An id among the claims; None if there is none. Raises TokenInvalid."""
    value = claims.get(name)
    if value is not None and (not isinstance(value, str) or not shape.fullmatch(value)):
        raise TokenInvalid(f"the token's {name} is not one")
    return value


class KeySet:
    """Public keys in a JWKS file (RFC 7517); a changed file is read again."""

    def __init__(self, path: Path | None) -> None:
        """Raises OSError, ValueError, KeyError if the file cannot be read. Without a file there are no keys."""
        self.path = path
        self.mtime = 0.0
        self.keys: dict[str, jwt.PyJWK] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the file again if it has changed."""
        if self.path is None or (mtime := self.path.stat().st_mtime) == self.mtime:
            return
        keys = json.loads(self.path.read_text())["keys"]
        self.keys = {key["kid"]: jwt.PyJWK(key) for key in keys}
        self.mtime = mtime


class TokenVerifier:
    """Checks tokens against the callers' keys, signaling's keys for participants, and the services' own key."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Raises OSError, ValueError if a named key file cannot be read."""
        self.settings = settings
        self.bank = KeySet(settings.jwks_file)
        self.session = KeySet(settings.session_jwks_file)
        self.internal = read_internal_key(settings.internal_key_file)

    def verify(self, token: str) -> Principal:
        """Who a token stands for. Raises TokenInvalid."""
        try:
            kid = str(jwt.get_unverified_header(token).get("kid"))
            # The key says who the issuer must be: a token under one issuer's key never counts as another's.
            if self.internal is not None and kid == INTERNAL_ISSUER:
                claims = self.decode(token, self.internal.public_key(), INTERNAL_ISSUER)
                return principal_of(claims, token, Issuer.SERVICES)
            self.session.refresh()
            if kid in self.session.keys:
                claims = self.decode(token, self.session.keys[kid].key, SESSION_ISSUER)
                return principal_of(claims, token, Issuer.SESSION)
            self.bank.refresh()
            claims = self.decode(token, self.bank.keys[kid].key, self.settings.jwt_issuer)
        except jwt.ExpiredSignatureError as error:
            raise TokenInvalid("the token has expired") from error
        except (jwt.PyJWTError, KeyError, OSError, ValueError) as error:
            raise TokenInvalid(f"the token does not hold: {type(error).__name__}") from error
        return principal_of(claims, token, Issuer.BANK)

    def decode(self, token: str, key: Any, issuer: str) -> dict[str, Any]:
        """Verified claims."""
        return jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=self.settings.jwt_audience,
            issuer=issuer,
            leeway=LEEWAY_S,
            # `exp` and `nbf` say when a token holds. `iat` only tells when it was made (RFC 7519 §4.1.6): a service
            # whose clock is behind must not refuse every fresh token for it.
            options={"require": ["exp", "sub"], "verify_iat": False},
        )


def read_internal_key(path: Path | None) -> EllipticCurvePrivateKey | None:
    """The services' own key. Raises ValueError if it is not an EC key."""
    if path is None:
        return None
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ValueError(f"{path.name} is not an EC private key")  # noqa: TRY004 - wrong content, not wrong type
    return key


def bearer(header: str | None) -> str:
    """The token of an Authorization header. Raises TokenMissing."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing("the call has no bearer token")
    return token.strip()


def authorise(method: str, principal: Principal, request: Any) -> None:
    """Whether the table lets the caller make this call. Raises RoleForbidden, TokenTooNarrow, SessionHidden.

    What is not in the table is denied, also a row that compares `session_id` for a request without such a field.
    """
    rule = ACCESS.get(method)
    by_invitation = principal.invitation_id is not None
    _admit(None if by_invitation and method.startswith(NOT_BY_INVITATION) else rule, principal)
    if rule is not None and rule.scope is Scope.OWN and principal.session_id is not None:
        principal.require_session(getattr(request, "session_id", ""))


def authorise_http(path: str, principal: Principal) -> None:
    """Whether the table lets the caller through an HTTP door. Raises RoleForbidden, TokenTooNarrow, SessionHidden."""
    parts = path.split("/")
    rule = DOORS.get("/" + parts[1]) if path.startswith("/") else None
    _admit(rule, principal)
    if rule is not None and rule.scope is Scope.OWN:
        principal.require_session(parts[2] if len(parts) > 2 else "")  # noqa: PLR2004 - /door/session


def _admit(rule: Row | None, principal: Principal) -> None:
    if rule is None or not rule.roles & principal.roles:
        raise RoleForbidden("令牌的角色不允许此操作。The token's roles may not call this.")
    if rule.scope is Scope.WIDE and principal.session_id is not None:
        raise TokenTooNarrow("该令牌只能用于一个会话。The token opens one session only.")


def is_open(method: str) -> bool:
    """Whether an RPC needs no token."""
    return method in OPEN_CALLS or method.startswith(OPEN_PREFIXES)


def mint_internal(key: EllipticCurvePrivateKey, service: str, tenant: str, audience: str) -> str:
    """A short-lived token for a call from one service to another."""
    now = int(time.time())
    claims = {
        "iss": INTERNAL_ISSUER,
        "aud": audience,
        "sub": service,
        "tenant": tenant,
        "roles": [Role.SERVICE],
        "iat": now,
        "exp": now + INTERNAL_TTL_S,
    }
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": INTERNAL_ISSUER})
