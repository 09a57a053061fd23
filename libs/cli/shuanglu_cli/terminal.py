"""What people see: quiet when piped, no colour with NO_COLOR, the last line is the answer."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu_cli.errors import CliError, ExitCode

# Progress and errors go to stderr, so that stdout holds the answer alone.
# In a pipe nothing is cut off: lines are as long as they are.
PIPE_WIDTH = 400
out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, soft_wrap=True)

SIGNS = {
    Outcome.OUTCOME_PASS: ("✓", "green", "PASS"),
    Outcome.OUTCOME_FAIL: ("✕", "red", "FAIL"),
    Outcome.OUTCOME_UNSURE: ("?", "yellow", "UNSURE"),
}


def plain_table(*headings: str) -> Table:
    """A table without lines, as narrow as it can be."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def outcome_mark(outcome: Outcome.ValueType) -> str:
    """Sign and word, coloured; colour never stands alone. Unspecified reads as UNSURE."""
    sign, colour, word = SIGNS.get(outcome, SIGNS[Outcome.OUTCOME_UNSURE])
    return f"[{colour}]{sign} {word}[/]"


def verdict_exit_code(outcome: Outcome.ValueType) -> ExitCode:
    """Exit code of a verdict."""
    codes: dict[int, ExitCode] = {Outcome.OUTCOME_PASS: ExitCode.OK, Outcome.OUTCOME_FAIL: ExitCode.VERDICT_FAIL}
    return codes.get(outcome, ExitCode.VERDICT_UNSURE)


def clock(at_ms: int) -> str:
    """A position on the recording as `mm:ss.d`."""
    minutes, tenths = divmod(round(at_ms / 100), 600)
    return f"{minutes:02d}:{tenths / 10:04.1f}"


def as_dict(message: Message) -> dict[str, Any]:
    """JSON in the same shape as the gateway gives it."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_error(error: CliError, *, as_json: bool) -> None:
    """Three lines: what happened, why, what to do. As JSON on stdout if a machine reads it."""
    if as_json:
        print_json({"error": {"reason": error.reason, "message": error.what, "why": error.why, "help": error.help}})
        return
    err.print(f"[red]✕[/] {escape(error.what)}", highlight=False)
    for label, text in (("why", error.why), ("do", error.help)):
        if text:
            err.print(f"  [dim]{label}:[/] {escape(text)}", highlight=False)


def upload_progress(*, visible: bool) -> Progress:
    """Bars in bytes."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, disable=not (visible and err.is_terminal))


def check_progress(*, visible: bool) -> Progress:
    """A bar in observations."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=err, disable=not (visible and err.is_terminal))
