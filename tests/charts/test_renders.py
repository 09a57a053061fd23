"""Charts render, and what they render is what Kubernetes and the operators know."""

import copy
import itertools
import json
from typing import Any

import jsonschema
import pytest
import yaml
from tests.charts import pairs, renders, schemas
from tests.charts.rendering import CHARTS, HOST, VALUES, chart, helm, render, template


def test_every_object_of_every_render_is_one_that_kubernetes_or_an_operator_knows() -> None:
    found = {fault for item in renders.everything() for each in item.objects for fault in schemas.faults(each)}
    assert not found, sorted(found)


def test_a_misspelt_field_and_an_unknown_kind_are_found() -> None:
    objects = render("production", ("values-production.yaml",)).objects
    for kind in ("Deployment", "ScaledObject", "PodMonitor", "Certificate", "ExternalSecret", "NetworkPolicy"):
        item = copy.deepcopy(next(item for item in objects if item["kind"] == kind))
        assert not schemas.faults(item)
        item["spec"]["replicass"] = 3
        assert "replicass" in " ".join(schemas.faults(item)), kind
    assert schemas.faults({"apiVersion": "example/v1", "kind": "Widget", "metadata": {"name": "a"}})


@pytest.mark.parametrize("name", ["shuanglu", "shuanglu-dev"])
def test_every_two_settings_of_two_switches_meet_in_a_render(name: str) -> None:
    options = pairs.switches_of(CHARTS / name)
    rows = pairs.all_pairs(options)
    for a, b in itertools.combinations(options, 2):
        for x, y in itertools.product(options[a], options[b]):
            met = any(row[a] == x and row[b] == y for row in rows)
            assert met or pairs.refused({a: x, b: y}), f"{a}={x} never meets {b}={y}"


def test_what_the_chart_refuses_is_refused_in_words() -> None:
    for a, x, b, y in pairs.REFUSED:
        values = pairs.values_of({a: x, b: y})
        done = template("shuanglu", "--set-json", json.dumps(values))
        assert done.returncode
        assert a.partition(".")[0] in done.stderr


def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of all values of a chart."""
    found = []
    for name, value in values.items():
        found.append((*path, name))
        if isinstance(value, dict):
            found += leaves(value, (*path, name))
    return found


# Names below these are the operator's own: labels, annotations, settings, resources.
FREE = {"serviceAnnotations", "nodeSelector", "extraEnv", "labels", "requests", "limits", "to", "monitoring"}


@pytest.mark.parametrize("name", ["shuanglu", "shuanglu-dev"])
def test_a_typo_in_the_name_of_any_value_is_refused(name: str) -> None:
    schema = json.loads((CHARTS / name / "values.schema.json").read_text())
    values = yaml.safe_load((CHARTS / name / "values.yaml").read_text())
    checker = jsonschema.Draft7Validator(schema)
    names = leaves(values)
    assert len(names) > 15
    missed = []
    for path in names:
        if (
            set(path[:-1]) & (FREE - {"monitoring"})
            or path[-2:-1] == ("network",)
            or path[:2] == ("network", "outside")
        ):
            continue
        wrong: dict[str, Any] = {}
        place = wrong
        for folder in path[:-1]:
            place = place.setdefault(folder, {})
        place[f"{path[-1]}x"] = "value"
        if not any(f"{path[-1]}x" in error.message for error in checker.iter_errors(wrong)):
            missed.append(".".join(path))
    assert not missed


@pytest.mark.parametrize("typo", ["gatway", "media.drainSecond", "faceCheck.live.minn", "nats.replica"])
def test_a_typo_in_a_values_file_fails_with_the_name_of_the_field(typo: str) -> None:
    done = template("shuanglu", "--set", f"host={HOST},{typo}=2")
    assert done.returncode
    assert typo.rpartition(".")[2] in done.stderr


def test_a_value_of_the_wrong_kind_fails_with_its_name() -> None:
    done = template("shuanglu", "--set", f"host={HOST},media.replicas=many")
    assert done.returncode
    assert "replicas" in done.stderr


def test_the_host_name_is_the_only_value_that_an_operator_must_give() -> None:
    assert template("shuanglu", "--set", f"host={HOST}").returncode == 0
    done = template("shuanglu")
    assert done.returncode
    assert "host" in done.stderr


def test_helm_has_nothing_to_say_against_any_chart() -> None:
    for name in ("shuanglu", "shuanglu-dev", "shuanglu-service"):
        done = helm("lint", "--strict", str(chart(name)), *(("--set", f"host={HOST}") if name == "shuanglu" else ()))
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_values_file_is_rendered_alone() -> None:
    names = {path.name for path in VALUES.glob("values-*.yaml")}
    assert {"values-dev.yaml", "values-small.yaml", "values-production.yaml", "values-gpu.yaml"} <= names
    assert names <= {item.name for item in renders.product()}
