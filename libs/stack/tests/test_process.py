"""Processes: small Python programs that end, hang and ignore signals."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shuanglu_stack.errors import ComponentFailed
from shuanglu_stack.process import Command, ManagedProcess, Spawner
from shuanglu_stack.readiness import wait_ready
from shuanglu_stack.supervisor import Supervisor
from shuanglu_stack.usage import usage_of

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
CROWD = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); time.sleep(60)"

Start = Callable[..., ManagedProcess]


@pytest.fixture
def spawner() -> Iterator[Spawner]:
    made = Spawner()
    yield made
    made.close()


@pytest.fixture
def start(spawner: Spawner, tmp_path: Path) -> Iterator[Start]:
    running: list[ManagedProcess] = []

    def run(code: str, stop_timeout_s: float = 10) -> ManagedProcess:
        argv = (sys.executable, "-c", code)
        command = Command("program", argv, tmp_path / "program.log", tmp_path, stop_timeout_s=stop_timeout_s)
        process = ManagedProcess(command, spawner)
        running.append(process)
        process.start()
        return process

    yield run
    for process in running:
        process.stop()


def until(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_stops_when_it_is_asked_to(start: Start) -> None:
    process = start(SLEEP)
    until(process.is_alive)
    assert process.stop()
    assert process.exit_code() == -signal.SIGTERM
    assert process.pid is None


def test_a_process_that_does_not_listen_is_killed(start: Start, tmp_path: Path) -> None:
    process = start(DEAF, stop_timeout_s=0.2)
    until(lambda: "deaf" in (tmp_path / "program.log").read_text())
    assert not process.stop()
    assert process.exit_code() == -signal.SIGKILL


def test_children_of_a_process_go_with_it(start: Start) -> None:
    process = start(CROWD)
    parent = process.pid
    assert parent is not None
    children = Path(f"/proc/{parent}/task/{parent}/children")
    until(lambda: bool(children.read_text().split()))
    (child,) = (int(pid) for pid in children.read_text().split())
    process.stop()
    until(lambda: not is_running(child))


def test_nothing_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from shuanglu_stack.process import *;"
        f"folder = Path({str(tmp_path)!r});"
        f"command = Command('p', (sys.executable, '-c', {SLEEP!r}), folder / 'p.log', folder);"
        "process = ManagedProcess(command, Spawner());"
        "process.start(); print(process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_running(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_running(child))


def test_a_crashed_process_is_started_again(start: Start) -> None:
    said: list[str] = []
    process = start(SLEEP)
    supervisor = Supervisor(said.append)
    supervisor.watch(process)
    before = process.pid
    process.kill()
    until(lambda: process.pid is not None and process.pid != before)
    supervisor.close()
    assert process.restarts == 1
    assert "signal 9" in said[0]


def test_a_process_that_lives_and_cannot_work_is_started_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shuanglu_stack.supervisor.ASK_EVERY_S", 0.1)
    monkeypatch.setattr("shuanglu_stack.supervisor.SICK_AFTER_S", 0.5)
    said: list[str] = []
    process = start(SLEEP)
    before = process.pid
    supervisor = Supervisor(said.append, (0.1,))
    supervisor.watch(process, lambda: process.pid != before)
    until(lambda: process.pid is not None and process.pid != before)
    time.sleep(1)
    supervisor.close()
    assert process.restarts == 1
    assert "not healthy" in said[0]


def test_a_process_that_was_told_to_stop_stays_down(start: Start) -> None:
    process = start(SLEEP)
    supervisor = Supervisor(lambda _: None)
    supervisor.watch(process)
    process.stop()
    time.sleep(1.5)
    supervisor.close()
    assert not process.is_alive()
    assert process.restarts == 0


def test_a_process_that_ends_before_it_is_ready_shows_the_end_of_its_log(start: Start) -> None:
    process = start("print('wrong setting SHUANGLU_X'); raise SystemExit(2)")
    with pytest.raises(ComponentFailed, match="wrong setting SHUANGLU_X") as failed:
        wait_ready(process, lambda: False, 10, threading.Event())
    assert "code 2" in str(failed.value)


def test_a_start_that_is_given_up_does_not_wait(start: Start) -> None:
    giving_up = threading.Event()
    giving_up.set()
    with pytest.raises(ComponentFailed, match="given up"):
        wait_ready(start(SLEEP), lambda: False, 60, giving_up)


def test_work_of_a_process_and_its_children_is_counted(start: Start) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    process = start(f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {burn!r}])\ntime.sleep(60)")
    pid = process.pid
    assert pid is not None
    until(lambda: usage_of(pid).core_seconds >= 0.3)
    assert usage_of(pid).resident_bytes > 1_000_000
    process.stop()
    assert usage_of(pid).core_seconds == 0
