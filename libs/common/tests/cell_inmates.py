"""What children of the tests run: good and bad behaviour."""

import ctypes
import os
import resource
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter

from shuanglu_common.errors import DamagedData, InvalidInput


class Spoiled(DamagedData):
    """An error that the tests' cells know."""

    reason = "SPOILED"


class Unheard(InvalidInput):
    """An error that they do not know."""

    reason = "UNHEARD"


REGISTRY = CollectorRegistry()
BITES = Counter("shuanglu_test_bites_total", "Bites.", ["food"], registry=REGISTRY)
MEALS = Counter("shuanglu_test_meals_total", "Meals.", registry=REGISTRY)
COUNTERS = (BITES, MEALS)


def echo(value: Any) -> Any:
    return value


def pid() -> int:
    return os.getpid()


def add(first: int, second: int) -> int:
    return first + second


def eat(food: str, bites: int) -> None:
    BITES.labels(food).inc(bites)
    MEALS.inc()


def lie() -> None:
    BITES.labels("a\nforged line").inc()


def spoil(known: Any) -> None:
    MEALS.inc()
    raise (Spoiled if known else Unheard)("it smells")


def stumble() -> None:
    raise LookupError("the customer's name")


def segfault() -> None:
    ctypes.string_at(0)


def leave(code: int) -> None:
    os._exit(code)


def hang() -> None:
    time.sleep(600)


def spin() -> None:
    while True:
        pass


def gorge() -> int:
    eaten = []
    while True:
        eaten.append(bytearray(16 << 20))


def gorge_inside() -> None:
    """As a reader does it that takes every error of its library for a damaged file."""
    try:
        gorge()
    except MemoryError as error:
        raise Spoiled from error


def crash_starved() -> None:
    """As a library does that does not look at what malloc gives."""
    eaten = []
    try:
        while True:
            eaten.append(bytearray(1 << 20))
    except MemoryError:
        segfault()


def count_up(until: int, size: int) -> Iterator[dict[str, Any]]:
    for number in range(until):
        yield {"number": number, "data": bytes(size), "at": time.monotonic()}


def stumble_after(items: int) -> Iterator[int]:
    yield from range(items)
    segfault()


def shout(data: bytes) -> None:
    """Bytes that are no answer."""
    channel().sendall(data)
    time.sleep(600)


def giant(length: int) -> None:
    shout(struct.pack(">I", length) + b"x")


def hang_up() -> None:
    channel().shutdown(socket.SHUT_RDWR)
    time.sleep(600)


def channel() -> socket.socket:
    return socket.socket(fileno=os.dup(int(sys.argv[1])))


def about_me() -> dict[str, Any]:
    limits = {
        name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in ("CORE", "FSIZE", "NOFILE", "DATA")
    }
    status = dict(
        line.split(":\t", 1)
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        if ":\t" in line
    )
    return {
        "limits": limits,
        "environment": dict(os.environ),
        "files": sorted(int(path.name) for path in Path("/proc/self/fd").iterdir()),
        "no_new_privileges": status["NoNewPrivs"],
        "modules": sorted(sys.modules),
    }


def write_file(path: str) -> str:
    try:
        with Path(path).open("wb", buffering=0) as file:
            file.write(b"x" * 100)
    except OSError as error:
        return type(error).__name__ + str(error.errno)
    return "written"


def connect(port: int) -> str:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError as error:
        return type(error).__name__
    return "connected"


def open_cell(arguments: Any) -> tuple[Mapping[str, Callable[..., Any]], Any]:
    if arguments == "no":
        raise Spoiled("will not open")
    if arguments == "hang":
        hang()
    if arguments == "greedy":
        gorge()
    functions = {name: value for name, value in globals().items() if callable(value)}
    return functions, {"arguments": arguments}
