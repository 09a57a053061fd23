"""`shuanglu import`: send a recording in, and wait for its verdict."""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import TaskID

from shuanglu.report.v1.report_pb2 import Report
from shuanglu.report.v1.report_service_pb2 import GetReportRequest, InspectionPhase
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.audio import read_audio, require_speakers
from shuanglu_cli.batch_run import Goal
from shuanglu_cli.commands import batches
from shuanglu_cli.errors import ExitCode, Refused, Usage
from shuanglu_cli.findings import print_report
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.journal import Journal
from shuanglu_cli.manifest import template
from shuanglu_cli.recording import Recording, assign_roles, read_channel, read_order, read_timeline, watch
from shuanglu_cli.sending import Sent, import_recording
from shuanglu_cli.terminal import as_dict, check_progress, err, out, print_json, upload_progress, verdict_exit_code
from shuanglu_cli.uploads import UploadDoor

HOUR_S = 3600
DAY_S = 86_400.0

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE]...",
        help="Recordings. Who is in each: by its name customer*, agent*, or FILE:CUSTOMER,AGENT; one alone has both.",
    ),
]


@app.command("import")
@command
def import_(
    context: typer.Context,
    files: Files = None,
    *,
    order: Annotated[Path | None, typer.Option(help="Order as JSON, with an optional `channel`.")] = None,
    id_photo: Annotated[Path | None, typer.Option(help="The customer's ID photo, JPEG or PNG.")] = None,
    strategy: Annotated[str, typer.Option(help="Strategy's id; default: the one that applies to the order.")] = "",
    timeline: Annotated[
        Path | None, typer.Option(help="Nodes with their times as JSON; default: found from the transcript.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="REMOTE, COUNTER, FIELD or IMPORT; wins over the order's.")
    ] = None,
    audio: Annotated[
        str | None,
        typer.Option(
            help="Which sound of every file counts: mixed, stream=2, language=zho, or channels=AGENT,CUSTOMER (left, "
            "right) for telephone recordings; default: all. Wins over a manifest's.",
        ),
    ] = None,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Wait for the report (default for one recording); --no-wait: for nothing. A manifest without either "
            "waits until everything is stored.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.", min=1)] = HOUR_S,
    manifest: Annotated[
        Path | None, typer.Option(help="Many recordings: a CSV file, or a folder with one recording a sub-folder.")
    ] = None,
    manifest_template: Annotated[
        bool, typer.Option("--manifest-template", help="Print a manifest to start from, and end.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Recordings of a manifest that are sent at a time.", min=1, max=32)] = 4,
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="A manifest may name files outside its folder.")
    ] = False,
    batch: Annotated[str, typer.Option(help="Name of the manifest's batch; default: made from what is in it.")] = "",
    journal: Annotated[
        Path | None, typer.Option(help="Where a manifest's import notes how far it is; default: beside the manifest.")
    ] = None,
    result: Annotated[Path | None, typer.Option(help="Write what became of each recording: .json or .csv.")] = None,
    status: Annotated[str, typer.Option(metavar="BATCH", help="Show a batch, and end; `all` lists them.")] = "",
    cancel: Annotated[str, typer.Option(metavar="BATCH", help="Cancel what has not ended of a batch, and end.")] = "",
    retry: Annotated[str, typer.Option(metavar="BATCH", help="Retry what failed of a batch, and end.")] = "",
    as_json: JsonFlag = False,
) -> ExitCode:
    """Import a recording for an order, or a manifest of many; wait for what becomes of it.

    Interrupted, the same command goes on where it stopped; nothing is imported twice. The exit code is the verdict's.
    """
    if manifest_template:
        sys.stdout.write(template())
        return ExitCode.OK
    target = target_of(context)
    if status or cancel or retry:
        with Gateway(target) as gateway:
            return batches.manage(gateway, status, cancel, retry, as_json=as_json)
    sound = read_audio(audio) if audio is not None else None
    if manifest is not None:
        if files or order or id_photo or timeline or strategy:
            raise Usage("a manifest names everything itself", "", "leave FILE, --order and the like out", "USAGE")
        goal = Goal(stored=wait is not False, reported=wait is True, timeout_s=timeout if wait else DAY_S)
        asked = batches.Asked(manifest, channel, sound, jobs, allow_outside, batch, journal, result, goal)
        return batches.import_manifest(target, asked, as_json=as_json)
    if order is None or not files:
        raise Usage("what is to be imported?", "", "give FILE… and --order, or --manifest", "USAGE")
    read, order_channel = read_order(order)
    with_people = assign_roles(files)
    require_speakers(sound, with_people)
    recording = Recording(
        files=with_people,
        order=read,
        channel=read_channel(channel) if channel else order_channel,
        id_photo=id_photo,
        strategy_id=strategy,
        timeline=read_timeline(timeline) if timeline else (),
        audio=sound,
    )
    with Gateway(target) as gateway, UploadDoor(target, pause=say_pause) as door:
        session = send(gateway, door, recording, visible=not as_json, journal_file=journal or journal_of(recording))
        if session.before and not as_json:
            err.print("this recording of this order was imported before; nothing is imported twice", highlight=False)
        if wait is False:
            return _accepted(session, as_json=as_json)
        if not as_json:
            err.print(f"session {session.session_id}", highlight=False)
        report = follow(gateway, session.session_id, timeout, visible=not as_json)
    if as_json:
        print_json(as_dict(report))
    else:
        print_report(report, out)
    return verdict_exit_code(report.verdict)


def say_pause(words: str, seconds: float) -> None:
    """Waits, and says for what."""
    err.print(f"[yellow]waiting[/] {escape(words)}, {seconds:.0f} s …", highlight=False)
    time.sleep(seconds)


def journal_of(recording: Recording) -> Path:
    """Where the import of one recording notes what was uploaded: a file of this user's, named by files and order."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    names = [recording.order.order_no, *(str(file.resolve()) for file, _ in recording.files)]
    name = hashlib.sha256("\0".join(names).encode()).hexdigest()[:32]
    return Path(home) / "shuanglu" / "imports" / f"{name}.jsonl"


def send(
    gateway: Gateway, door: UploadDoor, recording: Recording, *, visible: bool, journal_file: Path | None = None
) -> Sent:
    """Import with a bar for each file; with a journal an interrupted upload goes on. Raises CliError."""
    with upload_progress(visible=visible) as bars, Journal(journal_file, gateway.address) as journal:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, safe: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=size)
            bars.update(tasks[name], completed=safe)

        return import_recording(gateway, door, recording, progress, journal)


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


def _accepted(session: Sent, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json({"session_id": session.session_id})
    else:
        out.print(f"accepted: session {session.session_id}", highlight=False)
    return ExitCode.OK
