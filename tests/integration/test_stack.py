"""The stack itself: what it starts it ends, what crashes comes back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shuanglu_cli.target import find_target
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.errors import AlreadyRunning
from shuanglu_stack.readiness import http_ok

ROOT = Path(__file__).resolve().parents[2]
ENDS_WITHIN_S = 40
STARTS_WITHIN_S = 120

OwnStack = Callable[..., EmbeddedStack]


def until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


def processes_of(data_dir: Path) -> list[int]:
    """Processes that have the data folder in their command line or environment."""
    marker = str(data_dir).encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            shown = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if marker in shown and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def test_a_second_stack_on_the_same_data_is_refused(stack: EmbeddedStack, own_stack: OwnStack) -> None:
    with pytest.raises(AlreadyRunning):
        own_stack(data_dir=stack.data_dir)
    assert stack.service_pids()["quality"]


def test_its_description_is_for_the_owner_alone_and_the_command_line_finds_it(stack: EmbeddedStack) -> None:
    file = stack.data_dir / "stack.json"
    assert file.stat().st_mode & 0o077 == 0
    target = find_target(config=file)
    assert (target.gateway, target.ca) == (stack.gateway_url, stack.ca)
    assert target.token


def test_every_service_tells_its_health_and_its_metrics(stack: EmbeddedStack) -> None:
    for name in stack.service_pids():
        port = stack.ports[f"{name}-ops"]
        assert all(http_ok(port, path)() for path in ("/healthz", "/readyz", "/metrics")), name


def test_a_crashed_service_comes_back(own_stack: OwnStack) -> None:
    stack = own_stack(services=("signaling",))
    before = stack.service_pids()["signaling"]
    stack.kill_service("signaling")
    ready = http_ok(stack.ports["signaling-ops"], "/readyz")
    until(lambda: stack.service_pids()["signaling"] not in ([], before) and ready(), STARTS_WITHIN_S)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_nothing_is_left_when_the_command_ends(end: signal.Signals, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "shuanglu_stack", "up", "--data", str(data_dir), "--ports", "free"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    description = data_dir / "stack.json"
    try:
        until(lambda: description.exists() or running.poll() is not None, STARTS_WITHIN_S)
        assert json.loads(description.read_text())["pid"] == running.pid
        assert len(processes_of(data_dir)) >= 10
        running.send_signal(end)
        code = running.wait(ENDS_WITHIN_S)
        assert code == (-signal.SIGKILL if end == signal.SIGKILL else 0)
        until(lambda: not processes_of(data_dir), ENDS_WITHIN_S)
        assert description.exists() == (end == signal.SIGKILL)
    finally:
        running.kill()
        running.wait(ENDS_WITHIN_S)
