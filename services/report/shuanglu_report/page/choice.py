"""Which pictures a report shows: every failure and doubt as far as there is room, and each person at least once."""

from collections.abc import Sequence
from dataclasses import dataclass

from shuanglu.common.v1.types_pb2 import Outcome, ParticipantRole, TrackKind
from shuanglu.media.v1.track_pb2 import Track
from shuanglu.quality.v1.finding_pb2 import EvidenceFrame, Finding, InspectionResult
from shuanglu_report.page.words import outcome_of

PER_FINDING = 2
MOST = 16


@dataclass(frozen=True, slots=True)
class WantedStill:
    """A picture to cut from the recording."""

    # Finding that it shows; empty if it only shows a person.
    finding_id: str
    frame: EvidenceFrame
    # Colour of the box: FAIL, UNSURE or PASS.
    outcome: Outcome.ValueType


def wanted_stills(result: InspectionResult) -> list[WantedStill]:
    """Stills in the order of the findings: failed, then unsure, then one of each role; at most MOST."""
    shown = [
        WantedStill(finding.finding_id, frame, outcome_of(finding.outcome))
        for outcome in (Outcome.OUTCOME_FAIL, Outcome.OUTCOME_UNSURE)
        for finding in result.findings
        if outcome_of(finding.outcome) == outcome
        for frame in finding.frames[:PER_FINDING]
    ]
    persons = _one_of_each_role(result)
    return shown[: MOST - len(persons)] + persons


def _one_of_each_role(result: InspectionResult) -> list[WantedStill]:
    """One picture of each person: from a passed finding with a frame, else from the middle of the longest presence."""
    roles = sorted({person.role for track in _videos(result) for person in track.participants})
    stills = (_passed(result, role) or _present(result, role) for role in roles)
    return [still for still in stills if still]


def _videos(result: InspectionResult) -> Sequence[Track]:
    return [track for track in result.tracks if track.kind == TrackKind.TRACK_KIND_VIDEO]


def _passed(result: InspectionResult, role: ParticipantRole.ValueType) -> WantedStill | None:
    for finding in result.findings:
        if finding.role == role and finding.outcome == Outcome.OUTCOME_PASS and finding.frames:
            return WantedStill(finding.finding_id, finding.frames[0], Outcome.OUTCOME_PASS)
    return None


def _present(result: InspectionResult, role: ParticipantRole.ValueType) -> WantedStill | None:
    seen = [(item.track_id, stretch) for item in result.presence if item.role == role for stretch in item.intervals]
    if not seen:
        return None
    track_id, stretch = max(seen, key=lambda pair: pair[1].end_ms - pair[1].start_ms)
    frame = EvidenceFrame(track_id=track_id, at_ms=(stretch.start_ms + stretch.end_ms) // 2)
    finding_id = _face_finding(result.findings, role)
    return WantedStill(finding_id, frame, Outcome.OUTCOME_PASS)


def _face_finding(findings: Sequence[Finding], role: ParticipantRole.ValueType) -> str:
    """The passed finding that a plain picture of a person illustrates, if there is one."""
    passed = (item for item in findings if item.outcome == Outcome.OUTCOME_PASS and item.role == role)
    return next((item.finding_id for item in passed if item.check_id == "face_in_frame"), "")
