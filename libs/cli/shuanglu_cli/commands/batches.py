"""`shuanglu import --manifest …`, and `--status`, `--cancel`, `--retry` of a batch."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from shuanglu.media.v1 import import_service_pb2 as pb
from shuanglu_cli.batch_run import BatchRun, Goal, Row, batch_name, exit_code, new_row
from shuanglu_cli.batch_view import BatchView, batch_table, require_result, result_of, summary, troubles, write_result
from shuanglu_cli.errors import ExitCode
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.journal import Journal
from shuanglu_cli.manifest import Entry, read_manifest
from shuanglu_cli.sending import Manner, Sender
from shuanglu_cli.target import Target
from shuanglu_cli.terminal import as_dict, err, out, print_json
from shuanglu_cli.uploads import UploadDoor

# A night's import outlives a restart of the services, and a queue that is full until the morning.
PATIENCE_S = 43_200.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says about a manifest."""

    manifest: Path
    channel: str | None
    audio: pb.AudioSelection | None
    jobs: int
    allow_outside: bool
    batch: str
    journal: Path | None
    result: Path | None
    goal: Goal


def import_manifest(target: Target, asked: Asked, *, as_json: bool) -> ExitCode:
    """Import everything that is not imported yet, and follow it. Raises CliError."""
    if asked.result is not None:
        require_result(asked.result)
    entries = read_manifest(asked.manifest, allow_outside=asked.allow_outside, channel=asked.channel, audio=asked.audio)
    journal_file = asked.journal or journal_beside(asked.manifest)
    with Gateway(target) as gateway, Journal(journal_file, gateway.address) as journal:
        batch_id = asked.batch or journal.batch_id or batch_name(entries)
        journal.begin(batch_id)
        return _run(gateway, entries, journal, asked, batch_id, as_json=as_json)


def _run(
    gateway: Gateway, entries: list[Entry], journal: Journal, asked: Asked, batch_id: str, *, as_json: bool
) -> ExitCode:
    rows = [new_row(entry) for entry in entries]
    view = BatchView(err, rows, quiet=as_json)
    run = BatchRun(entries, rows, gateway, batch_id, view)
    if not as_json:
        err.print(f"batch {batch_id}: {len(entries)} recordings", highlight=False)
    in_time = True
    try:
        with view, UploadDoor(gateway.target, pause=run.pause, patience_s=PATIENCE_S) as door:
            run.send(Sender(gateway, door, journal, Manner(batch_id, PATIENCE_S, run.pause)), asked.jobs)
            in_time = run.follow(asked.goal, time.monotonic)
    except KeyboardInterrupt:
        _tell(asked, batch_id, run.rows, as_json=as_json)
        err.print("interrupted: the same command goes on from here; nothing is imported twice", highlight=False)
        raise
    _tell(asked, batch_id, run.rows, as_json=as_json)
    code = exit_code(run.rows, reported=asked.goal.reported)
    return code if in_time or code is not ExitCode.OK else ExitCode.TIMEOUT


def _tell(asked: Asked, batch_id: str, rows: list[Row], *, as_json: bool) -> None:
    if asked.result is not None:
        write_result(asked.result, batch_id, rows)
    if as_json:
        print_json(result_of(batch_id, rows))
        return
    for line in troubles(rows):
        err.print(line, highlight=False)
    out.print(summary(rows))
    out.print(f"batch {batch_id}", highlight=False)


def journal_beside(manifest: Path) -> Path:
    """`list.csv.journal`, or `.journal` in a folder of recordings."""
    return manifest / ".journal" if manifest.is_dir() else manifest.with_name(manifest.name + ".journal")


def manage(gateway: Gateway, status: str, cancel: str, retry: str, *, as_json: bool) -> ExitCode:
    """Show, cancel or retry a batch. Raises CliError."""
    refusals: list[pb.ImportRefusal] = []
    if cancel:
        answer = gateway.call(gateway.imports.CancelImportBatch, pb.CancelImportBatchRequest(batch_id=cancel))
        batches = [answer.batch]
    elif retry:
        answer = gateway.call(gateway.imports.RetryImportBatch, pb.RetryImportBatchRequest(batch_id=retry))
        batches, refusals = [answer.batch], list(answer.refusals)
    elif status == "all":
        batches = list(gateway.call(gateway.imports.ListImportBatches, pb.ListImportBatchesRequest()).batches)
    else:
        answer = gateway.call(gateway.imports.GetImportBatch, pb.GetImportBatchRequest(batch_id=status))
        batches = [answer.batch]
    if as_json:
        shown = {"batches": [as_dict(batch) for batch in batches], "refusals": [as_dict(each) for each in refusals]}
        print_json(shown)
    else:
        out.print(batch_table(batches))
        for each in refusals:
            err.print(f"[red]✕[/] {each.import_id}: {escape(each.reason)}", highlight=False)
            err.print(f"    [dim]do:[/] {escape(each.help)}", highlight=False)
    return ExitCode.REFUSED if refusals else ExitCode.OK
