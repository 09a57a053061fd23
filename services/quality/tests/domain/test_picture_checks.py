from dataclasses import replace
from typing import Any

import pytest
from quality_scene import Change, Faces, Scene, face

from shuanglu_quality.domain.findings import Finding
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import Box, FaceSeen, FacesSeen, Gap
from shuanglu_quality.domain.words import Outcome, Role


def the_only(findings: list[Finding]):
    assert len(findings) == 1, findings
    return findings[0]


def of_role(findings: list[Finding], role: Role):
    return the_only([one for one in findings if one.role is role])


def test_a_face_is_cut_off_by_the_edge_of_its_own_frame_not_of_the_segments(scene: Scene):
    """A call's picture shrinks with the network: what fits 640x480 sticks out of 320x240."""
    cut_off = (face(x=240),)
    observations = [
        replace(one, frames=tuple(replace(frame, faces=cut_off, width=320, height=240) for frame in one.frames))
        if isinstance(one, FacesSeen) and one.track_id == "customer-video"
        else one
        for one in scene.observations()
    ]
    found = [one for one in scene.inspect(observations).findings if one.check == "same_person"]
    assert [one.reason for one in found] == ["NO_COMPARABLE_FACE"]


def test_an_absence_as_long_as_the_limit_still_passes(scene: Scene, make_face: Faces):
    scene.faces[Role.CUSTOMER] = lambda at: () if 10_000 <= at < 13_000 else (make_face(),)
    finding = of_role(scene.of("face_in_frame"), Role.CUSTOMER)
    assert finding.outcome is Outcome.PASS
    assert finding.measure.measured < 0.95
    assert finding.frames[0].box is not None


def test_single_missed_frames_are_the_detectors(scene: Scene, make_face: Faces):
    scene.faces[Role.CUSTOMER] = lambda at: () if at % 20_000 == 500 else (make_face(),)
    assert of_role(scene.of("face_in_frame"), Role.CUSTOMER).outcome is Outcome.PASS


def test_many_short_absences_make_a_face_scarce(scene: Scene, make_face: Faces):
    scene.faces[Role.CUSTOMER] = lambda at: () if at % 2000 < 1000 else (make_face(),)
    finding = of_role(scene.of("face_in_frame"), Role.CUSTOMER)
    assert (finding.outcome, finding.reason) == (Outcome.FAIL, "FACE_SCARCE")
    assert finding.measure.unit == "ratio"
    assert finding.measure.measured == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("bad", [{"size": 20}, {"score": 0.3}])
def test_a_face_that_is_too_small_or_uncertain_is_none(scene: Scene, make_face: Faces, bad: dict[str, float]):
    scene.faces[Role.AGENT] = lambda at: (make_face(**bad),)
    findings = [one for one in scene.of("face_in_frame") if one.role is Role.AGENT]
    assert {one.outcome for one in findings} == {Outcome.FAIL}
    assert [one.node for one in findings] == ["consent", "identity", "terms", "risk", "confirm"]


def test_without_a_picture_the_face_checks_are_unsure(scene: Scene):
    scene.skip = {one.key for one in scene.observations() if one.key[0] == "faces"}
    broken = {(one.check, one.outcome) for one in scene.broken()}
    assert broken == {
        ("face_in_frame", Outcome.UNSURE),
        ("same_person", Outcome.UNSURE),
        ("intrusion", Outcome.UNSURE),
        ("recording_quality", Outcome.UNSURE),
        ("coverage", Outcome.UNSURE),
    }
    assert scene.inspect().verdict is Outcome.UNSURE


def test_unreadable_segments_make_the_face_checks_unsure(scene: Scene):
    scene.failed = {("faces", "customer-video", index): "SEGMENT_UNREADABLE" for index in (4, 5)}
    broken = scene.broken()
    assert {one.reason for one in broken if one.check != "recording_quality"} == {"SEGMENT_UNREADABLE"}
    assert {one.outcome for one in broken} == {Outcome.UNSURE}
    coverage = the_only([one for one in broken if one.check == "coverage"])
    assert coverage.interval == Interval(6000, 10_000)


def test_an_absence_is_told_although_other_segments_are_missing(scene: Scene, make_face: Faces):
    scene.faces[Role.CUSTOMER] = lambda at: () if 20_000 <= at < 26_000 else (make_face(),)
    scene.failed = {("faces", "customer-video", 2): "SEGMENT_UNREADABLE"}
    assert Outcome.FAIL in {one.outcome for one in scene.of("face_in_frame")}


def test_black_frames_are_left_to_recording_quality(scene: Scene):
    scene.black[Role.AGENT] = Interval(2000, 8000)
    assert {one.check for one in scene.broken()} == {"recording_quality"}


def test_a_picture_that_is_black_all_the_time_shows_no_face(scene: Scene):
    scene.black[Role.CUSTOMER] = Interval(0, scene.duration_ms)
    broken = {(one.check, one.outcome) for one in scene.broken()}
    assert ("recording_quality", Outcome.FAIL) in broken
    assert ("face_in_frame", Outcome.UNSURE) in broken
    assert ("same_person", Outcome.UNSURE) in broken


