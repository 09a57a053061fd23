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

from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import Client, client_of

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
        with client_of(self.stack) as client:
            for shape in self.shapes.names:
                self.expected[shape] = self._import(client, shape)[1]

    def one(self, shape: str) -> list[str]:
        """Import once; how its report differs from the expected one."""
        with client_of(self.stack) as client:
            session_id, found = self._import(client, shape)
        return [f"{shape} {session_id}: {line}" for line in differences(self.expected[shape], found)]

    def import_while(self, disturb: Callable[[], object], at_once: int, at_most: int = 10_000) -> Outcome:
        """Keep `at_once` imports under way until `disturb` returns, then wait for all reports and for rest."""
        over = threading.Event()
        outcome = Outcome()

        def keep_importing(worker: int) -> None:
            number = worker
            while not over.is_set() and self.sent < at_most:
                shape = self.shapes.names[number % len(self.shapes.names)]
                number += 1
                found = self.one(shape)
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
        outcome.differences += wait_settled(self.stack, list(self.sessions), self.patience_s)
        return outcome

    def _import(self, client: Client, shape: str) -> tuple[str, str]:
        deadline = time.monotonic() + self.patience_s
        with self.lock:
            self.sent += 1
            order_no = f"FAULT-{self.sent:05d}"
        session_id = send(client, self.shapes.numbered(shape, order_no), deadline)
        with self.lock:
            self.sessions[session_id] = shape
        while time.monotonic() < deadline:
            report = report_of(client, session_id)
            if report is not None:
                return session_id, canonical(report)
            time.sleep(ASK_EVERY_S)
        raise GaveUp(f"no report of {shape} {session_id} after {self.patience_s:.0f} s")


@contextmanager
def timed(say: Callable[[str], None], what: str) -> Iterator[None]:
    """Say how long something took."""
    started = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - started:.0f} s")
