"""Models that are wrong, hang or crash: the check is UNSURE, the metrics tell, the next recording is examined."""

import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.faults.recordings import ROOT, Shapes

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.readiness import http_ok
from shuanglu_stack.sampling import Client, client_of
from shuanglu_stack.usage import children_of

WRONG = "whisper-base/model.bin"
SPEECH_CHECKS = {"must_say", "must_not_say", "answer"}
HANGS_AFTER_S = 4
# Read by every Python of face-check: while the file is there, a child dies of each call, whatever the call.
CRASH_SITE = """
import os, signal
from pathlib import Path
from shuanglu_common.cell import child

answer = child.Server.answer

def dying(self, function, *parameters):
    if self.functions and Path({crash!r}).exists():
        os.kill(os.getpid(), signal.SIGSEGV)
    answer(self, function, *parameters)

child.Server.answer = dying
"""
SERVICE_ENV = {
    "face-check": {"SHUANGLU_FACE_CHECK_TIMEOUT_S": str(HANGS_AFTER_S), "SHUANGLU_MODELS_RETRY_S": "0.5"},
    "asr": {"SHUANGLU_MODELS_RETRY_S": "0.5"},
    # Short, so that nobody waits for a worker that will never answer.
    "quality": {
        "SHUANGLU_INSPECTION_DEADLINE_BASE_S": "15",
        "SHUANGLU_INSPECTION_DEADLINE_FACTOR": "0",
        "SHUANGLU_INSPECTION_DEADLINE_CHECK_S": "1",
    },
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A stack whose recogniser has a file too many bytes long."""

    stack: EmbeddedStack
    client: Client
    shapes: Shapes
    model: Path
    crash: Path

    def report(self, order_no: str) -> Report:
        recording = self.shapes.numbered("pair", order_no)
        return self.client.wait(self.client.send(recording).session_id, 150)

    def counted(self, service: str, sample: str) -> float:
        """A sample of a service's metrics, such as `name{label="value"}`; 0 if it is not there."""
        with urllib.request.urlopen(f"{self.stack.ops_url(service)}/metrics", timeout=5) as answer:  # noqa: S310 - our own
            found = re.search(f"^{re.escape(sample)} (.+)$", answer.read().decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def put_right(self) -> None:
        """The right file, and a worker that found it by itself."""
        if not self.model.is_symlink():
            self.model.unlink()
            self.model.symlink_to(ROOT / "build" / "models" / WRONG)
        until(http_ok(self.stack.ports["asr-ops"], "/readyz"))

    def cells(self, service: str) -> list[int]:
        """Child processes of a service."""
        return children_of(self.stack.service_pids()[service][0])


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[Wrong]:
    """Its models are a folder of the test's own."""
    folder = tmp_path_factory.mktemp("wrong")
    models = folder / "models"
    models.mkdir()
    source = ROOT / "build" / "models"
    for path in source.iterdir():
        if path.name != "whisper-base":
            (models / path.name).symlink_to(path)
    (models / "whisper-base").mkdir()
    for path in (source / "whisper-base").iterdir():
        (models / "whisper-base" / path.name).symlink_to(path)
    (models / WRONG).unlink()
    (models / WRONG).write_bytes(b"other weights")
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(CRASH_SITE.format(crash=str(folder / "crash")))
    face_check = {**SERVICE_ENV["face-check"], "PYTHONPATH": str(site)}
    options = StackOptions(
        data_dir=folder / "stack",
        root=ROOT,
        models_dir=models,
        unready=("asr",),
        service_env={**SERVICE_ENV, "face-check": face_check},
    )
    with EmbeddedStack(options) as stack, client_of(stack) as client:
        yield Wrong(stack, client, shapes, models / WRONG, folder / "crash")


def outcomes(report: Report, checks: set[str]) -> set[int]:
    return {finding.outcome for finding in report.result.findings if finding.check_id in checks}


@pytest.mark.timeout(400)
def test_a_model_with_a_wrong_hash_is_unsure_and_alarmed_and_the_worker_recovers_by_itself(wrong: Wrong) -> None:
    report = wrong.report("wrong-hash")
    assert outcomes(report, SPEECH_CHECKS) == {Outcome.OUTCOME_UNSURE}
    assert report.verdict == Outcome.OUTCOME_UNSURE
    assert wrong.counted("asr", 'shuanglu_asr_failures_total{reason="MODEL_UNUSABLE"}') > 0
    assert wrong.stack.unready() == ["asr"]
    wrong.put_right()
    mended = wrong.report("right-hash")
    assert outcomes(mended, SPEECH_CHECKS) != {Outcome.OUTCOME_UNSURE}
    assert outcomes(mended, {"coverage"}) == {Outcome.OUTCOME_PASS}


@pytest.mark.timeout(300)
def test_a_hanging_inference_is_ended_and_done_again(wrong: Wrong) -> None:
    wrong.put_right()
    ended = 'shuanglu_cell_ended_total{cause="timeout",cell="eyes"}'
    before = wrong.counted("face-check", ended)
    (cell,) = wrong.cells("face-check")
    os.kill(cell, signal.SIGSTOP)
    report = wrong.report("hanging")
    assert outcomes(report, {"coverage"}) == {Outcome.OUTCOME_PASS}
    assert wrong.counted("face-check", ended) == before + 1
    assert cell not in wrong.cells("face-check")


@pytest.mark.timeout(300)
def test_an_inference_that_crashes_every_time_is_unsure_and_the_next_recording_is_examined(wrong: Wrong) -> None:
    wrong.put_right()
    crashed = 'shuanglu_face_check_failures_total{reason="INFERENCE_CRASHED"}'
    wrong.crash.touch()
    report = wrong.report("crashing")
    wrong.crash.unlink()
    assert wrong.counted("face-check", crashed) > 0
    assert outcomes(report, {"coverage"}) >= {Outcome.OUTCOME_UNSURE}
    after = wrong.report("after")
    assert outcomes(after, {"coverage"}) == {Outcome.OUTCOME_PASS}
    assert wrong.stack.unready() == []


def until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
