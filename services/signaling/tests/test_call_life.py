"""A call's whole life in any order: several people, drops, tabs, nodes, holds, standstills, and time."""

from dataclasses import replace
from itertools import pairwise

from call_doubles import LIMITS, POLICY, SCRIPT, T0, S, track
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shuanglu_common.errors import CallerError
from shuanglu_signaling.domain import call_course, call_people, guests
from shuanglu_signaling.domain.call import Call, Change, Person
from shuanglu_signaling.domain.call_events import CallEnded as CallEndedEvent
from shuanglu_signaling.domain.call_events import CallEvent, NodeFinished, NodeStarted
from shuanglu_signaling.domain.call_proof import RecordingState, Sight, prove
from shuanglu_signaling.domain.call_table import (
    CAN_PUBLISH,
    OVER,
    AbsenceCause,
    CallState,
    EndReason,
    Presence,
    ProofState,
    StallAction,
    TrackKind,
)
from shuanglu_signaling.domain.call_watch import tick
from shuanglu_signaling.domain.guests import Wanted
from shuanglu_signaling.domain.session import Participant
from shuanglu_signaling.domain.words import ParticipantRole
from shuanglu_signaling.errors import CallEnded

PEOPLE = ("customer", "agent", "witness")
PERSON = st.sampled_from(PEOPLE)


