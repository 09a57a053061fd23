"""What time brings to a call."""

from dataclasses import replace
from functools import partial

import pytest
from call_doubles import LIMITS, POLICY, SCRIPT, T0, HandRecorders, S

from shuanglu_signaling.domain import call_course, call_people, guests
from shuanglu_signaling.domain.call import Call, Change, Person
from shuanglu_signaling.domain.call_events import RecordingProven, RecordingResumed, RecordingStalled
from shuanglu_signaling.domain.call_proof import RecordingState, Sight, network, prove
from shuanglu_signaling.domain.call_stores import Transition
from shuanglu_signaling.domain.call_table import (
    AbsenceCause,
    CallState,
    EndReason,
    NetworkQuality,
    Presence,
    ProofState,
    StallAction,
    TrackKind,
)
from shuanglu_signaling.domain.call_watch import tick
from shuanglu_signaling.domain.guests import Wanted
from shuanglu_signaling.domain.script import RecordingPolicy
from shuanglu_signaling.domain.session import Participant
from shuanglu_signaling.domain.words import ParticipantRole

WHO = ("customer", "agent")


class Time:
    """A call, its recorder and the clock."""

    def __init__(self, policy: RecordingPolicy = POLICY) -> None:
        people = tuple(Person(Participant(who, ParticipantRole(who.upper()))) for who in WHO)
        self.call = Call("s", people, SCRIPT, policy)
        self.recorder = HandRecorders()
        self.told: list[object] = []

    @property
    def now(self) -> int:
        return self.recorder.now

    @property
    def sight(self) -> Sight:
        return self.recorder.sight("", "demo", "s")

    def do(self, step: Transition) -> "Time":
        change: Change = step(self.call)
        self.call = change.call
        self.told.extend(change.events)
        return self

    def opened(self) -> "Time":
        self.do(partial(call_course.place, node="media-1"))
        return self.do(partial(call_course.open_call, file_prefix="demo/s/", at_us=self.now))

    def live(self, *who: str) -> "Time":
        for each in who or WHO:
            self.do(partial(call_people.join, participant_id=each, seat=0, at_us=self.now))
            self.do(partial(call_people.publish, participant_id=each, grace_us=LIMITS.grace_us, at_us=self.now))
            number = self.call.person(each).connection
            self.do(partial(call_people.media_up, participant_id=each, connection=number, at_us=self.now))
        return self

    def lose(self, who: str) -> "Time":
        """The first connection of somebody is over."""
        lost = partial(call_people.media_down, participant_id=who, connection=1, grace_us=LIMITS.grace_us)
        return self.do(partial(lost, at_us=self.now))

    def wait(self, seconds: float, *, growing: tuple[str, ...] = (), speaking: bool = True) -> "Time":
        """Half a second at a time, as a keeper sees it."""
        for _ in range(int(seconds * 2)):
            self.recorder.now += S // 2
            if growing:
                self.recorder.grow("demo", self.call, *growing)
            elif speaking:
                self.recorder.hear("demo", self.call)
            self.look()
        return self

    def look(self) -> "Time":
        return self.do(lambda call: tick(call, self.sight, LIMITS, self.now))

    @property
    def proof(self) -> ProofState:
        return prove(self.call, self.sight, self.now).state


def test_nothing_is_proven_before_every_required_track_is_in_the_store() -> None:
    time = Time().opened().live()
    assert time.proof is ProofState.PENDING
    time.wait(1, growing=("agent",))
    assert (time.proof, time.call.proven) == (ProofState.PENDING, False)
    time.wait(1, growing=WHO)
    assert (time.proof, time.call.proven) == (ProofState.PROVEN, True)
    assert time.told.count(RecordingProven()) == 1


def test_bytes_on_disk_alone_prove_nothing() -> None:
    time = Time().opened().live().wait(1, growing=WHO)
    tracks = tuple(replace(each, stored_ms=0, stored_duration_ms=0) for each in time.sight.tracks)
    assert prove(time.call, replace(time.sight, tracks=tracks), time.now).state is ProofState.PENDING


def test_a_recording_that_stands_still_for_two_seconds_is_told_and_holds_the_call() -> None:
    time = Time().opened().live().wait(3, growing=WHO).wait(2)
    assert (time.proof, time.call.state) == (ProofState.PROVEN, CallState.ACTIVE)
    time.wait(0.5)
    assert (time.proof, time.call.state) == (ProofState.STALLED, CallState.HELD)
    time.wait(0.5, growing=WHO)
    assert (time.proof, time.call.state) == (ProofState.PROVEN, CallState.ACTIVE)
    assert [each for each in time.told if isinstance(each, RecordingStalled | RecordingResumed)] == [
        RecordingStalled(StallAction.HOLD),
        RecordingResumed(),
    ]


