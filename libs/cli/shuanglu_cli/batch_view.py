"""What people and programs see of the import of a manifest: bars, a line for each recording, a table, a result file."""

import csv
import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from shuanglu.media.v1.import_service_pb2 import ImportBatch, ImportState
from shuanglu_cli.batch_run import Row, State
from shuanglu_cli.errors import Usage
from shuanglu_cli.terminal import plain_table

MARKS = {
    State.NOT_SENT: "[dim]·[/]",
    State.ERROR: "[red]✕[/]",
    State.REFUSED: "[red]✕[/]",
    State.FAILED: "[red]✕[/]",
    State.CANCELLED: "[yellow]–[/]",
    State.ACCEPTED: "[cyan]…[/]",
    State.STORING: "[cyan]…[/]",
    State.STORED: "[green]✓[/]",
    State.REPORTED: "[green]✓[/]",
}
MOST_SHOWN = 40


class BatchView:
    """Bars on a terminal, lines elsewhere. A context manager."""

    def __init__(self, console: Console, rows: Sequence[Row], *, quiet: bool) -> None:
        """`console` is where progress goes; `quiet` shows nothing."""
        self._console, self._quiet = console, quiet
        self._sizes = [row.bytes for row in rows]
        self._safe = [0] * len(rows)
        self._sent = 0
        self._lock = threading.Lock()
        self._tasks: dict[int, TaskID] = {}
        self._paused = ""
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=console, disable=quiet or not console.is_terminal)
        self._whole = self._bars.add_task(self._title(), total=max(sum(self._sizes), 1))

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def moved(self, number: int, row: Row, safe: int) -> None:
        """See View."""
        with self._lock:
            self._paused = ""
            self._safe[number] = min(safe, self._sizes[number])
            if number not in self._tasks:
                self._tasks[number] = self._bars.add_task(f"  {escape(row.name)}", total=max(self._sizes[number], 1))
            self._bars.update(self._tasks[number], completed=self._safe[number])
            self._bars.update(self._whole, completed=sum(self._safe), description=self._title())

    def settled(self, number: int, row: Row) -> None:
        """See View."""
        with self._lock:
            task = self._tasks.pop(number, None)
            if task is not None:
                self._bars.remove_task(task)
            if row.state is State.ACCEPTED:
                self._sent += 1
            self._safe[number] = self._sizes[number]
            self._bars.update(self._whole, completed=sum(self._safe), description=self._title())
            if not self._quiet:
                self._bars.console.print(line_of(row), highlight=False)

    def pausing(self, words: str, seconds: float) -> None:
        """See View; the same words are told once."""
        with self._lock:
            if words != self._paused and not self._quiet:
                self._paused = words
                self._bars.console.print(f"[yellow]waiting[/] {escape(words)}, {seconds:.0f} s …", highlight=False)

    def _title(self) -> str:
        return f"{self._sent}/{len(self._sizes)} sent"


def line_of(row: Row) -> str:
    """One line for a recording."""
    place = f"line {row.line} " if row.line else ""
    words = row.verdict or row.state.value
    more = " (was imported before)" if row.before and row.state is State.ACCEPTED else ""
    why = f" {escape(row.reason)}" if row.reason else ""
    session = f" session {row.session_id}" if row.session_id else ""
    return f"{MARKS[row.state]} {place}{escape(row.name)}: {words}{more}{why}{session}"


def summary(rows: Sequence[Row]) -> Table:
    """How many recordings stand where."""
    table = plain_table("state", "recordings", "MiB")
    counts = Counter(row.verdict or row.state.value for row in rows)
    for state, count in sorted(counts.items(), key=lambda item: -item[1]):
        size = sum(row.bytes for row in rows if (row.verdict or row.state.value) == state)
        table.add_row(state, str(count), f"{size / (1 << 20):.1f}")
    table.add_row("all", str(len(rows)), f"{sum(row.bytes for row in rows) / (1 << 20):.1f}", style="bold")
    return table


def troubles(rows: Sequence[Row]) -> list[str]:
    """A line for each recording that somebody must look at, the first of many."""
    bad = [row for row in rows if row.state in (State.ERROR, State.REFUSED, State.FAILED)]
    lines = [f"{line_of(row)}\n    [dim]do:[/] {escape(row.help or 'see the reason')}" for row in bad[:MOST_SHOWN]]
    return lines + ([f"… and {len(bad) - MOST_SHOWN} more, see --result"] if len(bad) > MOST_SHOWN else [])


def result_of(batch_id: str, rows: Sequence[Row]) -> dict[str, object]:
    """The machine-readable result."""
    counts = Counter(row.state.value for row in rows)
    return {"batch_id": batch_id, "counts": dict(counts), "recordings": [asdict(row) for row in rows]}


def require_result(path: Path) -> None:
    """Raises Usage for a file that will not be written in the end."""
    if path.suffix.lower() not in (".json", ".csv"):
        raise Usage(f"what should {path.name} be?", "its name ends on neither .json nor .csv", "", "BAD_RESULT")
    if not path.parent.is_dir():
        raise Usage(f"there is no folder {path.parent}", "", "make it first", "BAD_RESULT")


def write_result(path: Path, batch_id: str, rows: Sequence[Row]) -> None:
    """JSON or CSV by the file's name; whole or not at all. Raises Usage."""
    temporary = path.with_name(path.name + ".part")
    try:
        if path.suffix.lower() == ".csv":
            with temporary.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.DictWriter(file, [field.name for field in fields(Row)])
                writer.writeheader()
                writer.writerows(asdict(row) for row in rows)
        else:
            text = json.dumps(result_of(batch_id, rows), ensure_ascii=False, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise Usage(f"cannot write {path}", error.strerror or "", "give another place", "BAD_RESULT") from None


def batch_table(batches: Sequence[ImportBatch]) -> Table:
    """Batches of the service, one a line."""
    names = [name.removeprefix("IMPORT_STATE_") for name in ImportState.keys()[1:]]
    table = plain_table("batch", *names, "stored MiB", "of MiB")
    for batch in batches:
        counts = {count.state: count.count for count in batch.counts}
        states = [str(counts.get(ImportState.Value(f"IMPORT_STATE_{name}"), 0)) for name in names]
        sizes = [f"{size / (1 << 20):.1f}" for size in (batch.stored_upload_bytes, batch.upload_bytes)]
        table.add_row(batch.batch_id, *states, *sizes)
    return table