class CallLife(RuleBasedStateMachine):
    """Everything that people, media servers, recorders and clocks do to a call."""

    def __init__(self) -> None:
        super().__init__()
        people = (
            Person(Participant("customer", ParticipantRole.CUSTOMER)),
            Person(Participant("agent", ParticipantRole.AGENT)),
        )
        self.call = Call("s", people, SCRIPT, POLICY)
        self.now = T0
        self.events: list[CallEvent] = []
        self.sight = Sight(RecordingState.OPEN)

    def apply(self, change: Change) -> None:
        before = self.call
        assert change.call != before or not change.events, "told of what did not happen"
        if before.end_reason:
            assert change.call.end_reason is before.end_reason
            assert change.call.takes == before.takes
            assert change.call.marks == before.marks
        self.call = change.call
        self.events.extend(change.events)

    def attempt(self, step: object, *args: object) -> None:
        """What people ask; a refusal changes nothing and has a reason."""
        refusal: CallerError | None = None
        try:
            self.apply(step(self.call, *args))  # type: ignore[operator]
        except CallerError as error:
            refusal = error
        if refusal is not None and self.call.state in OVER:
            assert isinstance(refusal, CallEnded)

    @initialize(action=st.sampled_from(StallAction))
    def begin(self, action: StallAction) -> None:
        policy = replace(POLICY, on_stall=action)
        self.call = replace(self.call, policy=policy)
        wanted = Wanted("", ParticipantRole.WITNESS, 0)
        self.apply(guests.invite(self.call, wanted, "i-1", "c" * 32, self.now))
        self.apply(call_course.place(self.call, "media-1"))
        self.apply(call_course.open_call(self.call, "demo/s/", self.now))

    @rule(seconds=st.sampled_from([0.1, 1, 3, 11, 61, 121, 4000]))
    def time_passes(self, seconds: float) -> None:
        self.now += int(seconds * S)

    @rule(who=PERSON, seat=st.integers(0, 3))
    def join(self, who: str, seat: int) -> None:
        self.attempt(call_people.join, who, seat, self.now)

    @rule(who=PERSON)
    def publish(self, who: str) -> None:
        before = self.call.person(who).connection
        self.attempt(call_people.publish, who, LIMITS.grace_us, self.now)
        assert self.call.person(who).connection in {before, before + 1}

    @rule(who=PERSON, back=st.integers(0, 2))
    def media_comes(self, who: str, back: int) -> None:
        connection = self.call.person(who).connection - back
        was = self.call.person(who)
        self.apply(call_people.media_up(self.call, who, connection, self.now))
        if back:
            assert self.call.person(who) == was

    @rule(who=PERSON, back=st.integers(0, 2), cause=st.sampled_from([AbsenceCause.AWAY, AbsenceCause.RECORDER]))
    def media_goes(self, who: str, back: int, cause: AbsenceCause) -> None:
        was = self.call.person(who)
        change = call_people.media_down(self.call, who, was.connection - back, LIMITS.grace_us, self.now, cause)
        self.apply(change)
        again = call_people.media_down(self.call, who, was.connection - back, LIMITS.grace_us, self.now, cause)
        assert again.call == self.call
        if back:
            assert self.call.person(who) == was

    @rule()
    def the_media_server_dies(self) -> None:
        before = {person.participant_id: person.connection for person in self.call.people}
        self.apply(call_people.node_lost(self.call, LIMITS.grace_us, self.now))
        for person in self.call.people:
            assert person.presence is not Presence.LIVE
            there = person.presence in CAN_PUBLISH and not self.call.end_reason
            assert person.due_connection > before[person.participant_id] or not there

    @rule(who=PERSON)
    def leave(self, who: str) -> None:
        self.attempt(call_people.leave, who, self.now)

    @rule(who=PERSON, kind=st.sampled_from(TrackKind), muted=st.booleans())
    def mute(self, who: str, kind: TrackKind, muted: bool) -> None:  # noqa: FBT001
        self.attempt(call_people.mute, who, kind, muted, self.now)

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:  # noqa: FBT001
        self.attempt(call_course.hold, held, self.now)

    @rule(node=st.sampled_from(["consent", "answer", "risk", "no-such-node"]))
    def start_node(self, node: str) -> None:
        self.attempt(call_course.start_node, node, self.now)

    @rule(node=st.sampled_from(["consent", "answer", "risk"]))
    def finish_node(self, node: str) -> None:
        self.attempt(call_course.finish_node, node, self.now)

    @rule(who=st.sets(PERSON))
    def the_recording_grows(self, who: set[str]) -> None:
        fresh = [
            track(person.participant_id, kind, self.now, person.connection)
            for person in self.call.people
            for kind in TrackKind
            if person.participant_id in who and person.connection
        ]
        ids = {each.track_id for each in fresh}
        rest = [each for each in self.sight.tracks if each.track_id not in ids]
        started = self.sight.started_at_us or (self.now if fresh else 0)
        self.sight = replace(self.sight, started_at_us=started, tracks=(*rest, *fresh), heard_at_us=self.now)

    @rule()
    def the_recorder_speaks(self) -> None:
        self.sight = replace(self.sight, heard_at_us=self.now)

    @rule()
    def somebody_looks(self) -> None:
        change = tick(self.call, self.sight, LIMITS, self.now)
        self.apply(change)
        assert tick(self.call, self.sight, LIMITS, self.now).call == self.call, "looking twice finds nothing new"

    @precondition(lambda self: self.now > T0)
    @rule(reason=st.sampled_from([EndReason.COMPLETED, EndReason.CANCELLED]))
    def end(self, reason: EndReason) -> None:
        self.apply(call_course.end(self.call, reason, self.now))
        self.apply(call_course.end(self.call, EndReason.CANCELLED, self.now))
        assert self.call.state in OVER

    @precondition(lambda self: self.call.end_reason)
    @rule(empty=st.booleans())
    def the_recording_is_complete(self, empty: bool) -> None:  # noqa: FBT001
        self.apply(call_course.closed(self.call))
        self.sight = replace(self.sight, state=RecordingState.EMPTY if empty else RecordingState.COMPLETE)
        self.apply(tick(self.call, self.sight, LIMITS, self.now))
        assert self.call.state is CallState.ENDED

    @invariant()
    def takes_follow_each_other(self) -> None:
        takes = self.call.takes
        for one, next_one in pairwise(takes):
            assert one.start_at_us < one.end_at_us <= next_one.start_at_us + 1
        assert all(take.end_at_us for take in takes[:-1])
        for node in {take.node_id for take in takes}:
            numbers = [take.take for take in takes if take.node_id == node]
            assert numbers == list(range(1, len(numbers) + 1))

    @invariant()
    def every_absence_is_over_before_now(self) -> None:
        assert all(mark.start_at_us < mark.end_at_us <= self.now for mark in self.call.marks)

    @invariant()
    def who_is_live_is_not_absent(self) -> None:
        for person in self.call.people:
            if person.presence is Presence.LIVE:
                assert not person.absent_since_us
                assert person.connection
            if person.presence is Presence.AWAY and not self.call.end_reason:
                assert person.away_until_us
                assert person.absent_since_us

    @invariant()
    def nobody_is_counted_right(self) -> None:
        if self.call.opened and not self.call.end_reason:
            live = any(person.presence is Presence.LIVE for person in self.call.people)
            assert live is not bool(self.call.nobody_since_us)

    @invariant()
    def an_ended_call_has_nothing_open(self) -> None:
        if self.call.end_reason:
            assert self.call.current is None
            assert self.call.state in OVER
            assert not any(person.muted_since_us(kind) for person in self.call.people for kind in TrackKind)
            assert not any(person.presence is Presence.LIVE for person in self.call.people)

    @invariant()
    def it_ends_once_and_every_take_is_told(self) -> None:
        ends = [event for event in self.events if isinstance(event, CallEndedEvent)]
        assert len(ends) == bool(self.call.end_reason)
        started = [(event.node_id, event.take) for event in self.events if isinstance(event, NodeStarted)]
        assert started == [(take.node_id, take.take) for take in self.call.takes]
        finished = [(event.node_id, event.take) for event in self.events if isinstance(event, NodeFinished)]
        assert finished == [(take.node_id, take.take) for take in self.call.takes if take.end_at_us]

    @invariant()
    def nothing_is_proven_that_was_not_seen(self) -> None:
        proof = prove(self.call, self.sight, self.now)
        if proof.state is ProofState.PROVEN:
            required = [each for each in proof.tracks if each.required]
            assert len(required) == len(self.call.needed) * len(TrackKind)
            assert all(each.stored_duration_ms > 0 for each in required)
        if self.call.proven:
            assert self.sight.tracks


TestCallLife = CallLife.TestCase
TestCallLife.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
