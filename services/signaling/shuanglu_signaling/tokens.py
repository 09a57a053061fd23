"""Tokens of those who take part in a call: one session, one participant, four hours (libs/common, auth.py)."""

from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from shuanglu_common.access import Role
from shuanglu_common.auth import SESSION_ISSUER, Principal, read_internal_key
from shuanglu_common.clock import Clock
from shuanglu_signaling.domain.call_desk import CUSTOMER_SIDE
from shuanglu_signaling.domain.call_ports import Pass
from shuanglu_signaling.domain.session import Participant
from shuanglu_signaling.errors import TokensNotSetUp

TTL_S = 4 * 3600
SEAT = "seat"
"""Claim: number of the acceptance that the token came of; a participant's newest alone counts."""


def read_session_key(path: Path | None) -> EllipticCurvePrivateKey | None:
    """The key that participants' tokens are signed with. Raises OSError, ValueError."""
    return read_internal_key(path)


class SessionTokens:
    """The port `Tokens`."""

    def __init__(self, key: EllipticCurvePrivateKey | None, audience: str, clock: Clock) -> None:
        """Without a key every token is refused to be made."""
        self.key = key
        self.audience = audience
        self.clock = clock

    @property
    def ttl_us(self) -> int:
        """How long a token holds."""
        return TTL_S * 1_000_000

    def mint(self, tenant: str, session_id: str, participant: Participant, invitation_id: str, seat: int) -> str:
        """ES256 (RFC 7518 §3.4). Raises TokensNotSetUp."""
        if self.key is None:
            raise TokensNotSetUp("没有会话令牌的签名密钥。There is no key for participants' tokens.")
        now_s = self.clock.now_us() // 1_000_000
        claims = {
            "iss": SESSION_ISSUER,
            "aud": self.audience,
            "sub": f"{session_id}/{participant.participant_id}",
            "tenant": tenant,
            "roles": [Role.CUSTOMER if participant.role in CUSTOMER_SIDE else Role.AGENT],
            "session_id": session_id,
            "participant_id": participant.participant_id,
            "invitation_id": invitation_id,
            SEAT: seat,
            "iat": now_s,
            "exp": now_s + TTL_S,
        }
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": SESSION_ISSUER})


def pass_of(principal: Principal) -> Pass | None:
    """By which acceptance a participant's token came into being; None for any other token.

    The token was verified at the door; here its claims are only read once more.
    """
    if principal.invitation_id is None:
        return None
    claims: dict[str, Any] = jwt.decode(principal.token, options={"verify_signature": False})
    seat = claims.get(SEAT)
    # A token of ours without a seat would be older than any.
    return Pass(principal.invitation_id, seat if isinstance(seat, int) else 0)
