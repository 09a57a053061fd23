"""What the policies let pass is what the design draws: no arrow more, none less."""

import re
from typing import Any

import yaml
from tests.charts import network, renders
from tests.charts.rendering import ROOT, WORKLOADS, Render, component_of, render

ARROWS: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "charts" / "arrows.yaml").read_text())


def with_policies() -> list[Render]:
    """Renders of the product in which policies are on."""
    return [item for item in (*renders.product(), *renders.of_pairs()) if item.of("NetworkPolicy")]


def test_arrows_inside_the_release_are_those_of_the_design() -> None:
    drawn = {
        (start, end, f"{port}/TCP")
        for start, ends in ARROWS["inside"].items()
        for end, ports in ends.items()
        for port in ports
    }
    for item in with_policies():
        assert network.inside(item) == drawn, item.name
        assert not network.one_sided(item), item.name


def test_what_leaves_the_release_is_what_the_design_draws() -> None:
    for item, ports in (
        (render("defaults"), {"nats": 4222, "database": 5432, "s3": 9000}),
        (
            render("values-production.yaml", ("values-production.yaml",)),
            {"nats": 4222, "database": 5432, "s3": 443, "otlp": 4318},
        ),
    ):
        drawn = {(name, f"{port}/TCP") for place, port in ports.items() for name in ARROWS["outside"][place]}
        drawn |= {(name, "1-65535/UDP") for name in ARROWS["media"]}
        assert network.outside(item) == drawn, item.name


def test_what_comes_in_from_elsewhere_is_what_the_design_draws() -> None:
    drawn = {
        (start, end, port) for start, ends in ARROWS["entries"].items() for end, ports in ends.items() for port in ports
    }
    for item in with_policies():
        found = {(start, end, re.sub(r"^\d+-\d+/UDP$", "RTP/UDP", port)) for start, end, port in network.entries(item)}
        assert found == drawn, item.name


def test_every_pod_is_denied_what_is_not_drawn() -> None:
    for item in with_policies():
        assert network.denied(item) == {component_of(each) for each in item.of(*WORKLOADS)}, item.name
