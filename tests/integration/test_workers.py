"""Workers come and go: the verdict is the same for one and for three, and what could not be examined is UNSURE."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import client_of, sample_recording

ROOT = Path(__file__).resolve().parents[2]
FACE_CHECKS = {"face_in_frame", "same_person", "intrusion"}
SPEECH_CHECKS = {"must_say", "must_not_say", "answer"}
# Short, so that a test does not wait for a worker that will never answer.
IMPATIENT = {
    "quality": {
        "SHUANGLU_INSPECTION_DEADLINE_BASE_S": "20",
        "SHUANGLU_INSPECTION_DEADLINE_FACTOR": "0",
        "SHUANGLU_INSPECTION_DEADLINE_CHECK_S": "1",
    }
}

OwnStack = Callable[..., EmbeddedStack]
Inspected = Callable[[str], tuple[Path, Report]]


def judgement(report: Report) -> list[tuple[object, ...]]:
    """What was decided, without the ids of this one session and this one run."""
    return [
        (
            one.check_id,
            one.node_id,
            one.take,
            one.role,
            one.outcome,
            one.reason,
            one.interval.start_ms,
            one.interval.end_ms,
            one.measured,
            one.threshold,
        )
        for one in report.result.findings
    ]


def outcomes(report: Report, checks: set[str]) -> set[int]:
    return {finding.outcome for finding in report.result.findings if finding.check_id in checks}


@pytest.mark.timeout(900)
def test_three_workers_give_the_same_findings_as_one(own_stack: OwnStack, inspected: Inspected) -> None:
    folder, one_worker = inspected("customer_absent")
    stack = own_stack(replicas={"face-check": 3, "asr": 3, "quality": 3, "report": 1})
    with client_of(stack) as client:
        three_workers = client.wait(client.send(sample_recording(folder)).session_id)
    assert judgement(three_workers) == judgement(one_worker)
    assert three_workers.verdict == one_worker.verdict


@pytest.mark.timeout(900)
def test_workers_that_stop_and_crash_in_the_middle_lose_nothing(
    own_stack: OwnStack, clean_report: Report, sample: Callable[[str], Path]
) -> None:
    stack = own_stack()
    with client_of(stack) as client:
        session = client.send(sample_recording(sample("clean")))
        time.sleep(3)
        assert stack.stop_service("face-check"), "it did not return its work in time after SIGTERM"
        stack.kill_service("asr")
        stack.kill_service("quality")
        stack.start_service("face-check")
        report = client.wait(session.session_id)
    assert judgement(report) == judgement(clean_report)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("service", "missing", "unsure"),
    [("face-check", "yunet.onnx", FACE_CHECKS), ("asr", "whisper-base", SPEECH_CHECKS)],
    ids=["no face model", "no speech model"],
)
def test_a_missing_model_makes_its_checks_unsure(
    service: str, missing: str, unsure: set[str], own_stack: OwnStack, sample: Callable[[str], Path], tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for path in (ROOT / "build" / "models").iterdir():
        if path.name != missing:
            (models / path.name).symlink_to(path)
    stack = own_stack(models_dir=models, unready=(service,), service_env=IMPATIENT)
    with client_of(stack) as client:
        report = client.wait(client.send(sample_recording(sample("clean"))).session_id)
    assert outcomes(report, unsure) == {Outcome.OUTCOME_UNSURE}
    assert outcomes(report, {"coverage"}) >= {Outcome.OUTCOME_UNSURE}
    assert report.verdict == Outcome.OUTCOME_UNSURE


@pytest.mark.timeout(600)
def test_a_worker_that_never_answers_makes_its_checks_unsure(
    own_stack: OwnStack, sample: Callable[[str], Path]
) -> None:
    stack = own_stack(services=("signaling", "media-ingest", "face-check", "quality", "report"), service_env=IMPATIENT)
    with client_of(stack) as client:
        report = client.wait(client.send(sample_recording(sample("clean"))).session_id)
    assert outcomes(report, SPEECH_CHECKS) == {Outcome.OUTCOME_UNSURE}
    assert report.verdict == Outcome.OUTCOME_UNSURE


def test_an_upload_goes_on_after_its_service_was_killed(own_stack: OwnStack, tmp_path: Path) -> None:
    stack = own_stack(services=("media-ingest",))
    file = tmp_path / "customer.mp4"
    file.write_bytes(os.urandom(40 << 20))
    heard: list[int] = []

    def progress(safe: int) -> None:
        if not heard:
            stack.kill_service("media-ingest")
        heard.append(safe)

    with client_of(stack) as client:
        upload_id = client.door.upload(file, progress)
    assert heard[-1] == file.stat().st_size
    stored = [path for path in (stack.data_dir / "spool").rglob(f"{upload_id}*") if path.stat().st_size > 1 << 20]
    assert [path.read_bytes() == file.read_bytes() for path in stored] == [True]


def test_data_stays_when_the_stack_is_started_again(
    own_stack: OwnStack, sample: Callable[[str], Path], tmp_path: Path
) -> None:
    first = own_stack(data_dir=tmp_path / "kept")
    with client_of(first) as client:
        session_id = client.send(sample_recording(sample("clean"))).session_id
        before = client.wait(session_id)
    first.stop()
    second = own_stack(data_dir=tmp_path / "kept")
    with client_of(second) as client:
        assert client.report(session_id) == before
