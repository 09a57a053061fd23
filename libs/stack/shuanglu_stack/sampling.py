"""Importing sample folders into a stack, as the command line would: for the demo, tests and benchmarks."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from shuanglu.report.v1.report_pb2 import Report
from shuanglu.report.v1.report_service_pb2 import GetReportRequest
from shuanglu.session.v1.session_pb2 import Order
from shuanglu_cli.errors import Refused, Usage
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.recording import Recording, assign_roles, read_channel, read_order, read_timeline, watch
from shuanglu_cli.sending import Sent, UploadProgress, import_recording
from shuanglu_cli.target import Target
from shuanglu_cli.uploads import UploadDoor
from shuanglu_stack.stack import EmbeddedStack

WAIT_S = 600.0
VIDEO_SUFFIXES = {".mp4", ".webm", ".mkv", ".mov"}


def sample_recording(folder: Path, *, with_timeline: bool = False) -> Recording:
    """A sample's files as they would be named on the command line. Raises Usage."""
    if not (folder / "order.json").is_file():
        raise Usage(
            f"there is no sample in {folder}", "", "make it with `python -m shuanglu_samples make`", "NO_SAMPLE"
        )
    order, channel = read_order(folder / "order.json")
    truth_file = folder / "truth.json"
    if truth_file.exists():
        channel = read_channel(json.loads(truth_file.read_text(encoding="utf-8"))["channel"])
    photo = folder / "id_photo.jpg"
    return Recording(
        files=assign_roles([str(file) for file in sorted(folder.iterdir()) if file.suffix in VIDEO_SUFFIXES]),
        order=order,
        channel=channel,
        id_photo=photo if photo.exists() else None,
        timeline=read_timeline(folder / "timeline.json") if with_timeline else (),
    )


def as_another_order(recording: Recording) -> Recording:
    """The same recording for an order of its own: the same files for the same order are imported once."""
    order = Order()
    order.CopyFrom(recording.order)
    order.order_no = f"{order.order_no}-{secrets.token_hex(6)}"
    return replace(recording, order=order)


@dataclass(frozen=True, slots=True)
class Client:
    """One caller of a stack's gateway."""

    target: Target
    gateway: Gateway
    door: UploadDoor

    def send(self, recording: Recording, progress: UploadProgress = lambda *_: None) -> Sent:
        """Import as another order, so that the same sample can be sent again; its session. Raises CliError."""
        return import_recording(self.gateway, self.door, as_another_order(recording), progress)

    def wait(self, session_id: str, timeout_s: float = WAIT_S) -> Report:
        """The report when it is there. Raises CliError; Refused if the recording could not be taken in."""
        for step in watch(self.gateway, session_id, timeout_s):
            if step.failure_reason:
                raise Refused("the recording could not be taken in", step.failure_reason, "", step.failure_reason)
        return self.report(session_id)

    def report(self, session_id: str) -> Report:
        """The newest report. Raises CliError."""
        report: Report = self.gateway.call(
            self.gateway.reports.GetReport, GetReportRequest(session_id=session_id)
        ).report
        return report


@contextmanager
def client_of(stack: EmbeddedStack, token: str | None = None) -> Iterator[Client]:
    """A caller with this token; default: a developer of tenant `demo`."""
    target = Target(
        gateway=stack.gateway_url,
        token=stack.token() if token is None else token,
        ca=stack.ca,
        nats_url=stack.nats_url,
    )
    with Gateway(target) as gateway, UploadDoor(target) as door:
        yield Client(target, gateway, door)
