"""`shuanglu reconcile`: sessions that should have a recording against what is in the store."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from shuanglu.media.v1.recording_service_pb2 import Difference, DifferenceKind, ReconcileRequest, ReconcileResponse
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.errors import ExitCode, Usage
from shuanglu_cli.gateway import Gateway, readable_errors
from shuanglu_cli.terminal import check_progress, clock, out, plain_table, print_json

TIMEOUT_S = 6 * 3600.0
US = 1_000_000
AGO = re.compile(r"(\d{1,5})([mhd])")
SECONDS = {"m": 60, "h": 3600, "d": 86_400}
PREFIX = "DIFFERENCE_KIND_"
MEANINGS = {
    "TRACK_MISSING": "a participant was needed and there is no track",
    "SEGMENT_MISSING": "a segment that was confirmed is not in the store any more",
    "SEGMENT_CHANGED": "a segment has another size than was confirmed",
    "SECONDS_MISSING": "seconds are neither recorded nor explained by a gap",
    "NOT_COMPLETED": "the call has ended long ago and its recording is not complete",
    "INDEX_MISSING": "the list of a track's segments is not there or cannot be read",
}


@app.command("reconcile")
@command
def reconcile(
    context: typer.Context,
    session: Annotated[str, typer.Option(help="Compare this session alone.")] = "",
    since: Annotated[
        str, typer.Option(help="Only sessions made since: `90m`, `12h`, `7d`, or a date such as 2026-11-20 (UTC).")
    ] = "",
    *,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Compare recordings with the store, track by track and second by second. Exit code 1: something differs."""
    request = ReconcileRequest(session_id=session, created_from_us=read_since(since, time.time()))
    found: list[Difference] = []
    last = ReconcileResponse()
    with Gateway(target_of(context)) as gateway, check_progress(visible=not as_json) as progress:
        task = progress.add_task("comparing", total=None)
        for step in answers(gateway, request):
            found.extend(step.differences)
            last = step
            progress.update(task, completed=step.sessions)
    found.sort(key=lambda one: (one.session_id, one.track_id, one.interval.start_ms, one.kind))
    if as_json:
        print_json(as_document(found, last))
    else:
        print_differences(found, last)
    return ExitCode.ERROR if found else ExitCode.OK


def answers(gateway: Gateway, request: ReconcileRequest) -> Iterator[ReconcileResponse]:
    """Every step until the last. Raises CliError."""
    with readable_errors():
        yield from gateway.recordings.Reconcile(request, timeout=TIMEOUT_S, metadata=gateway.metadata)


def read_since(text: str, now_s: float) -> int:
    """Microseconds since the epoch; 0 for no limit. Raises Usage."""
    if not text:
        return 0
    if ago := AGO.fullmatch(text):
        return round((now_s - int(ago[1]) * SECONDS[ago[2]]) * US)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"{text} is not a time", "", "give `12h`, `7d` or a date such as 2026-11-20", "BAD_TIME") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * US)


def kind_of(difference: Difference) -> str:
    """Its name without the prefix."""
    return DifferenceKind.Name(difference.kind).removeprefix(PREFIX)


def as_document(found: list[Difference], last: ReconcileResponse) -> dict[str, Any]:
    """For programs."""
    return {
        "equal": not found,
        "sessions": last.sessions,
        "tracks": last.tracks,
        "seconds": last.seconds,
        "counts": dict(sorted(Counter(map(kind_of, found)).items())),
        "differences": [
            {
                "session_id": one.session_id,
                "track_id": one.track_id,
                "kind": kind_of(one),
                "meaning": MEANINGS.get(kind_of(one), ""),
                "start_ms": one.interval.start_ms,
                "end_ms": one.interval.end_ms,
                "key": one.key,
            }
            for one in found
        ],
    }


def print_differences(found: list[Difference], last: ReconcileResponse) -> None:
    """A line for each; the last line is the answer."""
    if found:
        table = plain_table("session", "track", "difference", "from", "to", "object")
        for one in found:
            start, end = clock(one.interval.start_ms), clock(one.interval.end_ms)
            table.add_row(one.session_id, one.track_id or "-", kind_of(one), start, end, one.key)
        out.print(table)
        for kind in sorted(set(map(kind_of, found))):
            out.print(f"[dim]{kind}:[/] {MEANINGS.get(kind, '')}", highlight=False)
    compared = f"{last.sessions} sessions, {last.tracks} tracks, {last.seconds} s compared"
    sign = "[red]✕[/]" if found else "[green]✓[/]"
    out.print(f"{sign} {len(found)} differences: {compared}", highlight=False)
