"""Importing a manifest: many recordings, several at a time, until all of them have come to an end."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.media.v1 import import_service_pb2 as pb
from shuanglu.report.v1.report_service_pb2 import GetReportRequest
from shuanglu.session.v1.session_pb2 import SessionState
from shuanglu.session.v1.session_service_pb2 import GetSessionRequest
from shuanglu_cli.errors import CliError, ExitCode, Refused, Unreachable
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.manifest import Entry
from shuanglu_cli.sending import Sender, Sent

POLL_S = 1.0
# Looking takes at most this part of the time, however long the manifest is.
LOOKING_SHARE = 0.1
PAGE = 500
# Sessions that are asked for one by one, in a round; the next round asks for others.
SESSIONS_A_ROUND = 50
AWAY_S = 600.0


class State(StrEnum):
    """Where a recording stands, as the result file says it."""

    NOT_SENT = "NOT_SENT"
    ERROR = "ERROR"
    REFUSED = "REFUSED"
    ACCEPTED = "ACCEPTED"
    STORING = "STORING"
    STORED = "STORED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REPORTED = "REPORTED"


OPEN = {State.ACCEPTED, State.STORING}
OF_SESSION = {
    SessionState.SESSION_STATE_CREATED: State.ACCEPTED,
    SessionState.SESSION_STATE_RECORDING: State.STORING,
    SessionState.SESSION_STATE_INSPECTING: State.STORED,
    SessionState.SESSION_STATE_REPORTED: State.REPORTED,
    SessionState.SESSION_STATE_FAILED: State.FAILED,
}
VERDICTS = {Outcome.OUTCOME_PASS: "PASS", Outcome.OUTCOME_FAIL: "FAIL"}


class Stopped(Exception):
    """Somebody wants the run to end."""


@dataclass(frozen=True, slots=True)
class Row:
    """One recording of the result."""

    line: int
    name: str
    order_no: str
    bytes: int
    state: State = State.NOT_SENT
    session_id: str = ""
    import_id: str = ""
    before: bool = False  # was imported by an earlier run, or by somebody else
    reason: str = ""
    help: str = ""
    verdict: str = ""


class View(Protocol):
    """What people see of a run. Called from several threads."""

    def moved(self, number: int, row: Row, safe: int) -> None:
        """Bytes of a recording are safe."""

    def settled(self, number: int, row: Row) -> None:
        """A recording is accepted, refused, or has ended."""

    def pausing(self, words: str, seconds: float) -> None:
        """Something is waited for."""


@dataclass(frozen=True, slots=True)
class Goal:
    """How far to follow: until all is accepted, stored, or reported; for at most `timeout_s`."""

    stored: bool = True
    reported: bool = False
    timeout_s: float = 86_400.0


def batch_name(entries: Iterable[Entry]) -> str:
    """The same manifest gives the same name."""
    total = hashlib.sha256()
    for entry in entries:
        recording = entry.recording
        parts = [recording.order.order_no]
        parts += [f"{file.name} {file.stat().st_size}" for file, _ in recording.files]
        total.update("\0".join(parts).encode() + b"\n")
    return f"manifest-{total.hexdigest()[:16]}"


def new_row(entry: Entry) -> Row:
    """Before anything has happened."""
    size = sum(file.stat().st_size for file, _ in entry.recording.files)
    return Row(entry.line, entry.name, entry.recording.order.order_no, size)


class BatchRun:
    """One run of a manifest. `rows` tell how each recording stands, at any time."""

    def __init__(
        self, entries: Sequence[Entry], rows: Sequence[Row], gateway: Gateway, batch_id: str, view: View
    ) -> None:
        """`rows`: of the entries. Nothing is sent yet."""
        self._entries, self._gateway, self._batch_id, self._view = entries, gateway, batch_id, view
        self.rows = list(rows)
        self.stopping = threading.Event()
        self._asked = -1  # the last row whose session was asked for

    def pause(self, words: str, seconds: float) -> None:
        """Waits, with words. Raises Stopped."""
        self._view.pausing(words, seconds)
        if self.stopping.wait(seconds):
            raise Stopped

    def send(self, sender: Sender, jobs: int) -> None:
        """Send everything, `jobs` recordings at a time. Raises KeyboardInterrupt after the threads have stopped."""
        with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="import") as pool:
            left: set[Future[None]] = {pool.submit(self._send, sender, number) for number in range(len(self.rows))}
            try:
                while left:
                    # In short turns, so that Ctrl-C is heard.
                    done, left = wait(left, timeout=0.5, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            except BaseException:
                self.stopping.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def follow(self, goal: Goal, clock: Callable[[], float]) -> bool:
        """Wait until every recording is where the goal wants it; False if that took too long. Raises CliError."""
        until_s, heard_s = clock() + goal.timeout_s, clock()
        while True:
            began_s = clock()
            try:
                self._look(goal)
                heard_s = clock()
            except Unreachable:
                if clock() - heard_s > AWAY_S:
                    raise
            if not any(self._waits(row, goal) for row in self.rows):
                return True
            if clock() >= until_s:
                return False
            try:
                if self.stopping.wait(max(POLL_S, (clock() - began_s) / LOOKING_SHARE)):
                    return False
            except KeyboardInterrupt:
                self.stopping.set()
                raise

    @staticmethod
    def _waits(row: Row, goal: Goal) -> bool:
        return (goal.stored and row.state in OPEN) or (goal.reported and row.state is State.STORED)

    def _send(self, sender: Sender, number: int) -> None:
        if self.stopping.is_set():
            return
        recording = self._entries[number].recording
        safe: dict[str, int] = {}

        def progress(name: str, now: int, _size: int) -> None:
            safe[name] = now
            self._view.moved(number, self.rows[number], sum(safe.values()))
            if self.stopping.is_set():
                raise Stopped

        try:
            sent = sender.send(recording, progress)
        except Stopped:
            return
        except Refused as error:
            self._settle(number, state=State.REFUSED, reason=error.reason, help=_words(error))
        except CliError as error:
            self._settle(number, state=State.ERROR, reason=error.reason, help=_words(error))
        except OSError as error:
            self._settle(number, state=State.ERROR, reason="FILE_UNREADABLE", help=error.strerror or "")
        else:
            self._sent(number, sent)

    def _sent(self, number: int, sent: Sent) -> None:
        self._settle(
            number, state=State.ACCEPTED, session_id=sent.session_id, import_id=sent.import_id, before=sent.before
        )

    def _settle(self, number: int, **changes: object) -> None:
        row = replace(self.rows[number], **changes)  # type: ignore[arg-type]
        if row != self.rows[number]:
            self.rows[number] = row
            self._view.settled(number, row)

    def _look(self, goal: Goal) -> None:
        """Ask how everything stands that is not where it should be."""
        numbers = [number for number, row in enumerate(self.rows) if self._waits(row, goal)]
        waiting = {self.rows[number].import_id: number for number in numbers if self.rows[number].state in OPEN}
        waiting.pop("", None)
        if waiting:
            for record in self._batch_imports():
                if record.import_id in waiting:
                    state = State(pb.ImportState.Name(record.state).removeprefix("IMPORT_STATE_"))
                    self._settle(
                        waiting.pop(record.import_id),
                        state=state,
                        reason=record.failure_reason or record.waiting_for,
                        help=record.failure_help,
                    )
        alone = [
            number
            for number in numbers
            if not (row := self.rows[number]).import_id or row.import_id in waiting or row.state is State.STORED
        ]
        later = [number for number in alone if number > self._asked] + [n for n in alone if n <= self._asked]
        for number in later[:SESSIONS_A_ROUND]:
            self._asked = number
            self._look_at_session(number, goal)

    def _look_at_session(self, number: int, goal: Goal) -> None:
        row = self.rows[number]
        if not self._waits(row, goal):
            return
        asked = GetSessionRequest(session_id=row.session_id)
        session = self._gateway.call(self._gateway.sessions.GetSession, asked).session
        state = OF_SESSION.get(session.state, State.ACCEPTED)
        if state is State.REPORTED and goal.reported:
            report = self._gateway.call(
                self._gateway.reports.GetReport, GetReportRequest(session_id=row.session_id)
            ).report
            self._settle(number, state=state, verdict=VERDICTS.get(report.verdict, "UNSURE"), reason="")
        elif not (row.state is State.STORED and state in OPEN):
            self._settle(number, state=state, reason=session.failure_reason)

    def _batch_imports(self) -> Iterable[pb.Import]:
        token = ""
        while True:
            asked = pb.GetImportBatchRequest(batch_id=self._batch_id, page_size=PAGE, page_token=token)
            try:
                answer = self._gateway.call(self._gateway.imports.GetImportBatch, asked)
            except Refused:
                return
            yield from answer.imports
            token = answer.next_page_token
            if not token:
                return


def exit_code(rows: Sequence[Row], *, reported: bool) -> ExitCode:
    """The worst of all: an error, a refusal, and if verdicts were asked for a FAIL or an UNSURE."""
    states = {row.state for row in rows}
    if states & {State.ERROR, State.NOT_SENT}:
        return ExitCode.ERROR
    if states & {State.REFUSED, State.FAILED, State.CANCELLED}:
        return ExitCode.REFUSED
    if not reported:
        return ExitCode.OK
    verdicts = {row.verdict for row in rows}
    if verdicts & {""}:
        return ExitCode.TIMEOUT
    if "FAIL" in verdicts:
        return ExitCode.VERDICT_FAIL
    return ExitCode.OK if verdicts <= {"PASS"} else ExitCode.VERDICT_UNSURE


def _words(error: CliError) -> str:
    return " ".join(part for part in (error.what, error.help) if part)
