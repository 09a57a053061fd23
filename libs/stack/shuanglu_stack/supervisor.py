"""Starts again what ended without being asked to, with growing pauses."""

import threading
import time
from collections.abc import Callable

from shuanglu_stack.process import ManagedProcess

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
# A process that has run this long is healthy: its next end starts from the shortest pause.
HEALTHY_AFTER_S = 60.0
LOOK_EVERY_S = 0.25


class Supervisor:
    """Watches processes from a thread of its own."""

    def __init__(self, say: Callable[[str], None], pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        self._say = say
        self._pauses_s = pauses_s
        self._watched: list[ManagedProcess] = []
        self._due: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def watch(self, process: ManagedProcess) -> None:
        """Look after this one from now on."""
        self._watched.append(process)
        if not self._thread.is_alive() and not self._stopping.is_set():
            self._thread.start()

    def close(self) -> None:
        """Start nothing again from here on."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            now = time.monotonic()
            for process in list(self._watched):
                self._look_after(process, now)

    def _look_after(self, process: ManagedProcess, now: float) -> None:
        if not process.wanted or process.is_alive():
            return
        due = self._due.get(process.name)
        if due is None:
            self._due[process.name] = now + self._pause(process, now)
        elif now >= due:
            del self._due[process.name]
            process.revive()

    def _pause(self, process: ManagedProcess, now: float) -> float:
        if now - process.started_at > HEALTHY_AFTER_S:
            process.restarts = 0
        pause = self._pauses_s[min(process.restarts, len(self._pauses_s) - 1)]
        self._say(
            f"{process.name} ended ({_how(process.exit_code())}); starting it again in {pause:.0f} s; "
            f"log: {process.command.log_file}"
        )
        return pause


def _how(exit_code: int | None) -> str:
    if exit_code is None:
        return "never started"
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
