"""What time brings to a call: people who do not come back, recordings that stand still, calls that nobody ended.

`tick` looks at a call, at what its recorder says and at the clock. It may run in several places at once and as often as
one likes: what it has found out once changes nothing the second time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from shuanglu_signaling.domain import call_course, call_people
from shuanglu_signaling.domain.call import Call, Change, Person
from shuanglu_signaling.domain.call_events import RecordingProven, RecordingResumed, RecordingStalled
from shuanglu_signaling.domain.call_proof import STALL_US, RecordingState, Sight, prove
from shuanglu_signaling.domain.call_table import (
    OVER,
    AbsenceCause,
    EndReason,
    Presence,
    ProofState,
    StallAction,
    Step,
    TrackKind,
)
from shuanglu_signaling.domain.guests import last_hope_us

QUIET_US = 10_000_000
"""Nothing of a person for so long, while the recorder is well: the person is away, whatever the media server knows."""
BACK_US = 3_000_000
"""Bytes so long after a person went away: the person is back. What came in between was on its way already."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an absence may be, how long nobody may be there, how long a call may be; microseconds."""

    grace_us: int
    abandon_us: int
    longest_us: int


def tick(call: Call, sight: Sight, limits: Limits, now_us: int) -> Change:
    """All that time has brought until now."""
    if call.complete:
        return Change(call)
    if call.state in OVER:
        over = sight.state in {RecordingState.COMPLETE, RecordingState.EMPTY}
        empty = sight.state is RecordingState.EMPTY
        return call_course.completed(call, empty=empty) if call.closed and over else Change(call)
    steps: tuple[Callable[[Call], Change], ...] = (
        partial(begin, sight=sight),
        partial(find_people, sight=sight, grace_us=limits.grace_us, now_us=now_us),
        partial(lapse, now_us=now_us),
        partial(examine_recording, sight=sight, now_us=now_us),
        partial(overdue, limits=limits, now_us=now_us),
    )
    change = Change(call)
    for step in steps:
        change = change.then(step)
    return change


def begin(call: Call, sight: Sight) -> Change:
    """The timeline's origin, as soon as the recorder knows it; it never changes."""
    known = call.started_at_us or not sight.started_at_us
    return Change(call if known else replace(call, started_at_us=sight.started_at_us))


def find_people(call: Call, sight: Sight, grace_us: int, now_us: int) -> Change:
    """Who is there by the recorder's word: events of a media server may be lost, bytes are not."""
    if now_us - sight.heard_at_us > STALL_US:
        return Change(call)
    silent = [person for person in call.people if is_silent(person, sight, now_us)]
    live = [person for person in call.people if person.presence is Presence.LIVE]
    # One who falls silent is away. All at once: that is ours.
    cause = AbsenceCause.RECORDER if len(silent) == len(live) > 1 else AbsenceCause.AWAY
    change = Change(call)
    for person in call.people:
        grown_at_us = newest_us(person, sight)
        who = person.participant_id
        if person in silent:
            gone = partial(
                call_people.quiet,
                participant_id=who,
                grace_us=grace_us,
                at_us=now_us,
                since_us=grown_at_us,
                cause=cause,
            )
            change = change.then(gone)
        elif now_us - grown_at_us <= STALL_US and grown_at_us - person.absent_since_us > BACK_US:
            # Changes nothing for who is live.
            back = partial(call_people.media_up, participant_id=who, connection=person.connection, at_us=grown_at_us)
            change = change.then(back)
    return change


def newest_us(person: Person, sight: Sight) -> int:
    """When bytes of a person's newest connection were last seen; 0 if never."""
    mine = (
        each.grown_at_us
        for each in sight.tracks
        if each.participant_id == person.participant_id and each.connection == person.connection
    )
    return max(mine, default=0)


def is_silent(person: Person, sight: Sight, now_us: int) -> bool:
    """Whether a person who is said to be live sends nothing, though nothing was switched off."""
    if person.presence is not Presence.LIVE or all(person.muted_since_us(kind) for kind in TrackKind):
        return False
    grown_at_us = newest_us(person, sight)
    return bool(grown_at_us) and now_us - grown_at_us > QUIET_US


def lapse(call: Call, now_us: int) -> Change:
    """Who has not come back in time has left."""
    change = Change(call)
    for person in call.people:
        if person.presence is Presence.AWAY and now_us >= person.away_until_us:
            gone = partial(call_people.leave, participant_id=person.participant_id, at_us=now_us, step=Step.LAPSE)
            change = change.then(gone)
    return change


def examine_recording(call: Call, sight: Sight, now_us: int) -> Change:
    """Proven once; standing still and growing again as often as it happens."""
    proof = prove(call, sight, now_us)
    change = Change(call)
    if not call.proven and proof.tracks and not proof.unproven:
        change = Change(replace(call, proven=True), (RecordingProven(),))
    stalled_since_us = change.call.stalled_since_us
    if proof.state is ProofState.STALLED and not stalled_since_us:
        told = RecordingStalled(call.policy.on_stall)
        return change.then(lambda now: Change(replace(now, stalled_since_us=now_us), (told,)))
    if stalled_since_us and not proof.stalled:
        return change.then(lambda now: Change(replace(now, stalled_since_us=0), (RecordingResumed(),)))
    return change


def overdue(call: Call, limits: Limits, now_us: int) -> Change:
    """End what must be ended; the first reason that holds is told."""
    for reason, holds in OVERDUE:
        if holds(call, limits, now_us):
            return call_course.end(call, reason, now_us)
    return Change(call)


def is_lost(call: Call, now_us: int) -> bool:
    """Whether the recording has stood still for longer than the strategy's patience."""
    patient = call.policy.on_stall is not StallAction.END or not call.stalled_since_us
    return not patient and now_us - call.stalled_since_us > call.policy.stall_patience_s * 1_000_000


def never_joined(call: Call, now_us: int) -> bool:
    """Whether nobody has come and nobody can come any more by invitation."""
    hope_us = last_hope_us(call)
    return not call.opened and bool(hope_us) and now_us >= hope_us


OVERDUE: tuple[tuple[EndReason, Callable[[Call, Limits, int], bool]], ...] = (
    (EndReason.RECORDING_LOST, lambda call, _, now_us: is_lost(call, now_us)),
    (
        EndReason.TIME_LIMIT,
        lambda call, limits, now_us: call.opened and now_us - call.opened_at_us > limits.longest_us,
    ),
    (
        EndReason.ABANDONED,
        lambda call, limits, now_us: bool(call.nobody_since_us) and now_us - call.nobody_since_us > limits.abandon_us,
    ),
    (EndReason.NEVER_JOINED, lambda call, _, now_us: never_joined(call, now_us)),
)
