"""Ports of the stack: fixed ones for a developer, free ones for tests that run side by side."""

import random
import socket
import time
from collections.abc import Iterable
from typing import Literal

from shuanglu_stack.errors import PortTaken

# Below the ephemeral range of Linux (32768..), so that no outgoing connection takes a port between choice and use.
FREE_RANGE = range(20000, 32000)
LOOPBACK = "127.0.0.1"
# Of no machine (RFC 5737): the way there tells the own address.
ELSEWHERE = "198.51.100.1"

# Tries to find a whole range of free UDP ports.
RANGE_TRIES = 50

PortMode = Literal["fixed", "free"]


def choose_ports(
    names: Iterable[str], mode: PortMode, gateway_port: int, port_base: int, patience_s: float = 0
) -> dict[str, int]:
    """A port for each name. `fixed`: `gateway_port` for the gateway and consecutive ones from `port_base` for the rest.

    Raises PortTaken if a fixed port is still in use after `patience_s`.
    """
    wanted = list(names)
    if mode == "free":
        return _free_ports(wanted)
    ports = {name: gateway_port if name == "gateway" else port_base + index for index, name in enumerate(wanted)}
    deadline = time.monotonic() + patience_s
    for name, port in ports.items():
        while not _is_free(port):
            if time.monotonic() >= deadline:
                raise PortTaken(name, port)
            time.sleep(0.1)
    return ports


def _free_ports(names: list[str]) -> dict[str, int]:
    candidates = random.sample(FREE_RANGE, len(FREE_RANGE))
    free = (port for port in candidates if _is_free(port))
    return {name: next(free) for name in names}


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def own_address() -> str:
    """The address that this machine is reached at; loopback if it has no other. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ELSEWHERE, 9))
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])


def choose_udp_range(name: str, size: int, mode: PortMode, start: int, host: str = LOOPBACK) -> range:
    """`size` UDP ports in a row. `fixed`: from `start`. Raises PortTaken if they are in use."""
    if mode == "fixed":
        wanted = range(start, start + size)
        for port in wanted:
            if not _is_free_udp(port, host):
                raise PortTaken(name, port)
        return wanted
    for _ in range(RANGE_TRIES):
        first = random.randrange(FREE_RANGE.start, FREE_RANGE.stop - size, 2)
        if all(_is_free_udp(port, host) for port in range(first, first + size)):
            return range(first, first + size)
    raise PortTaken(name, FREE_RANGE.start)


def _is_free_udp(port: int, host: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