def test_a_recorder_that_says_nothing_proves_nothing() -> None:
    time = Time().opened().live().wait(3, growing=WHO).wait(3, speaking=False)
    assert (time.proof, time.call.state) == (ProofState.STALLED, CallState.HELD)


def test_one_track_that_stands_still_is_enough() -> None:
    time = Time().opened().live().wait(3, growing=WHO).wait(3, growing=("agent",))
    assert time.proof is ProofState.STALLED


def test_a_strategy_may_only_warn() -> None:
    time = Time(replace(POLICY, on_stall=StallAction.WARN)).opened().live().wait(3, growing=WHO).wait(3)
    assert (time.proof, time.call.state) == (ProofState.STALLED, CallState.ACTIVE)
    assert RecordingStalled(StallAction.WARN) in time.told


def test_a_strategy_may_end_the_call_when_its_patience_is_over() -> None:
    time = Time(replace(POLICY, on_stall=StallAction.END, stall_patience_s=30)).opened().live().wait(3, growing=WHO)
    time.wait(31, speaking=False)
    assert time.call.end_reason is None
    time.wait(3, speaking=False)
    assert time.call.end_reason is EndReason.RECORDING_LOST


def test_patience_holds_also_while_the_media_server_is_known_to_be_gone() -> None:
    time = Time(replace(POLICY, on_stall=StallAction.END, stall_patience_s=30)).opened().live().wait(3, growing=WHO)
    time.do(partial(call_people.node_lost, grace_us=LIMITS.grace_us, at_us=time.now)).wait(40)
    assert time.call.end_reason is EndReason.RECORDING_LOST


def test_patience_begins_anew_after_the_recording_has_grown() -> None:
    time = Time(replace(POLICY, on_stall=StallAction.END, stall_patience_s=30)).opened().live().wait(3, growing=WHO)
    time.wait(25, speaking=False).wait(1, growing=WHO).wait(25, speaking=False)
    assert time.call.end_reason is None


@pytest.mark.parametrize("why", ["muted", "held", "left"])
def test_what_is_announced_is_a_pause_and_not_a_fault(why: str) -> None:
    time = Time().opened().live().wait(3, growing=WHO)
    if why == "held":
        time.do(partial(call_course.hold, held=True, at_us=time.now))
    elif why == "left":
        time.do(partial(call_people.leave, participant_id="customer", at_us=time.now))
    else:
        for kind in TrackKind:
            time.do(partial(call_people.mute, participant_id="customer", kind=kind, muted=True, at_us=time.now))
    time.wait(5, growing=("agent",))
    assert time.proof is ProofState.PAUSED
    assert not time.call.stalled_since_us


def test_who_is_away_has_a_grace_time_and_comes_back_as_the_same_one() -> None:
    time = Time().opened().live().wait(3, growing=WHO)
    lost_at = time.now
    time.do(
        partial(
            call_people.media_down, participant_id="customer", connection=1, grace_us=LIMITS.grace_us, at_us=lost_at
        )
    )
    person = time.call.person("customer")
    assert (person.presence, person.due_connection) == (Presence.AWAY, 2)
    assert person.away_until_us == lost_at + LIMITS.grace_us
    time.wait(8, growing=("agent",)).live("customer").wait(1, growing=WHO)
    assert time.call.state is CallState.ACTIVE
    mark = time.call.marks[0]
    assert (mark.cause, mark.start_at_us, mark.end_at_us) == (AbsenceCause.AWAY, lost_at, lost_at + 8 * S)


def test_who_does_not_come_back_in_time_has_left() -> None:
    time = Time().opened().live().wait(3, growing=WHO)
    time.do(
        partial(
            call_people.media_down, participant_id="customer", connection=1, grace_us=LIMITS.grace_us, at_us=time.now
        )
    )
    time.wait(59, growing=("agent",))
    assert time.call.person("customer").presence is Presence.AWAY
    time.wait(2, growing=("agent",))
    assert time.call.person("customer").presence is Presence.LEFT
    assert time.call.end_reason is None


def test_a_closed_laptop_is_noticed_by_the_bytes_that_do_not_come() -> None:
    time = Time().opened().live().wait(3, growing=WHO).wait(11, growing=("agent",))
    person = time.call.person("customer")
    assert (person.presence, person.absent_cause, person.due_connection) == (Presence.AWAY, AbsenceCause.AWAY, 1)
    assert person.absent_since_us <= time.now - 10 * S
    assert time.proof is ProofState.PAUSED


def test_bytes_that_come_again_bring_a_person_back_without_any_event() -> None:
    time = Time().opened().live().wait(3, growing=WHO).wait(20, growing=("agent",)).wait(1, growing=WHO)
    assert time.call.person("customer").presence is Presence.LIVE


