"""What happens to the people of a call: they come, send, drop out, come back, go, and switch things off."""

from dataclasses import replace
from functools import partial

from shuanglu_signaling.domain import call_events as events
from shuanglu_signaling.domain.call import Call, Change, Mark, Person, with_mark, with_person
from shuanglu_signaling.domain.call_events import CallEvent
from shuanglu_signaling.domain.call_table import (
    CAN_PUBLISH,
    OVER,
    PRESENCES,
    AbsenceCause,
    Presence,
    Step,
    TrackKind,
)
from shuanglu_signaling.errors import NotJoined


def join(call: Call, participant_id: str, seat: int, at_us: int) -> Change:
    """Come in, or back. `seat` 0: the caller's token is not of an invitation. Raises CallEnded, ParticipantNotFound."""
    call.require_going_on()
    person = call.person(participant_id)
    presence = PRESENCES[person.presence][Step.JOIN]
    after = with_person(call, replace(person, presence=presence, seat=max(person.seat, seat)), at_us)
    told = () if presence is person.presence else (events.ParticipantJoined(person.participant),)
    return Change(after, told)


def publish(call: Call, participant_id: str, grace_us: int, at_us: int) -> Change:
    """Begin a new connection. Raises CallEnded, ParticipantNotFound, NotJoined."""
    call.require_going_on()
    person = call.person(participant_id)
    presence = PRESENCES[person.presence].get(Step.PUBLISH)
    if presence is None:
        raise NotJoined("该参与人不在通话中。The participant is not in the call.")
    fresh = replace(person, presence=presence, connection=person.connection + 1)
    if presence is Presence.AWAY:
        since = person.absent_since_us or at_us
        fresh = replace(fresh, absent_since_us=since, away_until_us=at_us + grace_us)
    told: tuple[CallEvent, ...] = ()
    if person.presence is Presence.LIVE:
        fresh = replace(fresh, absent_cause=AbsenceCause.AWAY)
        told = (events.ParticipantAway(participant_id, person.connection),)
    return Change(with_person(call, fresh, at_us), told)


def media_up(call: Call, participant_id: str, connection: int, at_us: int) -> Change:
    """Media flows on a connection; older ones and those that are over do not count."""
    person = call.person(participant_id)
    presence = PRESENCES[person.presence].get(Step.UP)
    if presence is None or not is_current(person, connection) or call.state in OVER:
        return Change(call)
    live = replace(person, presence=presence, absent_since_us=0, away_until_us=0, absent_cause=AbsenceCause.AWAY)
    after = with_mark(with_person(call, live, at_us), absence(person, at_us))
    return Change(after, (events.ParticipantLive(participant_id, connection),))


def is_current(person: Person, connection: int) -> bool:
    """Whether a connection is the person's newest and not over."""
    return connection == person.connection != person.lost_connection


def absence(person: Person, at_us: int) -> Mark:
    """Why a person's media was absent until now; empty if it was not."""
    since = person.absent_since_us or at_us
    return Mark(person.participant_id, None, person.absent_cause, since, at_us)


def media_down(
    call: Call,
    participant_id: str,
    connection: int,
    grace_us: int,
    at_us: int,
    cause: AbsenceCause = AbsenceCause.AWAY,
) -> Change:
    """A connection is over, also one that never came up: another one must be begun. Older ones do not count."""
    person = call.person(participant_id)
    if not is_current(person, connection) or person.presence not in CAN_PUBLISH or call.state in OVER:
        return Change(call)
    lost = replace(person, lost_connection=connection)
    return quiet(with_person(call, lost, at_us), participant_id, grace_us, at_us, cause=cause)


def quiet(
    call: Call,
    participant_id: str,
    grace_us: int,
    at_us: int,
    since_us: int = 0,
    cause: AbsenceCause = AbsenceCause.AWAY,
) -> Change:
    """No media comes any more; the connection may get well again. `since_us`: when it stopped, if that is known."""
    person = call.person(participant_id)
    presence = PRESENCES[person.presence].get(Step.DOWN)
    if presence is None or call.state in OVER:
        return Change(call)
    away = replace(
        person,
        presence=presence,
        absent_since_us=min(since_us or at_us, at_us),
        absent_cause=cause,
        away_until_us=at_us + grace_us,
    )
    return Change(with_person(call, away, at_us), (events.ParticipantAway(participant_id, person.connection),))


def node_lost(call: Call, grace_us: int, at_us: int) -> Change:
    """The media server is gone: everybody on it must publish anew."""
    change = Change(call)
    for person in call.people:
        if person.connection:
            lost = partial(
                media_down,
                participant_id=person.participant_id,
                connection=person.connection,
                grace_us=grace_us,
                at_us=at_us,
                cause=AbsenceCause.RECORDER,
            )
            change = change.then(lost)
    return change


def leave(call: Call, participant_id: str, at_us: int, step: Step = Step.LEAVE) -> Change:
    """Go out, or be taken for gone. Who has not come or has left already stays so. Raises ParticipantNotFound."""
    person = call.person(participant_id)
    presence = PRESENCES[person.presence].get(step, person.presence)
    if presence is person.presence or call.state in OVER:
        return Change(call)
    since = (person.absent_since_us or at_us) if person.connection else 0
    left = replace(person, presence=presence, lost_connection=person.connection, absent_since_us=since, away_until_us=0)
    return Change(with_person(call, left, at_us), (events.ParticipantLeft(participant_id),))


def mute(call: Call, participant_id: str, kind: TrackKind, muted: bool, at_us: int) -> Change:  # noqa: FBT001 - as asked
    """Switch sound or picture off or on. Raises CallEnded, ParticipantNotFound."""
    call.require_going_on()
    person = call.person(participant_id)
    since = person.muted_since_us(kind)
    if bool(since) is muted:
        return Change(call)
    now = at_us if muted else 0
    audio = kind is TrackKind.AUDIO
    after = replace(person, audio_muted_since_us=now) if audio else replace(person, video_muted_since_us=now)
    changed = with_person(call, after, at_us)
    if since:
        changed = with_mark(changed, Mark(participant_id, kind, AbsenceCause.MUTED, since, at_us))
    return Change(changed)
