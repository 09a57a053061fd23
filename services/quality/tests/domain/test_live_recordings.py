"""A recorded call: people come and go around the nodes, and what is absent while one is performed is told."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quality_scene import Scene, face

from shuanglu.common.v1.types_pb2 import Participant, ParticipantRole
from shuanglu.common.v1.types_pb2 import TrackKind as TrackKindMessage
from shuanglu.media.v1.media_events_pb2 import RecordingCompleted
from shuanglu.media.v1.track_pb2 import Gap as GapMessage
from shuanglu.media.v1.track_pb2 import GapCause as GapCauseMessage
from shuanglu.media.v1.track_pb2 import Track as TrackMessage
from shuanglu_quality import proto_in
from shuanglu_quality.domain.intervals import Interval, intersect, total_ms
from shuanglu_quality.domain.live_gaps import judge_gaps, with_edges
from shuanglu_quality.domain.observations import Gap, Recording, TimelineNode, Track
from shuanglu_quality.domain.words import GapCause, Outcome, Role, TrackKind

LIVE = (GapCause.AWAY, GapCause.MUTED, GapCause.LOST, GapCause.RECORDER, GapCause.HELD)
WAITED_MS = 20_000


def broken(scene: Scene) -> set[tuple[str, Outcome, str]]:
    return {(one.check, one.outcome, one.reason) for one in scene.broken()}


def absent(scene: Scene, track_id: str, start_ms: int, end_ms: int, cause: GapCause) -> None:
    scene.gaps = (*scene.gaps, Gap(track_id, Interval(start_ms, end_ms), cause))


@pytest.fixture
def call(scene: Scene) -> Scene:
    """A call of which the first node starts after twenty seconds, with marked nodes and ten seconds of farewell."""
    scene.live = True
    scene.lead_ms, scene.tail_ms = WAITED_MS, 10_000
    nodes = ("consent", "identity", "terms", "risk", "confirm")
    scene.timeline = tuple(TimelineNode(node, scene.span(node).widen(400, 300)) for node in nodes)
    return scene


def test_a_call_in_order_passes(call: Scene):
    assert broken(call) == set()


@pytest.mark.parametrize("cause", LIVE)
def test_what_is_absent_before_the_first_node_is_no_finding(call: Scene, cause: GapCause):
    for track in ("customer-video", "customer-audio", "agent-audio"):
        absent(call, track, 0, WAITED_MS, cause)
    assert broken(call) == set()


def test_waiting_in_silence_before_a_black_camera_is_no_finding(call: Scene):
    waiting = Interval(0, WAITED_MS)
    call.mute = {Role.CUSTOMER: waiting, Role.AGENT: waiting}
    call.black = {Role.CUSTOMER: waiting}
    call.faces[Role.CUSTOMER] = lambda at: () if at < WAITED_MS else (face(),)
    assert broken(call) == set()
    call.live = False
    assert {"BLACK_PICTURE", "SILENCE"} <= {reason for _, _, reason in broken(call)}


@pytest.mark.parametrize(
    ("cause", "outcome", "reason"),
    [
        (GapCause.AWAY, Outcome.FAIL, "RECORDING_GAP"),
        (GapCause.MUTED, Outcome.FAIL, "RECORDING_GAP"),
        (GapCause.LOST, Outcome.UNSURE, "NOT_RECORDED"),
        (GapCause.RECORDER, Outcome.UNSURE, "NOT_RECORDED"),
        (GapCause.HELD, Outcome.UNSURE, "HELD"),
    ],
)
def test_what_is_absent_inside_a_node_is_told_with_its_cause(
    call: Scene, cause: GapCause, outcome: Outcome, reason: str
):
    at = call.span("risk").start_ms
    absent(call, "customer-video", at, at + 1500, cause)
    (finding,) = [one for one in call.broken() if one.check == "recording_quality"]
    assert (finding.outcome, finding.reason) == (outcome, reason)
    assert (finding.node, finding.role, finding.interval) == ("risk", Role.CUSTOMER, Interval(at, at + 1500))
    assert finding.measure.measured == 1.5
    assert call.inspect().verdict is outcome


def test_only_the_part_inside_a_node_counts(call: Scene):
    start = call.timeline[0].interval.start_ms
    absent(call, "customer-video", 0, start + 900, GapCause.AWAY)
    assert broken(call) == set()
    call.gaps = ()
    absent(call, "customer-video", 0, start + 1100, GapCause.AWAY)
    (finding,) = [one for one in call.broken() if one.check == "recording_quality"]
    assert finding.interval == Interval(start, start + 1100)


def test_lost_packets_here_and_there_are_no_finding_but_too_many_are(call: Scene):
    node = call.timeline[2].interval
    for at in range(node.start_ms, node.end_ms, 1000):
        absent(call, "customer-video", at, at + 60, GapCause.LOST)
    assert broken(call) == set()
    for at in range(node.start_ms, node.end_ms, 1000):
        absent(call, "customer-video", at + 400, at + 700, GapCause.LOST)
    (finding,) = [one for one in call.broken() if one.check == "recording_quality"]
    assert (finding.outcome, finding.reason, finding.node) == (Outcome.UNSURE, "NOT_RECORDED", "terms")


@pytest.mark.parametrize(("cause", "expected"), [(GapCause.RECORDER, Outcome.UNSURE), (GapCause.AWAY, Outcome.FAIL)])
def test_a_phrase_may_have_been_said_into_what_was_lost(call: Scene, cause: GapCause, expected: Outcome):
    line = next(said for spoken, said in call.said if "征信" in spoken.text)
    call.script = [replace(line, text="嗯。") if "征信" in line.text else line for line in call.script]
    absent(call, "agent-audio", line.interval.start_ms, line.interval.end_ms, cause)
    (finding,) = [one for one in call.broken() if one.check == "must_say"]
    assert finding.outcome is expected


def test_what_was_lost_outside_of_nodes_leaves_no_doubt_about_words(call: Scene):
    absent(call, "agent-audio", 2000, 9000, GapCause.RECORDER)
    assert broken(call) == set()


@pytest.mark.parametrize("cause", [GapCause.LOST, GapCause.RECORDER, GapCause.HELD])
def test_what_was_lost_is_no_silence(call: Scene, cause: GapCause):
    at = call.span("terms").start_ms // 1000 * 1000
    call.mute = dict.fromkeys((Role.CUSTOMER, Role.AGENT), Interval(at, at + 5000))
    assert "SILENCE" in {reason for _, _, reason in broken(call)}
    for track in ("customer-audio", "agent-audio"):
        absent(call, track, at, at + 5000, cause)
    assert "SILENCE" not in {reason for _, _, reason in broken(call)}
    assert call.inspect().verdict is not Outcome.PASS


def test_a_person_who_must_be_recorded_and_was_not_is_unsure(call: Scene):
    call.without = {"agent-video"}
    reasons = {(one.reason, one.role) for one in call.broken() if one.check == "recording_quality"}
    assert ("NO_VIDEO_TRACK", Role.AGENT) in reasons
    assert call.inspect().verdict is Outcome.UNSURE


def test_a_supervisor_who_looks_in_without_a_word_is_not_missed(call: Scene):
    call.guests = {Role.SUPERVISOR: Interval(30_000, 34_000)}
    absent(call, "supervisor-audio", 0, 30_000, GapCause.AWAY)
    absent(call, "supervisor-audio", 34_000, call.duration_ms, GapCause.AWAY)
    assert broken(call) == set()


def test_a_track_that_begins_late_was_away_even_if_nobody_said_so():
    track = Track("a", TrackKind.AUDIO, (Role.AGENT,), Interval(4000, 9000), 3)
    told = (Gap("a", Interval(0, 1000), GapCause.RECORDER),)
    assert with_edges(told, [track], 10_000) == (
        *told,
        Gap("a", Interval(1000, 4000), GapCause.AWAY),
        Gap("a", Interval(9000, 10_000), GapCause.AWAY),
    )


def test_a_recording_without_original_files_is_of_a_call():
    people = [Participant(participant_id="agent", role=ParticipantRole.PARTICIPANT_ROLE_AGENT)]
    track = TrackMessage(
        track_id="agent-audio", kind=TrackKindMessage.TRACK_KIND_AUDIO, participants=people, start_ms=500, end_ms=4000
    )
    gap = GapMessage(track_id="agent-audio", start_ms=1000, end_ms=1200, cause=GapCauseMessage.GAP_CAUSE_LOST)
    message = RecordingCompleted(tracks=[track], gaps=[gap], duration_ms=4000)
    recording = proto_in.recording(message, [Role.CUSTOMER, Role.AGENT])
    assert (recording.live, recording.expected) == (True, (Role.AGENT, Role.CUSTOMER))
    assert [(one.interval, one.cause) for one in recording.gaps] == [
        (Interval(1000, 1200), GapCause.LOST),
        (Interval(0, 500), GapCause.AWAY),
    ]
    message.tracks[0].original.key = "bank/s/original"
    assert not proto_in.recording(message).live
    assert len(proto_in.recording(message).gaps) == 1


gaps = st.lists(
    st.tuples(st.integers(0, 60_000), st.integers(0, 8000), st.sampled_from(LIVE)).map(
        lambda one: Gap("customer-audio", Interval(one[0], one[0] + one[1]), one[2])
    ),
    max_size=12,
)
nodes = st.lists(
    st.tuples(st.integers(0, 60_000), st.integers(1, 20_000)).map(
        lambda one: TimelineNode("n", Interval(one[0], one[0] + one[1]))
    ),
    min_size=1,
    max_size=4,
)


@given(gaps, nodes, st.randoms())
def test_every_long_gap_in_a_node_is_judged_and_nothing_else(
    given_gaps: list[Gap], timeline: list[TimelineNode], random: Random
):
    scene_track = Track("customer-audio", TrackKind.AUDIO, (Role.CUSTOMER,), Interval(0, 90_000), 45)
    recording = Recording((scene_track,), 90_000, tuple(given_gaps), tuple(timeline), live=True)
    judged = judge_gaps(recording, tuple(timeline), (Role.CUSTOMER,), 1000)
    spans = [take.interval for take in timeline]
    for one in judged:
        assert total_ms(intersect([one.interval], spans)) == one.interval.duration_ms
    for gap in given_gaps:
        for part in intersect([gap.interval], spans):
            if part.duration_ms > 1000:
                assert any(
                    one.interval.overlap_ms(part) == part.duration_ms for one in judged if one.cause is gap.cause
                )
    shuffled = list(given_gaps)
    random.shuffle(shuffled)
    assert judge_gaps(replace(recording, gaps=tuple(shuffled)), tuple(timeline), (Role.CUSTOMER,), 1000) == judged
