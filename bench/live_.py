"""Calls: what a session costs, how soon people see each other, how soon it is stored, and whether sound keeps up.

`BENCH_PARTS=bitrate,capacity` measures parts only; see live/sizes.py.
"""

from collections.abc import Callable
from importlib import import_module

from rich.console import Console

from figures import Figure, keep
from live.sizes import Sizes


def measure(console: Console) -> tuple[list[Figure], bool]:
    """All parts that are wanted, each in a module of its name; and whether all of them came to an end."""
    sizes, figures, whole = Sizes(), list[Figure](), True
    for part in sizes.parts.split(","):
        console.print(f"measuring {part} …", highlight=False)
        of: Callable[[Sizes], list[Figure]] = import_module(f"live.{part}").measure
        try:
            figures += of(sizes)
        except Exception:  # noqa: BLE001 the other parts took minutes
            console.print_exception()
            whole = False
    return figures, whole


def main() -> None:
    """Measure, print, keep; exit code 1 if a part broke."""
    figures, whole = measure(Console())
    keep("live", figures)
    raise SystemExit(not whole)


if __name__ == "__main__":
    main()
