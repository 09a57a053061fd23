"""A call is inspected like files: the same film gives the same findings, and what a call lost is told as what it is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import boto3
import pytest
from tests.integration.faults.live_door import LiveDoor
from tests.integration.filmed_call import ORIGIN_US, pictures, recorded, smaller, sound

from shuanglu.common.v1.types_pb2 import Outcome, ParticipantRole, TrackKind
from shuanglu.media.v1.recorder_service_pb2 import CloseRecordingRequest, Mark, NodeMark
from shuanglu.media.v1.recording_service_pb2 import AttachIdPhotoRequest, ReconcileRequest
from shuanglu.media.v1.track_pb2 import GapCause
from shuanglu.quality.v1.finding_pb2 import Finding
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_cli.commands.reconcile import answers, kind_of
from shuanglu_cli.digests import sha256_of
from shuanglu_cli.recording import open_session
from shuanglu_cli.uploads import upload_id_of
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.s3_gateway import BUCKET
from shuanglu_stack.sampling import Client, as_another_order, sample_recording

PEOPLE = ("customer", "agent")
# Of the same film: encoders and a clock of milliseconds lie between them.
PLACE_MS, SIMILARITY, LEVEL_DB = 400, 0.03, 1.5


@pytest.fixture(scope="module")
def door(stack: EmbeddedStack) -> LiveDoor:
    return LiveDoor(stack, {})


def at_us(at_ms: float) -> int:
    return ORIGIN_US + round(at_ms * 1000)


class Call:
    """A session whose media the media server has written already."""

    def __init__(self, client: Client, door: LiveDoor, folder: Path) -> None:
        self.client, self.door, self.folder = client, door, folder
        wanted = as_another_order(sample_recording(folder))
        self.session_id = open_session(client.gateway, wanted).session_id
        url = client.door.create(folder / "id_photo.jpg", sha256_of(folder / "id_photo.jpg"))
        client.door.send(folder / "id_photo.jpg", url)
        client.gateway.call(
            client.gateway.recordings.AttachIdPhoto,
            AttachIdPhotoRequest(session_id=self.session_id, upload_id=upload_id_of(url)),
        )
        self.spool = door.open(self.session_id)

    def close(self, until_ms: int, marks: list[Mark]) -> None:
        """The nodes of the sample as far as the call goes."""
        nodes = [
            NodeMark(
                node_id=node["node_id"],
                take=1,
                start_at_us=at_us(node["start_ms"]),
                end_at_us=at_us(min(node["end_ms"], until_ms)),
            )
            for node in json.loads((self.folder / "timeline.json").read_text())
            if node["start_ms"] < until_ms
        ]
        request = CloseRecordingRequest(
            session_id=self.session_id, ended_at_us=at_us(until_ms), nodes=nodes, marks=marks
        )
        self.door.stub.CloseRecording(request, metadata=self.door.metadata, timeout=10)
        self.door.until_complete(self.session_id)

    def differences(self) -> list[tuple[str, str]]:
        """What `shuanglu reconcile` says."""
        steps = answers(self.client.gateway, ReconcileRequest(session_id=self.session_id))
        return [(kind_of(one), one.track_id) for step in steps for one in step.differences]


@contextmanager
def without(door: LiveDoor, key: str) -> Iterator[None]:
    """The store without an object, which is put back."""
    keys = door.stack.keys
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{door.stack.ports['s3']}",
        aws_access_key_id=keys.s3_access_key,
        aws_secret_access_key=keys.s3_secret_key,
        region_name="us-east-1",
    )
    data = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.delete_object(Bucket=BUCKET, Key=key)
    try:
        yield
    finally:
        s3.put_object(Bucket=BUCKET, Key=key, Body=data)


def key_of(finding: Finding) -> tuple[str, str, int, str]:
    return finding.check_id, finding.node_id, finding.role, finding.expected_en


def test_a_call_gives_the_same_findings_as_its_films_imported(
    client: Client, door: LiveDoor, sample: object, clean_report: Report
) -> None:
    folder: Path = sample("clean")  # type: ignore[operator]
    call = Call(client, door, folder)
    for number, who in enumerate(PEOPLE, start=1):
        film = folder / f"{who}.mp4"
        (call.spool / f"{who}~{number}-video-1.mjr").write_bytes(recorded(pictures(film), Medium.VIDEO))
        (call.spool / f"{who}~{number}-audio-0.mjr").write_bytes(recorded(sound(film), Medium.AUDIO))
    call.close(clean_report.result.duration_ms, [])
    live = client.wait(call.session_id)
    assert not any(track.HasField("original") for track in live.result.tracks)
    assert {track.codec[:4] for track in live.result.tracks} == {"avc3", "opus"}
    assert live.verdict == clean_report.verdict == Outcome.OUTCOME_PASS
    as_call = {key_of(one): one for one in live.result.findings}
    as_files = {key_of(one): one for one in clean_report.result.findings}
    assert as_call.keys() == as_files.keys()
    for key, one in as_call.items():
        other = as_files[key]
        assert (one.outcome, one.reason) == (other.outcome, other.reason), key
        if one.check_id == "same_person":
            assert one.measured == pytest.approx(other.measured, abs=SIMILARITY)
        if one.unit == "dBFS":
            assert one.measured == pytest.approx(other.measured, abs=LEVEL_DB)
        if one.check_id == "must_say":
            assert one.interval.start_ms == pytest.approx(other.interval.start_ms, abs=PLACE_MS)
    assert [seen.role for seen in live.result.presence] == [seen.role for seen in clean_report.result.presence]
    assert call.differences() == []
    with without(door, f"demo/{call.session_id}/tracks/customer-video/000003.m4s"):
        assert call.differences() == [("SEGMENT_MISSING", "customer-video")]
    assert call.differences() == []


def test_what_a_call_lost_and_who_was_away_is_told_with_its_cause(
    client: Client, door: LiveDoor, sample: object
) -> None:
    """The customer's picture shrinks after 6 s; our server is down from 12 to 15 s; the agent comes 2 s late."""
    folder: Path = sample("clean")  # type: ignore[operator]
    until_ms = 22_000

    def within(start_s: float, end_s: float) -> object:
        return lambda made_s: Fraction(start_s) <= made_s < Fraction(end_s)

    call = Call(client, door, folder)
    film = folder / "customer.mp4"
    seen, small, heard = pictures(film), smaller(film, (320, 240)), sound(film)
    shrinking = [*(one for one in seen if one.at_s < 6), *(one for one in small if one.at_s >= 6)]
    for name, frames, medium in (("video-1", shrinking, Medium.VIDEO), ("audio-0", heard, Medium.AUDIO)):
        for number, (start_s, end_s) in enumerate(((0, 12), (15, until_ms / 1000)), start=1):
            data = recorded(frames, medium, within(start_s, end_s))  # type: ignore[arg-type]
            (call.spool / f"customer~{number}-{name}.mjr").write_bytes(data)
    film = folder / "agent.mp4"
    for name, frames, medium in (("video-1", pictures(film), Medium.VIDEO), ("audio-0", sound(film), Medium.AUDIO)):
        data = recorded(frames, medium, within(2, until_ms / 1000))  # type: ignore[arg-type]
        (call.spool / f"agent~1-{name}.mjr").write_bytes(data)
    down = Mark(
        participant_id="customer",
        cause=GapCause.GAP_CAUSE_RECORDER,
        start_at_us=at_us(12_000),
        end_at_us=at_us(15_000),
    )
    call.close(until_ms, [down])
    report = client.wait(call.session_id)
    gaps = {(gap.track_id, gap.cause): gap for gap in report.result.gaps}
    assert gaps["customer-video", GapCause.GAP_CAUSE_RECORDER].start_ms == pytest.approx(12_000, abs=200)
    assert gaps["customer-video", GapCause.GAP_CAUSE_RECORDER].end_ms == pytest.approx(15_000, abs=200)
    assert gaps["agent-video", GapCause.GAP_CAUSE_AWAY].end_ms == pytest.approx(2000, abs=200)
    lost = [
        one for one in report.result.findings if one.reason == "NOT_RECORDED" and one.check_id == "recording_quality"
    ]
    assert {(one.outcome, one.node_id, one.role) for one in lost} == {
        (Outcome.OUTCOME_UNSURE, "identity", ParticipantRole.PARTICIPANT_ROLE_CUSTOMER)
    }
    late = [one for one in report.result.findings if one.reason == "RECORDING_GAP"]
    assert {(one.outcome, one.node_id, one.role) for one in late} == {
        (Outcome.OUTCOME_FAIL, "consent", ParticipantRole.PARTICIPANT_ROLE_AGENT)
    }
    faces = [one for one in report.result.presence if one.role == ParticipantRole.PARTICIPANT_ROLE_CUSTOMER]
    examined_ms = sum(part.end_ms - part.start_ms for part in faces[0].intervals)
    assert examined_ms > until_ms - 3000 - 1500
    videos = [track for track in report.result.tracks if track.kind == TrackKind.TRACK_KIND_VIDEO]
    assert {(track.width, track.height) for track in videos} == {(640, 480)}
    assert call.differences() == []