def test_last_bytes_on_their_way_do_not_bring_anybody_back() -> None:
    time = Time().opened().live().wait(3, growing=WHO)
    time.do(
        partial(
            call_people.media_down, participant_id="customer", connection=1, grace_us=LIMITS.grace_us, at_us=time.now
        )
    )
    time.wait(1, growing=WHO)
    assert time.call.person("customer").presence is Presence.AWAY


def test_when_all_fall_silent_at_once_it_is_ours() -> None:
    time = Time().opened().live().wait(3, growing=WHO).wait(12)
    assert {person.absent_cause for person in time.call.people} == {AbsenceCause.RECORDER}
    assert time.proof is ProofState.STALLED


def test_a_recorder_that_is_away_makes_nobody_absent() -> None:
    time = Time().opened().live().wait(3, growing=WHO).wait(15, speaking=False)
    assert {person.presence for person in time.call.people} == {Presence.LIVE}


def test_everybody_publishes_anew_after_the_media_server_was_lost() -> None:
    time = Time().opened().live().wait(3, growing=WHO)
    lost_at = time.now
    time.do(partial(call_people.node_lost, grace_us=LIMITS.grace_us, at_us=lost_at))
    assert {person.due_connection for person in time.call.people} == {2}
    assert time.proof is ProofState.PROVEN  # Bytes came less than two seconds ago.
    time.wait(3)
    assert time.proof is ProofState.STALLED
    time.live().wait(1, growing=WHO)
    assert time.call.state is CallState.ACTIVE
    assert {mark.cause for mark in time.call.marks} == {AbsenceCause.RECORDER}


def test_a_call_that_everybody_left_is_ended_and_says_so() -> None:
    time = Time().opened().live().wait(3, growing=WHO)
    for who in WHO:
        time.do(partial(call_people.leave, participant_id=who, at_us=time.now))
    time.wait(119)
    assert time.call.end_reason is None
    time.wait(2)
    assert (time.call.end_reason, time.call.state) == (EndReason.ABANDONED, CallState.ENDING)


def test_a_call_in_which_nobody_ever_sent_anything_is_ended_too() -> None:
    time = Time().opened().do(partial(call_people.join, participant_id="agent", seat=0, at_us=T0)).wait(121)
    assert time.call.end_reason is EndReason.ABANDONED


def test_no_call_is_longer_than_it_may_be() -> None:
    time = Time().opened().live()
    time.recorder.now += LIMITS.longest_us + 1
    time.recorder.grow("demo", time.call)
    assert time.look().call.end_reason is EndReason.TIME_LIMIT


def test_when_the_last_invitation_has_expired_and_nobody_came_it_is_over() -> None:
    time = Time()
    for number, ttl_s in enumerate((60, 120)):
        wanted = Wanted("customer", None, ttl_s)
        code = str(number) * 32
        time.do(partial(guests.invite, wanted=wanted, invitation_id=str(number), code=code, now_us=T0))
    time.wait(119)
    assert time.call.end_reason is None
    time.wait(2)
    assert (time.call.end_reason, time.call.state, time.call.empty) == (EndReason.NEVER_JOINED, CallState.ENDED, True)


def test_a_call_is_ended_for_good_when_its_recorder_is_done() -> None:
    time = Time().opened().live().wait(1, growing=WHO)
    time.do(partial(call_course.end, reason=EndReason.COMPLETED, at_us=time.now))
    time.recorder.sights["demo", "s"] = replace(time.sight, state=RecordingState.COMPLETE)
    assert time.look().call.state is CallState.ENDING  # The recorder was not even told.
    time.do(call_course.closed).look()
    assert (time.call.state, time.call.empty, time.proof) == (CallState.ENDED, False, ProofState.CLOSED)


@pytest.mark.parametrize(
    ("lost", "quality"),
    [
        (0, NetworkQuality.GOOD),
        (20, NetworkQuality.GOOD),
        (21, NetworkQuality.FAIR),
        (80, NetworkQuality.FAIR),
        (81, NetworkQuality.POOR),
    ],
)
def test_network_quality_is_what_the_recorder_sees(lost: int, quality: NetworkQuality) -> None:
    time = Time().opened().live().wait(1, growing=WHO)
    tracks = tuple(replace(each, lost_permille=lost) for each in time.sight.tracks)
    sight = replace(time.sight, tracks=tracks)
    assert network(time.call.person("agent"), sight, time.now) == (quality, lost)
    assert network(time.call.person("agent"), sight, time.now + 3 * S)[0] is NetworkQuality.LOST
    assert network(time.call.person("agent"), Sight(), time.now)[0] is NetworkQuality.UNSPECIFIED
