"""One process of the stack: started in its own group, dies with its parent, stopped with a signal and a deadline.

PR_SET_PDEATHSIG (prctl(2)) fires when the *thread* that forked ends, not only the process. So everything is started
from one thread that lives as long as the stack, and the signal is set by `setpriv` after it has given up root (a change
of user clears it).
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROTATE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a process and how to stop it."""

    name: str
    argv: tuple[str, ...]
    log_file: Path
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 25
    # Further options of setpriv(1), such as a user to run as.
    identity: tuple[str, ...] = ()
    # Before it is started again after it ended by itself: first, second, …. Empty: as the stack does with all others.
    restart_pauses_s: tuple[float, ...] = ()


class Spawner:
    """Starts processes from one lasting thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def spawn(self, command: Command) -> subprocess.Popen[bytes]:
        """Start it now. Raises OSError if the program cannot be run."""
        return self._thread.submit(_spawn, command).result()

    def close(self) -> None:
        """End the thread; whatever it started and still runs gets its death signal."""
        self._thread.shutdown()


def _spawn(command: Command) -> subprocess.Popen[bytes]:
    command.log_file.parent.mkdir(parents=True, exist_ok=True)
    if command.log_file.exists() and command.log_file.stat().st_size > ROTATE_BYTES:
        command.log_file.replace(command.log_file.with_suffix(".log.1"))
    death_signal = command.stop_signal.name.removeprefix("SIG")
    argv = ["setpriv", *command.identity, "--pdeathsig", death_signal, "--", *command.argv]
    with command.log_file.open("ab") as log:
        return subprocess.Popen(
            argv,
            cwd=command.cwd,
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class ManagedProcess:
    """A process that should run until it is told to stop."""

    def __init__(self, command: Command, spawner: Spawner) -> None:
        self.command = command
        self.wanted = False
        self.restarts = 0
        self.started_at = 0.0
        self._spawner = spawner
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Name of the component, with a number for a replica."""
        return self.command.name

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self.is_alive() else None

    def is_alive(self) -> bool:
        """True while it runs."""
        return self._process is not None and self._process.poll() is None

    def exit_code(self) -> int | None:
        """How it ended; minus the signal if a signal ended it; None while it runs or before its start."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it if it does not run."""
        with self._lock:
            self.wanted = True
            self._start()

    def revive(self) -> None:
        """Start it again unless it was told to stop in the meantime."""
        with self._lock:
            if self.wanted:
                self.restarts += 1
                self._start()

    def _start(self) -> None:
        if not self.is_alive():
            self._process = self._spawner.spawn(self.command)
            self.started_at = time.monotonic()

    def kill(self) -> None:
        """End it at once, as a crash would. It is still wanted, so the supervisor starts it again."""
        self._signal_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def crash(self) -> None:
        """SIGKILL to the process itself; its children have to notice."""
        if self._process is not None and self.is_alive():
            self._process.kill()
            self._process.wait()

    def request_stop(self) -> None:
        """Ask it to end; returns at once."""
        with self._lock:
            self.wanted = False
        if self._process is not None and self.is_alive():
            self._process.send_signal(self.command.stop_signal)

    def wait_stopped(self) -> bool:
        """Wait for its end after `request_stop`; kill what is left of its group. False if it had to be killed."""
        if self._process is None:
            return True
        try:
            self._process.wait(self.command.stop_timeout_s)
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        return in_time

    def stop(self) -> bool:
        """Ask it to end and wait. False if it had to be killed."""
        self.request_stop()
        return self.wait_stopped()

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # Nobody is left in the group.
