from report_examples import AGENT, CUSTOMER, failed, result, unsure

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.observation.v1.observations_pb2 import Box
from shuanglu.quality.v1.finding_pb2 import EvidenceFrame
from shuanglu_report.page.choice import MOST, PER_FINDING, wanted_stills


def test_failures_come_first_then_each_person_once() -> None:
    wanted = wanted_stills(result())
    assert [still.finding_id for still in wanted[:2]] == ["f-absent", "f-absent"]
    assert wanted[2].frame.track_id == "customer-video"
    assert wanted[3].frame.track_id == "agent-video"
    assert len(wanted) == 4


def test_a_person_without_a_finding_frame_is_shown_from_the_middle_of_the_longest_presence() -> None:
    agent = wanted_stills(result())[-1]
    assert agent.frame.at_ms == 34_500
    assert agent.finding_id.startswith("p-face_in_frame")


def test_a_person_who_was_never_seen_has_no_still() -> None:
    empty = result()
    del empty.presence[:]
    roles = [still.frame.track_id for still in wanted_stills(empty)]
    assert "agent-video" not in roles


def test_many_failures_leave_room_for_the_persons() -> None:
    crowded = result()
    for number in range(40):
        finding = failed()
        finding.finding_id = f"f-{number}"
        finding.frames.extend([EvidenceFrame(track_id="customer-video", at_ms=number, box=Box(width=1, height=1))] * 3)
        crowded.findings.append(finding)
    wanted = wanted_stills(crowded)
    assert len(wanted) == MOST
    assert sum(still.finding_id == "f-0" for still in wanted) == PER_FINDING
    assert {still.frame.track_id for still in wanted[-2:]} == {"customer-video", "agent-video"}


def test_an_unspecified_outcome_is_shown_as_unsure() -> None:
    odd = result()
    finding = unsure()
    finding.outcome = Outcome.OUTCOME_UNSPECIFIED
    finding.frames.append(EvidenceFrame(track_id="customer-video", at_ms=7))
    odd.findings.append(finding)
    assert [still.outcome for still in wanted_stills(odd) if still.frame.at_ms == 7] == [Outcome.OUTCOME_UNSURE]


def test_roles_are_those_of_the_tracks() -> None:
    only_agent = result()
    kept = [track for track in only_agent.tracks if track.participants[0].role == AGENT]
    del only_agent.tracks[:]
    only_agent.tracks.extend(kept)
    shown = [still for still in wanted_stills(only_agent) if still.outcome == Outcome.OUTCOME_PASS]
    assert {still.frame.track_id for still in shown} == {"agent-video"}
    assert CUSTOMER not in {person.role for track in only_agent.tracks for person in track.participants}
