"""Everything that is rendered for the checks: profiles, and all pairs of switches."""

import functools
import json

from tests.charts.pairs import all_pairs, switches_of, values_of
from tests.charts.rendering import CHARTS, Render, profiles, render


@functools.cache
def product() -> tuple[Render, ...]:
    """The product with every values file."""
    return tuple(profiles())


def _pairs(name: str) -> tuple[Render, ...]:
    rows = all_pairs(switches_of(CHARTS / name))
    return tuple(
        render(f"{name} {number}: {row}", (), json.dumps(values_of(row) if name == "shuanglu" else row), name)
        for number, row in enumerate(rows)
    )


@functools.cache
def of_pairs() -> tuple[Render, ...]:
    """The product with its switches in all pairs."""
    return _pairs("shuanglu")


@functools.cache
def trial() -> tuple[Render, ...]:
    """The trial chart as it comes, and with its switches in all pairs."""
    return (render("shuanglu-dev", name="shuanglu-dev"), *_pairs("shuanglu-dev"))


@functools.cache
def everything() -> tuple[Render, ...]:
    """All of them."""
    return (*product(), *of_pairs(), *trial())
