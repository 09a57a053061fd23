"""A benchmark of several parts, each in a module `<name>.<part>` with `measure(sizes)`; BENCH_PARTS chooses."""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, TypeVar

from rich.console import Console

from figures import Figure, keep


class Parted(Protocol):
    """Sizes of a benchmark."""

    @property
    def parts(self) -> str:
        """What is measured, with commas in between."""
        ...


S = TypeVar("S", bound=Parted)


def run_parts(name: str, sizes: S) -> None:
    """Measure, print, keep; exit code 1 if a part broke. The other parts are kept."""
    console, figures, whole = Console(), list[Figure](), True
    for part in sizes.parts.split(","):
        console.print(f"measuring {part} …", highlight=False)
        of: Callable[[S], list[Figure]] = import_module(f"{name}.{part}").measure
        try:
            figures += of(sizes)
        except Exception:  # noqa: BLE001 the other parts took minutes
            console.print_exception()
            whole = False
    keep(name, figures)
    raise SystemExit(not whole)
