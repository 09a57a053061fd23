"""Invitations: one link lets one person in as one participant, from one browser.

A code has 192 random bits and is kept as a hash alone. The first browser that brings it is given a secret (an HttpOnly
cookie); from then on the code opens only together with that secret: a link that was seen or forwarded is worth nothing
after its owner has used it. Each acceptance has a number, the seat: only the newest one of a participant counts.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from shuanglu_signaling.domain.session import MAX_PARTICIPANTS, Participant
from shuanglu_signaling.domain.words import ParticipantRole
from shuanglu_signaling.errors import (
    CallRequestInvalid,
    InvitationNotFound,
    InvitationUsed,
    TooManyInvitations,
)

SECRET_BYTES = 24
SECRET = re.compile(r"[A-Za-z0-9_-]{32}")
"""Shape of a code and of a browser's secret: 24 bytes in base64url."""
DEFAULT_TTL_S, LEAST_TTL_S, MOST_TTL_S = 86_400, 60, 604_800
MAX_INVITATIONS = 64
THIRD_ROLES = frozenset({ParticipantRole.CO_SIGNER, ParticipantRole.WITNESS, ParticipantRole.SUPERVISOR})


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation. `browser_hash` is empty until it is accepted; `seat` is the newest acceptance's number."""

    invitation_id: str
    participant_id: str
    code_hash: str
    expires_at_us: int
    browser_hash: str = ""
    seat: int = 0
    revoked: bool = False


def hash_of(secret: str, purpose: str) -> str:
    """What is kept of a secret. It is random and long: no salt and no slow hash would make it safer."""
    return hashlib.sha256(f"{purpose}:{secret}".encode()).hexdigest()


def code_hash_of(code: str) -> str:
    """What is kept of a code. Raises InvitationNotFound for what cannot be one."""
    if not SECRET.fullmatch(code):
        raise InvitationNotFound("没有此邀请。There is no such invitation.")
    return hash_of(code, "code")


def browser_hash_of(invitation_id: str, secret: str) -> str:
    """What is kept of a browser's secret: another value for each invitation."""
    return hash_of(secret, f"browser:{invitation_id}")


def expiry_us(ttl_s: int, now_us: int) -> int:
    """Until when an invitation may be accepted. Raises CallRequestInvalid."""
    if ttl_s and not LEAST_TTL_S <= ttl_s <= MOST_TTL_S:
        raise CallRequestInvalid(
            f"ttl_s 应为 {LEAST_TTL_S} 至 {MOST_TTL_S}。Use {LEAST_TTL_S}..{MOST_TTL_S}.", field="ttl_s"
        )
    return now_us + (ttl_s or DEFAULT_TTL_S) * 1_000_000


def newcomer(people: tuple[Participant, ...], role: ParticipantRole | None) -> Participant:
    """A third person, with an id that nobody has. Raises CallRequestInvalid, TooManyInvitations."""
    if role not in THIRD_ROLES:
        raise CallRequestInvalid(
            "只能以共同签署人、见证人或主管的身份增加参与人。Only a co-signer, a witness or a supervisor can be added.",
            field="role",
        )
    if len(people) >= MAX_PARTICIPANTS:
        raise TooManyInvitations(f"最多 {MAX_PARTICIPANTS} 人。A call has {MAX_PARTICIPANTS} people at most.")
    taken = {person.participant_id for person in people}
    base = role.value.lower().replace("_", "-")
    numbered = (base if number == 1 else f"{base}-{number}" for number in range(1, MAX_PARTICIPANTS + 2))
    return Participant(next(each for each in numbered if each not in taken), role)


def accept(invitation: Invitation, secret: str, fresh_secret: str, now_us: int) -> tuple[Invitation, str]:
    """Let a browser in: the invitation with one acceptance more, and the secret that the browser is to keep.

    `secret`: what the browser brought; empty if nothing. Raises InvitationNotFound, InvitationUsed.
    """
    if invitation.revoked:
        raise InvitationNotFound("没有此邀请。There is no such invitation.")
    known = secret if SECRET.fullmatch(secret) else ""
    if not invitation.browser_hash:
        if now_us >= invitation.expires_at_us:
            raise InvitationNotFound("没有此邀请。There is no such invitation.")
        # A browser that holds a secret of another invitation keeps it: one cookie serves all of them.
        known = known or fresh_secret
    elif not known or not hmac.compare_digest(
        browser_hash_of(invitation.invitation_id, known), invitation.browser_hash
    ):
        raise InvitationUsed("该邀请已在另一浏览器中使用。The invitation was used in another browser.")
    bound = browser_hash_of(invitation.invitation_id, known)
    accepted = Invitation(
        invitation.invitation_id,
        invitation.participant_id,
        invitation.code_hash,
        invitation.expires_at_us,
        bound,
        invitation.seat + 1,
    )
    return accepted, known
