"""Strategies that come with the service and are there for every tenant."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from shuanglu_quality.domain.strategy import Strategy
from shuanglu_quality.strategy_text import read

BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One shipped strategy and its text."""

    strategy: Strategy
    yaml: str


@cache
def built_in() -> tuple[BuiltIn, ...]:
    """Shipped strategies by id. Raises ValueError if the package holds one that is wrong."""
    found: list[BuiltIn] = []
    for entry in sorted((files("shuanglu_quality") / "strategies").iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".yaml"):
            text = entry.read_text("utf-8")
            reading = read(text)
            if reading.strategy is None:
                raise ValueError(f"{entry.name}: {reading.problems}")
            found.append(BuiltIn(reading.strategy, text))
    return tuple(found)