def test_a_frozen_picture_fails_and_a_still_person_does_not(scene: Scene):
    scene.motion = lambda role, at: 0.0 if role is Role.CUSTOMER and 8000 <= at < 14_000 else 0.004
    finding = the_only(scene.broken())
    assert (finding.check, finding.reason) == ("recording_quality", "FROZEN_PICTURE")
    assert abs(finding.interval.start_ms - 8000) <= 1000
    assert abs(finding.interval.end_ms - 14_000) <= 1000


def test_a_few_bad_comparisons_are_no_other_person(scene: Scene, make_face: Faces):
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(similarity=0.2 if at % 5000 == 0 else 0.6),)
    assert the_only(scene.of("same_person")).outcome is Outcome.PASS


def test_values_just_below_the_limit_are_unsure(scene: Scene, make_face: Faces):
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(similarity=0.37),)
    assert {(one.outcome, one.reason) for one in scene.of("same_person")} == {(Outcome.UNSURE, "PERSON_UNCERTAIN")}


def test_a_switch_is_found_without_an_id_photo_but_identity_stays_unsure(scene: Scene, make_face: Faces):
    scene.has_id_photo = False
    finding = the_only(scene.of("same_person"))
    assert (finding.outcome, finding.reason) == (Outcome.UNSURE, "NO_ID_PHOTO")
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(similarity=0.1 if at >= 15_000 else 0.62),)
    assert {one.outcome for one in scene.of("same_person")} == {Outcome.FAIL}


@pytest.mark.parametrize("face", [{"size": 50}, {"similarity": None}, {"x": -80}, {"x": 600}])
def test_faces_that_cannot_be_compared_are_unsure(scene: Scene, make_face: Faces, face: dict[str, Any]):
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(**face),)
    finding = the_only(scene.of("same_person"))
    assert (finding.outcome, finding.reason) == (Outcome.UNSURE, "NO_COMPARABLE_FACE")


def test_a_stranger_in_front_does_not_make_the_customer_another_person(scene: Scene, make_face: Faces):
    stranger = make_face(x=20, similarity=0.1, size=220)
    customer = make_face(similarity=None)
    scene.faces[Role.CUSTOMER] = lambda at: (stranger, customer) if 10_000 <= at < 16_000 else (make_face(),)
    assert {one.check for one in scene.broken()} == {"intrusion"}


def test_two_of_five_frames_are_no_intrusion(scene: Scene, make_face: Faces):
    other = make_face(x=440, size=100)
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(), other) if 10_000 <= at < 11_000 else (make_face(),)
    assert the_only(scene.of("intrusion")).outcome is Outcome.PASS
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(), other) if 10_000 <= at < 11_500 else (make_face(),)
    finding = the_only(scene.of("intrusion"))
    assert finding.outcome is Outcome.FAIL
    assert finding.interval == Interval(10_000, 11_500)
    assert finding.measure.measured == 1


def test_a_second_box_on_the_same_face_is_nobody(scene: Scene, make_face: Faces):
    double = FaceSeen(Box(250, 150, 148, 176), 0.8)
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(), double)
    assert scene.broken() == []


def test_two_people_may_be_on_a_shared_picture(scene: Scene, make_face: Faces):
    scene.shared = True
    scene.faces[Role.CUSTOMER] = lambda at: (make_face(x=60), make_face(x=400, similarity=0.1))
    assert [one for one in scene.broken() if one.check in ("face_in_frame", "intrusion", "same_person")] == []


def test_who_is_away_on_a_shared_picture_is_unsure(scene: Scene, make_face: Faces):
    scene.shared = True
    both = (make_face(x=60, similarity=None), make_face(x=400, similarity=None))
    scene.faces[Role.CUSTOMER] = lambda at: both[:1] if 10_000 <= at < 16_000 else both
    findings = scene.of("face_in_frame")
    assert {(one.role, one.outcome, one.reason) for one in findings} == {
        (Role.CUSTOMER, Outcome.UNSURE, "SHARED_PICTURE"),
        (Role.AGENT, Outcome.UNSURE, "SHARED_PICTURE"),
    }


def test_a_check_that_nodes_list_is_judged_in_those_nodes_only(scene: Scene, make_face: Faces, with_yaml: Change):
    scene.strategy = with_yaml(
        ("  - id: risk\n", "  - id: risk\n    checks: [face_in_frame, same_person, intrusion]\n")
    )
    terms = scene.span("terms")
    scene.faces[Role.CUSTOMER] = lambda at: () if terms.contains(at) else (make_face(),)
    assert scene.broken() == []
    assert {one.node for one in scene.of("face_in_frame")} == {"risk"}
    risk = Interval(scene.span("risk").start_ms, scene.span("risk").start_ms + 4500)
    scene.faces[Role.CUSTOMER] = lambda at: () if risk.contains(at) else (make_face(),)
    assert {(one.check, one.node) for one in scene.broken()} == {("face_in_frame", "risk")}


def test_a_gap_of_the_recording_fails_and_is_no_hole_in_the_coverage(scene: Scene):
    scene.gaps = (Gap("customer-video", Interval(4000, 6000)), Gap("agent-audio", Interval(1000, 1400)))
    scene.skip = {("faces", "customer-video", 3)}
    finding = the_only(scene.broken())
    assert (finding.check, finding.reason, finding.role) == ("recording_quality", "RECORDING_GAP", Role.CUSTOMER)
    assert finding.interval == Interval(4000, 6000)
