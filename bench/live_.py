"""Calls: what a session costs, how soon people see each other, how soon it is stored, and whether sound keeps up.

`BENCH_PARTS=bitrate,capacity` measures parts only; see live/sizes.py.
"""

from collections.abc import Callable
from importlib import import_module

from rich.console import Console

from figures import Figure, keep
from live.sizes import Sizes


def measure(console: Console) -> list[Figure]:
    """All parts that are wanted, each in a module of its name."""
    sizes = Sizes()
    figures: list[Figure] = []
    for part in sizes.parts.split(","):
        console.print(f"measuring {part} …", highlight=False)
        of: Callable[[Sizes], list[Figure]] = import_module(f"live.{part}").measure
        figures += of(sizes)
    return figures


def main() -> None:
    """Measure, print, keep."""
    keep("live", measure(Console()))


if __name__ == "__main__":
    main()
