"""Is a component ready? Small probes on loopback, and one loop that asks them."""

import http.client
import socket
import threading
import time
from collections.abc import Callable

from shuanglu_stack.errors import ComponentFailed
from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.process import ManagedProcess

PROBE_TIMEOUT_S = 2.0
ASK_EVERY_S = 0.05

Probe = Callable[[], bool]


def http_ok(port: int, path: str) -> Probe:
    """Ready when a GET answers 200."""

    def probe() -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def port_open(port: int, host: str = LOOPBACK) -> Probe:
    """Ready when something listens."""

    def probe() -> bool:
        try:
            with socket.create_connection((host, port), timeout=PROBE_TIMEOUT_S):
                return True
        except OSError:
            return False

    return probe


def wait_ready(process: ManagedProcess, probe: Probe, timeout_s: float, giving_up: threading.Event) -> float:
    """Wait for the probe; seconds since the process started.

    Raises ComponentFailed if the process ends, takes too long, or if the start of the whole stack is given up.
    """
    log_file = process.command.log_file
    deadline = time.monotonic() + timeout_s
    while not probe():
        if not process.is_alive():
            raise ComponentFailed(process.name, f"ended with code {process.exit_code()} before it was ready", log_file)
        if time.monotonic() > deadline:
            raise ComponentFailed(process.name, f"not ready after {timeout_s:.0f} s", log_file)
        if giving_up.wait(ASK_EVERY_S):
            raise ComponentFailed(process.name, "its start was given up", log_file)
    return time.monotonic() - process.started_at
