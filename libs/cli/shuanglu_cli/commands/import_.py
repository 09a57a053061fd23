"""`shuanglu import`: send a recording in, and wait for its verdict."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from shuanglu.report.v1.report_pb2 import Report
from shuanglu.report.v1.report_service_pb2 import GetReportRequest, InspectionPhase
from shuanglu.session.v1.session_pb2 import Session
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.errors import ExitCode, Refused
from shuanglu_cli.findings import print_report
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.recording import (
    Recording,
    assign_roles,
    import_recording,
    read_channel,
    read_order,
    read_timeline,
    watch,
)
from shuanglu_cli.terminal import as_dict, check_progress, err, out, print_json, upload_progress, verdict_exit_code
from shuanglu_cli.uploads import UploadDoor

HOUR_S = 3600

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="Recordings. Who is in each: by its name customer*, agent*, or FILE:CUSTOMER,AGENT; one alone has both.",
    ),
]


@app.command("import")
@command
def import_(
    context: typer.Context,
    files: Files,
    *,
    order: Annotated[Path, typer.Option(help="Order as JSON, with an optional `channel`.")],
    id_photo: Annotated[Path | None, typer.Option(help="The customer's ID photo, JPEG or PNG.")] = None,
    strategy: Annotated[str, typer.Option(help="Strategy's id; default: the one that applies to the order.")] = "",
    timeline: Annotated[
        Path | None, typer.Option(help="Nodes with their times as JSON; default: found from the transcript.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="REMOTE, COUNTER, FIELD or IMPORT; wins over the order's.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the report.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.", min=1)] = HOUR_S,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Import a recording for an order and wait for its report. The exit code is the verdict's."""
    read, order_channel = read_order(order)
    recording = Recording(
        files=assign_roles(files),
        order=read,
        channel=read_channel(channel) if channel else order_channel,
        id_photo=id_photo,
        strategy_id=strategy,
        timeline=read_timeline(timeline) if timeline else (),
    )
    target = target_of(context)
    with Gateway(target) as gateway, UploadDoor(target) as door:
        session = send(gateway, door, recording, visible=not as_json)
        if not wait:
            return _accepted(session, as_json=as_json)
        if not as_json:
            err.print(f"session {session.session_id}", highlight=False)
        report = follow(gateway, session.session_id, timeout, visible=not as_json)
    if as_json:
        print_json(as_dict(report))
    else:
        print_report(report, out)
    return verdict_exit_code(report.verdict)


def send(gateway: Gateway, door: UploadDoor, recording: Recording, *, visible: bool) -> Session:
    """Import with a bar for each file. Raises CliError."""
    with upload_progress(visible=visible) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, safe: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=size)
            bars.update(tasks[name], completed=safe)

        return import_recording(gateway, door, recording, progress)


def follow(gateway: Gateway, session_id: str, timeout_s: float, *, visible: bool) -> Report:
    """Wait with a bar for the checks; the report. Raises CliError."""
    with check_progress(visible=visible) as bar:
        task = bar.add_task("inspecting", total=None)
        for step in watch(gateway, session_id, timeout_s):
            bar.update(task, completed=step.observed, total=step.expected or None)
            if step.phase == InspectionPhase.INSPECTION_PHASE_FAILED:
                raise Refused(
                    "the recording could not be taken in",
                    step.failure_reason,
                    f"mend the file and import again; `shuanglu status {session_id}` shows the session",
                    step.failure_reason,
                )
    report: Report = gateway.call(gateway.reports.GetReport, GetReportRequest(session_id=session_id)).report
    return report


def _accepted(session: Session, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json({"session_id": session.session_id})
    else:
        out.print(f"accepted: session {session.session_id}", highlight=False)
    return ExitCode.OK
