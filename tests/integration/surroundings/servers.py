"""Single servers of the stack, for tests of one connection."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.process import Command, ManagedProcess, Spawner

START_S = 60


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


@contextmanager
def running(command: Command, answers: Callable[[], bool]) -> Iterator[None]:
    """The server, from when it answers."""
    spawner = Spawner()
    process = ManagedProcess(command, spawner)
    process.start()
    try:
        end = time.monotonic() + START_S
        while not answers():
            assert process.is_alive(), command.log_file.read_text()
            assert time.monotonic() < end, command.log_file.read_text()
            time.sleep(0.1)
        yield
    finally:
        process.request_stop()
        process.wait_stopped()
        spawner.close()
