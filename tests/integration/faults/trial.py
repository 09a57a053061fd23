"""Imports under faults, and what they must come to: the same reports as without."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.integration.faults.caller import GaveUp, report_of, send
from tests.integration.faults.canonical import canonical, differences
from tests.integration.faults.recordings import Shapes
from tests.integration.faults.settled import wait_settled

from shuanglu_cli.doctor.examine import Wanted, examine
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import client_of

ASK_EVERY_S = 0.5


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    reports: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Trial:
    """A stack, recordings, and the reports that a run without faults gave."""

    stack: EmbeddedStack
    shapes: Shapes
    patience_s: float
    expected: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def baseline(self) -> None:
        """Import each shape once, undisturbed, and keep its report."""
        for shape in self.shapes.names:
            self.expected[shape] = self._report(self.send(shape), shape)

    def import_while(self, disturb: Callable[[], object], at_once: int, at_most: int = 10_000) -> Outcome:
        """Keep `at_once` imports under way until `disturb` returns, then wait for all reports and for rest."""
        over = threading.Event()
        outcome = Outcome()

        def keep_importing(worker: int) -> None:
            number = worker
            while not over.is_set() and self.sent < at_most:
                shape = self.shapes.names[number % len(self.shapes.names)]
                number += 1
                found = self.compare(self.send(shape), shape)
                with self.lock:
                    outcome.reports += 1
                    outcome.differences += found

        with ThreadPoolExecutor(at_once, thread_name_prefix="importer") as pool:
            workers: list[Future[None]] = [pool.submit(keep_importing, number) for number in range(at_once)]
            try:
                disturb()
            finally:
                over.set()
            for worker in workers:
                try:
                    worker.result()
                except GaveUp as error:
                    outcome.differences.append(str(error))
        outcome.differences += self.rest()
        return outcome

    def rest(self) -> list[str]:
        """Wait until nothing is under way; what is wrong then, by our own look and by `shuanglu doctor`."""
        wrong = wait_settled(self.stack, list(self.sessions), self.patience_s)
        with client_of(self.stack) as client:
            found = examine(client.target, Wanted(deep=True, at_rest=True))
        return wrong + [f"doctor: {each.code.value} {each.session_id} {each}" for each in found.ailments]

    def send(self, shape: str) -> str:
        """Import a recording of a shape under a new order; its session."""
        with self.lock:
            self.sent += 1
            order_no = f"FAULT-{self.sent:05d}"
        with client_of(self.stack) as client:
            session_id = send(client, self.shapes.numbered(shape, order_no), time.monotonic() + self.patience_s)
        with self.lock:
            self.sessions[session_id] = shape
        return session_id

    def compare(self, session_id: str, shape: str) -> list[str]:
        """Wait for a session's report; how it differs from the expected one."""
        try:
            found = self._report(session_id, shape)
        except GaveUp as error:
            return [str(error)]
        return [f"{shape} {session_id}: {line}" for line in differences(self.expected[shape], found)]

    def _report(self, session_id: str, shape: str) -> str:
        deadline = time.monotonic() + self.patience_s
        with client_of(self.stack) as client:
            while time.monotonic() < deadline:
                report = report_of(client, session_id)
                if report is not None:
                    return canonical(report)
                time.sleep(ASK_EVERY_S)
        raise GaveUp(f"no report of {shape} {session_id} after {self.patience_s:.0f} s")


@contextmanager
def timed(say: Callable[[str], None], what: str) -> Iterator[None]:
    """Say how long something took."""
    started = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - started:.0f} s")
