"""The sample and every variant, through the real stack: the expected findings and no others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shuanglu.common.v1.types_pb2 import Outcome, ParticipantRole
from shuanglu.quality.v1.finding_pb2 import Finding
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_samples.variants import VARIANTS
from shuanglu_stack.sampling import Client, sample_recording

# What the issue promises: a finding names its time within a second.
TOLERANCE_MS = 1000
# Faults that are seen or heard have sharp edges; findings about words span the node or the utterance.
SHARP = {"face_in_frame", "intrusion", "recording_quality"}
CHECKS = {
    "face_in_frame",
    "same_person",
    "intrusion",
    "must_say",
    "must_not_say",
    "answer",
    "recording_quality",
    "node_order",
    "node_duration",
    "coverage",
}

Inspected = Callable[[str], tuple[Path, Report]]


def broken(report: Report) -> list[Finding]:
    return [finding for finding in report.result.findings if finding.outcome != Outcome.OUTCOME_PASS]


def describe(findings: list[Finding]) -> str:
    return "\n".join(
        f"{Outcome.Name(one.outcome)} {one.check_id} {one.node_id} {ParticipantRole.Name(one.role)} "
        f"{one.interval.start_ms}..{one.interval.end_ms} {one.reason} {one.message_en}"
        for one in findings
    )


def matches(finding: Finding, expected: dict[str, Any]) -> bool:
    role = expected["role"]
    if finding.check_id != expected["check"] or Outcome.Name(finding.outcome) != f"OUTCOME_{expected['outcome']}":
        return False
    if role and finding.role and ParticipantRole.Name(finding.role) != f"PARTICIPANT_ROLE_{role}":
        return False
    start_ms, end_ms = finding.interval.start_ms, finding.interval.end_ms
    if finding.check_id in SHARP:
        off_ms = max(abs(start_ms - expected["start_ms"]), abs(end_ms - expected["end_ms"]))
        return bool(off_ms <= TOLERANCE_MS)
    inside = expected["start_ms"] - TOLERANCE_MS <= start_ms and end_ms <= expected["end_ms"] + TOLERANCE_MS
    return bool(inside) and start_ms < end_ms


def test_a_session_in_order_passes_with_a_finding_for_every_check(inspected: Inspected) -> None:
    _, report = inspected("clean")
    assert report.verdict == Outcome.OUTCOME_PASS, describe(broken(report))
    assert not broken(report), describe(broken(report))
    assert {finding.check_id for finding in report.result.findings} == CHECKS


def test_nodes_are_found_from_the_transcript_within_a_second(inspected: Inspected) -> None:
    folder, report = inspected("clean")
    truth = json.loads((folder / "truth.json").read_text())
    assert report.result.timeline_found
    found = {node.node_id: node for node in report.result.timeline}
    for node in truth["nodes"]:
        # A node begins with its first words; the pause before them may count for either side.
        assert abs(found[node["node_id"]].start_ms - node["start_ms"]) <= TOLERANCE_MS + 500, node["node_id"]


def test_a_given_timeline_is_kept(client: Client, inspected: Inspected) -> None:
    folder, _ = inspected("clean")
    session = client.send(sample_recording(folder, with_timeline=True))
    report = client.wait(session.session_id)
    given = json.loads((folder / "timeline.json").read_text())
    assert not report.result.timeline_found
    assert [(n.node_id, n.start_ms, n.end_ms) for n in report.result.timeline] == [
        (n["node_id"], n["start_ms"], n["end_ms"]) for n in given
    ]
    assert report.verdict == Outcome.OUTCOME_PASS, describe(broken(report))


def test_everything_recorded_was_examined_and_is_hashed(inspected: Inspected) -> None:
    _, report = inspected("clean")
    assert report.result.coverage_ratio == pytest.approx(1.0, abs=0.005)
    assert {track.track.kind for track in report.proof.tracks} == {1, 2}
    assert len(report.proof.tracks) == 4
    for track in report.proof.tracks:
        assert len(track.segment_sha256) == track.track.segment_count
    assert len(report.proof.recording_sha256) == 64


def test_the_customer_is_masked_in_the_report(inspected: Inspected) -> None:
    folder, report = inspected("clean")
    customer = json.loads((folder / "order.json").read_text())["customer"]
    assert report.order.customer.name != customer["name"]
    assert "*" in report.order.customer.name
    assert report.order.customer.id_number != customer["id_number"]
    assert report.order.customer.id_number.endswith(customer["id_number"][-4:])


@pytest.mark.parametrize("variant", [one.name for one in VARIANTS if one.name != "clean"])
def test_a_variant_breaks_its_check_and_no_other(variant: str, inspected: Inspected) -> None:
    folder, report = inspected(variant)
    truth = json.loads((folder / "truth.json").read_text())
    found = broken(report)
    shown = f"expected {truth['expected']}\nfound\n{describe(found)}"
    assert {finding.check_id for finding in found} == {one["check"] for one in truth["expected"]}, shown
    for expected in truth["expected"]:
        assert any(matches(finding, expected) for finding in found), shown
    for finding in found:
        assert any(matches(finding, expected) for expected in truth["expected"]), shown
    assert Outcome.Name(report.verdict) == f"OUTCOME_{truth['verdict']}", shown
    assert all(finding.frames or finding.quotes or finding.node_id for finding in found), shown
