"""What a benchmark gives back, and how it is printed and kept."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

OUT = Path(__file__).resolve().parent.parent / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `target`: None if there is none; `baseline`: what it was compared with in the same run."""

    metric: str
    value: float
    unit: str
    better: Literal["lower", "higher"]
    target: float | None = None
    baseline: str | None = None

    @property
    def missed(self) -> bool:
        """Whether the target was missed."""
        if self.target is None:
            return False
        return self.value > self.target if self.better == "lower" else self.value < self.target


def keep(name: str, figures: Sequence[Figure]) -> None:
    """Write the JSON and print the table."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    table = Table(title=f"bench {name}", title_justify="left", box=None, header_style="dim")
    for heading in ("metric", "value", "target", "", "against"):
        table.add_column(heading, justify="right" if heading in {"value", "target"} else "left")
    for figure in figures:
        sign = "≤" if figure.better == "lower" else "≥"
        target = "" if figure.target is None else f"{sign} {figure.target:g}"
        mark = "" if figure.target is None else "[red]✕ missed[/]" if figure.missed else "[green]✓[/]"
        table.add_row(figure.metric, f"{figure.value:.2f} {figure.unit}", target, mark, figure.baseline or "")
    Console(width=120).print(table)
