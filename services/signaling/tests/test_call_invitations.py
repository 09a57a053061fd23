"""Links, browsers, tabs, and who may act for whom."""

import pytest
from call_doubles import T0, Calls, S
from call_steps import AGENT, CUSTOMER, SESSION, accepted_by, live

from shuanglu_signaling.domain.call_desk import CallCaller
from shuanglu_signaling.domain.call_ports import Pass
from shuanglu_signaling.domain.call_table import Presence, TrackKind
from shuanglu_signaling.domain.guests import Wanted
from shuanglu_signaling.domain.words import ParticipantRole
from shuanglu_signaling.errors import (
    CallRequestInvalid,
    InvitationNotFound,
    InvitationRevoked,
    InvitationUsed,
    NotOwnSeat,
    ParticipantNotFound,
    SeatTaken,
)


async def test_a_link_lets_one_browser_in_and_no_other(calls: Calls) -> None:
    who, code, secret, _ = await accepted_by(calls, CUSTOMER)
    assert code not in repr(await calls.call())
    assert secret not in repr(await calls.call())
    _, person = await calls.desk.join(who, SESSION, "")
    assert person.participant_id == "customer"
    for stranger in ("", "x" * 32, "short", secret[:-1] + "z"):
        with pytest.raises(InvitationUsed):
            await calls.desk.accept(code, stranger, T0)
    again = await calls.desk.accept(code, secret, T0)
    assert again.secret == secret


async def test_one_browser_may_hold_the_links_of_several_people(calls: Calls) -> None:
    _, _, secret, _ = await accepted_by(calls, CUSTOMER)
    _, code, same, _ = await accepted_by(calls, Wanted("agent", None, 0), secret)
    assert same == secret
    assert (await calls.desk.accept(code, secret, T0)).participant.participant_id == "agent"


async def test_wrong_and_late_codes_are_not_found(calls: Calls) -> None:
    _, code = await calls.desk.invite(AGENT, SESSION, Wanted("customer", None, 60), T0)
    for wrong in ("", "x", "y" * 32, code + "a"):
        with pytest.raises(InvitationNotFound):
            await calls.desk.accept(wrong, "", T0)
    with pytest.raises(InvitationNotFound):
        await calls.desk.accept(code, "", T0 + 60 * S)
    await calls.desk.accept(code, "", T0 + 59 * S)


async def test_once_accepted_a_link_opens_again_after_it_expired(calls: Calls) -> None:
    _, code = await calls.desk.invite(AGENT, SESSION, Wanted("customer", None, 60), T0)
    secret = (await calls.desk.accept(code, "", T0)).secret
    assert (await calls.desk.accept(code, secret, T0 + 3600 * S)).participant.participant_id == "customer"


@pytest.mark.parametrize("ttl_s", [-1, 1, 59, 604_801])
async def test_an_invitation_holds_a_minute_to_a_week(calls: Calls, ttl_s: int) -> None:
    with pytest.raises(CallRequestInvalid):
        await calls.desk.invite(AGENT, SESSION, Wanted("customer", None, ttl_s), T0)


async def test_who_was_taken_back_goes_and_his_token_is_worth_nothing(calls: Calls) -> None:
    who, code, secret, invitation_id = await accepted_by(calls, CUSTOMER)
    await calls.desk.join(who, SESSION, "")
    await calls.desk.revoke(AGENT, SESSION, invitation_id)
    assert (await calls.call()).person("customer").presence is Presence.LEFT
    assert ("customer", None) in calls.media.dropped
    with pytest.raises(InvitationRevoked):
        await calls.desk.join(who, SESSION, "")
    with pytest.raises(InvitationRevoked):
        await calls.desk.get(who, SESSION)
    with pytest.raises(InvitationRevoked):
        await calls.seats.publisher("demo", SESSION, "customer", who.admission)
    with pytest.raises(InvitationNotFound):
        await calls.desk.accept(code, secret, T0)


async def test_a_second_tab_takes_the_seat_of_the_first(calls: Calls) -> None:
    first, code, secret, _ = await accepted_by(calls, CUSTOMER)
    await calls.desk.join(first, SESSION, "")
    seat = await calls.seats.publisher("demo", SESSION, "customer", first.admission)
    again = await calls.desk.accept(code, secret, T0)
    assert first.admission is not None
    second = CallCaller("demo", "customer", Pass(first.admission.invitation_id, int(again.token.rsplit("/", 1)[1])))
    await calls.desk.get(first, SESSION)  # Not before the second one really comes in.
    await calls.desk.join(second, SESSION, "")
    for refused in (
        calls.desk.join(first, SESSION, ""),
        calls.desk.get(first, SESSION),
        calls.desk.mute(first, SESSION, "", TrackKind.AUDIO, muted=True),
        calls.seats.publisher("demo", SESSION, "customer", first.admission),
        calls.seats.watcher("demo", SESSION, "customer", "agent", first.admission),
    ):
        with pytest.raises(SeatTaken):
            await refused
    newer = await calls.seats.publisher("demo", SESSION, "customer", second.admission)
    assert newer.connection == seat.connection + 1
    assert calls.media.dropped[-1] == ("customer", newer.connection)


async def test_nobody_acts_for_another(calls: Calls) -> None:
    customer, *_ = await accepted_by(calls, CUSTOMER)
    with pytest.raises(NotOwnSeat):
        await calls.desk.join(customer, SESSION, "agent")
    # A bank's own token for the customer that names no participant.
    plain = CallCaller("demo")
    with pytest.raises(NotOwnSeat):
        await calls.desk.join(plain, SESSION, "agent")
    with pytest.raises(CallRequestInvalid):
        await calls.desk.join(plain, SESSION, "")
    await calls.desk.join(plain, SESSION, "customer")


async def test_a_third_person_takes_part_by_invitation_alone(calls: Calls) -> None:
    await live(calls, "agent")
    with pytest.raises(ParticipantNotFound):
        await calls.desk.join(AGENT, SESSION, "witness")
    with pytest.raises(ParticipantNotFound):
        await calls.seats.publisher("demo", SESSION, "witness")
    for role in (None, ParticipantRole.CUSTOMER, ParticipantRole.AGENT):
        with pytest.raises(CallRequestInvalid):
            await calls.desk.invite(AGENT, SESSION, Wanted("", role, 0), T0)
    who, *_ = await accepted_by(calls, Wanted("", ParticipantRole.WITNESS, 0))
    second, *_ = await accepted_by(calls, Wanted("", ParticipantRole.WITNESS, 0))
    assert (who.participant_id, second.participant_id) == ("witness", "witness-2")
    await calls.desk.join(who, SESSION, "")
    assert calls.recorders.opened[-1] == ("media-1", SESSION, ("customer", "agent", "witness", "witness-2"))
    session = await calls.sessions.get("demo", SESSION)
    assert [person.participant_id for person in session.participants] == ["customer", "agent", "witness", "witness-2"]
    assert (await calls.seats.publisher("demo", SESSION, "witness", who.admission)).connection == 1
