"""Invitations of a call: made, taken back, accepted; and whether a token that came of one still counts."""

from dataclasses import dataclass, replace

from shuanglu_signaling.domain import invitations
from shuanglu_signaling.domain.call import Call, Change, Person
from shuanglu_signaling.domain.call_events import InvitationRevoked as Revoked
from shuanglu_signaling.domain.call_events import ParticipantInvited
from shuanglu_signaling.domain.call_ports import Pass
from shuanglu_signaling.domain.invitations import MAX_INVITATIONS, Invitation
from shuanglu_signaling.domain.session import Participant
from shuanglu_signaling.domain.words import ParticipantRole
from shuanglu_signaling.errors import InvitationNotFound, InvitationRevoked, SeatTaken, TooManyInvitations


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: a participant of the session, or a third person of a role."""

    participant_id: str
    role: ParticipantRole | None
    ttl_s: int


def invite(call: Call, wanted: Wanted, invitation_id: str, code: str, now_us: int) -> Change:
    """Make an invitation; a third person takes part from now on.

    Raises CallEnded, ParticipantNotFound, CallRequestInvalid, TooManyInvitations.
    """
    call.require_going_on()
    expires_at_us = invitations.expiry_us(wanted.ttl_s, now_us)
    usable = tuple(each for each in call.invitations if not each.revoked)
    if len(usable) >= MAX_INVITATIONS or len(call.invitations) >= 4 * MAX_INVITATIONS:
        raise TooManyInvitations(
            f"最多 {MAX_INVITATIONS} 个有效邀请。A call has {MAX_INVITATIONS} invitations at most."
        )
    people = call.people
    if wanted.participant_id:
        participant = call.person(wanted.participant_id).participant
    else:
        participant = invitations.newcomer(tuple(each.participant for each in people), wanted.role)
        people = (*people, Person(participant, original=False))
    made = Invitation(invitation_id, participant.participant_id, invitations.code_hash_of(code), expires_at_us)
    after = replace(call, people=people, invitations=(*call.invitations, made))
    return Change(after, (ParticipantInvited(participant, invitation_id),))


def find(call: Call, invitation_id: str) -> Invitation:
    """Raises InvitationNotFound."""
    for each in call.invitations:
        if each.invitation_id == invitation_id:
            return each
    raise InvitationNotFound("没有此邀请。There is no such invitation.")


def with_invitation(call: Call, invitation: Invitation) -> Call:
    """With an invitation as it is now."""
    same = invitation.invitation_id
    return replace(
        call, invitations=tuple(invitation if each.invitation_id == same else each for each in call.invitations)
    )


def revoke(call: Call, invitation_id: str) -> Change:
    """Take an invitation back, and every token that came of it. Raises InvitationNotFound."""
    invitation = find(call, invitation_id)
    if invitation.revoked:
        return Change(call)
    return Change(with_invitation(call, replace(invitation, revoked=True)), (Revoked(invitation_id),))


def accept(call: Call, code_hash: str, secret: str, fresh_secret: str, now_us: int) -> tuple[Change, Invitation, str]:
    """Let a browser in: also the invitation with its seat, and the secret that the browser is to keep.

    Raises CallEnded, InvitationNotFound, InvitationUsed.
    """
    for each in call.invitations:
        if each.code_hash == code_hash:
            accepted, kept = invitations.accept(each, secret, fresh_secret, now_us)
            call.require_going_on()
            # Numbers of one participant grow over all of that participant's invitations.
            accepted = replace(accepted, seat=newest_seat(call, each.participant_id) + 1)
            return Change(with_invitation(call, accepted)), accepted, kept
    raise InvitationNotFound("没有此邀请。There is no such invitation.")


def newest_seat(call: Call, participant_id: str) -> int:
    """The highest seat that any acceptance of a participant has."""
    return max((each.seat for each in call.invitations if each.participant_id == participant_id), default=0)


def require_admission(call: Call, participant_id: str, admission: Pass | None) -> None:
    """Raises InvitationRevoked, and SeatTaken if the participant has come in by a newer token."""
    if admission is None:
        return
    invitation = next((each for each in call.invitations if each.invitation_id == admission.invitation_id), None)
    if invitation is None or invitation.revoked or invitation.participant_id != participant_id:
        raise InvitationRevoked("该邀请已撤回。The invitation was taken back.")
    if admission.seat < call.person(participant_id).seat:
        raise SeatTaken("已在另一窗口加入。The participant came in anew elsewhere.")


def participants_of(call: Call) -> tuple[Participant, ...]:
    """Who takes part, third persons too."""
    return tuple(each.participant for each in call.people)


def last_hope_us(call: Call) -> int:
    """When the last invitation that nobody has accepted expires; 0 if there is none."""
    return max((each.expires_at_us for each in call.invitations if not each.revoked), default=0)
