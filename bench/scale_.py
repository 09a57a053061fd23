"""Many sessions at once: what the bus, the doors and watching them cost; docs/capacity.md is reckoned from it.

`BENCH_PARTS=traffic,clients` measures parts only; see scale/sizes.py.
"""

from collections.abc import Callable
from importlib import import_module

from rich.console import Console

from figures import Figure, keep
from scale.sizes import Sizes


def measure(console: Console) -> tuple[list[Figure], bool]:
    """All parts that are wanted, each in a module of its name; and whether all of them came to an end."""
    sizes, figures, whole = Sizes(), list[Figure](), True
    for part in sizes.parts.split(","):
        console.print(f"measuring {part} …", highlight=False)
        of: Callable[[Sizes], list[Figure]] = import_module(f"scale.{part}").measure
        try:
            figures += of(sizes)
        except Exception:  # noqa: BLE001 the other parts took minutes
            console.print_exception()
            whole = False
    return figures, whole


def main() -> None:
    """Measure, print, keep; exit code 1 if a part broke."""
    figures, whole = measure(Console())
    keep("scale", figures)
    raise SystemExit(not whole)


if __name__ == "__main__":
    main()
