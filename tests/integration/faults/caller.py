"""A caller who never gives up: each step of an import is repeated until it is answered; none takes effect twice."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest, SourceFile
from shuanglu.report.v1.report_pb2 import Report
from shuanglu.report.v1.report_service_pb2 import GetReportRequest
from shuanglu.session.v1.session_service_pb2 import CreateOrderRequest, CreateSessionRequest
from shuanglu_cli.errors import CliError, NoEntry, Refused, Usage
from shuanglu_cli.recording import Recording, participants_of
from shuanglu_stack.sampling import Client

PAUSE_S = 0.5
CALL_TIMEOUT_S = 10
# What the caller did wrong stays wrong; a report that is not there yet is the one refusal that passes.
FINAL = (Refused, NoEntry, Usage)
NOT_YET = "REPORT_NOT_READY"

T = TypeVar("T")


class GaveUp(AssertionError):
    """Something did not happen in time."""


def until_answered(step: Callable[[], T], deadline: float) -> T:
    """Repeat a step while nobody answers. Raises GaveUp after `deadline`, and what the service refuses."""
    while True:
        try:
            return step()
        except FINAL:
            raise
        except CliError as error:
            if time.monotonic() > deadline:
                raise GaveUp(f"nobody answered: {error} ({error.reason})") from error
            time.sleep(PAUSE_S)


def send(client: Client, recording: Recording, deadline: float) -> str:
    """Import a recording through whatever happens; its session. The order's number makes it one import."""
    gateway = client.gateway

    def call(method: Callable[..., T], request: object) -> T:
        return until_answered(lambda: gateway.call(method, request, CALL_TIMEOUT_S), deadline)

    order = call(gateway.sessions.CreateOrder, CreateOrderRequest(order=recording.order)).order
    roles = sorted({role for _, file_roles in recording.files for role in file_roles})
    wanted = CreateSessionRequest(
        order_id=order.order_id,
        channel=recording.channel,
        participants=participants_of(tuple(roles)),
        idempotency_key=recording.order.order_no,
    )
    session_id = str(call(gateway.sessions.CreateSession, wanted).session.session_id)

    def upload(file: Path) -> str:
        return until_answered(lambda: client.door.upload(file), deadline)

    sources = [
        SourceFile(upload_id=upload(file), participants=participants_of(file_roles))
        for file, file_roles in recording.files
    ]
    photo = upload(recording.id_photo) if recording.id_photo is not None else ""
    request = ImportRecordingRequest(
        session_id=session_id, files=sources, id_photo_upload_id=photo, timeline=recording.timeline
    )
    call(gateway.imports.ImportRecording, request)
    return session_id


def report_of(client: Client, session_id: str) -> Report | None:
    """The report, or None while there is none or nobody answers."""
    gateway = client.gateway
    try:
        return gateway.call(gateway.reports.GetReport, GetReportRequest(session_id=session_id), CALL_TIMEOUT_S).report
    except CliError as error:
        if isinstance(error, FINAL) and error.reason != NOT_YET:
            raise
        return None
