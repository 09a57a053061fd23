"""Starts again what ended without being asked to, with growing pauses; ends what lives but says that it cannot work."""

import threading
import time
from collections.abc import Callable

from shuanglu_stack.process import ManagedProcess
from shuanglu_stack.readiness import Probe

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
# A process that has run this long is healthy: its next end starts from the shortest pause.
HEALTHY_AFTER_S = 60.0
LOOK_EVERY_S = 0.25
# A process with a probe that says no for so long is ended and started again.
ASK_EVERY_S = 3.0
SICK_AFTER_S = 15.0


class Supervisor:
    """Watches processes from a thread of its own."""

    def __init__(self, say: Callable[[str], None], pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        self._say = say
        self._pauses_s = pauses_s
        self._watched: list[ManagedProcess] = []
        self._probes: dict[str, Probe] = {}
        self._asked_at: dict[str, float] = {}
        self._well_at: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def watch(self, process: ManagedProcess, probe: Probe | None = None) -> None:
        """Look after this one from now on; `probe` is its health, which only what cannot mend itself needs."""
        self._watched.append(process)
        if probe is not None:
            self._probes[process.name] = probe
        with self._starting:  # Components are started together, each by a thread.
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
        if not process.wanted:
            return
        if process.is_alive():
            self._ask(process, now)
            return
        due = self._due.get(process.name)
        if due is None:
            self._due[process.name] = now + self._pause(process, now)
        elif now >= due:
            del self._due[process.name]
            process.revive()

    def _ask(self, process: ManagedProcess, now: float) -> None:
        """End it if it has been sick for long."""
        probe = self._probes.get(process.name)
        if probe is None or now - self._asked_at.get(process.name, 0.0) < ASK_EVERY_S:
            return
        self._asked_at[process.name] = now
        well_at = max(self._well_at.get(process.name, 0.0), process.started_at)
        if probe():
            self._well_at[process.name] = now
        elif now - well_at > SICK_AFTER_S:
            self._say(f"{process.name} is not healthy; ending it; log: {process.command.log_file}")
            process.crash()

    def _pause(self, process: ManagedProcess, now: float) -> float:
        if now - process.started_at > HEALTHY_AFTER_S:
            process.restarts = 0
        pauses_s = process.command.restart_pauses_s or self._pauses_s
        pause = pauses_s[min(process.restarts, len(pauses_s) - 1)]
        self._say(
            f"{process.name} ended ({_how(process.exit_code())}); starting it again in {pause:g} s; "
            f"log: {process.command.log_file}"
        )
        return pause


def _how(exit_code: int | None) -> str:
    if exit_code is None:
        return "never started"
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
