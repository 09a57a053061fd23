"""Rules for rendered objects hold, and each of them can be broken."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.charts import policies, renders
from tests.charts.rendering import WORKLOADS, Render, pod_of, render


@pytest.mark.parametrize("rule", policies.RULES, ids=lambda rule: rule.__name__)
def test_a_rule_holds_in_every_render(rule: policies.Rule) -> None:
    found = {fault for item in (*renders.product(), *renders.of_pairs()) for fault in rule(item)}
    assert not found, sorted(found)


@pytest.mark.parametrize("rule", policies.TRIAL_RULES, ids=lambda rule: rule.__name__)
def test_a_rule_holds_in_the_trial_chart_too(rule: policies.Rule) -> None:
    found = {fault for item in renders.trial() for fault in rule(item)}
    assert not found, sorted(found)


def spec(item: dict[str, Any]) -> dict[str, Any]:
    """The pod's spec."""
    return dict(pod_of(item)["spec"])


Break = Callable[[dict[str, Any]], object]
BREAKS: list[tuple[policies.Rule, Break]] = [
    (policies.restricted, lambda item: spec(item)["securityContext"].pop("seccompProfile")),
    (policies.restricted, lambda item: spec(item)["containers"][0]["securityContext"].pop("readOnlyRootFilesystem")),
    (policies.restricted, lambda item: spec(item)["containers"][0]["securityContext"].update(capabilities={})),
    (policies.restricted, lambda item: spec(item)["volumes"].append({"name": "host", "hostPath": {"path": "/"}})),
    (policies.restricted, lambda item: spec(item)["securityContext"].update(runAsUser=0)),
    (policies.no_tokens, lambda item: pod_of(item)["spec"].pop("automountServiceAccountToken")),
    (policies.probes, lambda item: spec(item)["containers"][0].pop("readinessProbe")),
    (policies.probes, lambda item: spec(item)["containers"][0]["livenessProbe"].update(httpGet={"path": "/readyz"})),
    (policies.resources, lambda item: spec(item)["containers"][0]["resources"].pop("requests")),
    (policies.resources, lambda item: spec(item)["containers"][0]["resources"]["limits"].update(memory="1Mi")),
    (policies.images, lambda item: spec(item)["containers"][0].update(image="shuanglu/quality:latest")),
    (policies.images, lambda item: spec(item)["containers"][0].update(image="harbor:5000/shuanglu/quality")),
    (
        policies.no_secret_variables,
        lambda item: spec(item)["containers"][0]["env"].append({"name": "SHUANGLU_S3_SECRET_KEY", "value": "abc"}),
    ),
    (policies.spread, lambda item: pod_of(item)["spec"].pop("topologySpreadConstraints")),
    (policies.disruption, lambda item: pod_of(item)["metadata"]["labels"].pop("app.kubernetes.io/component")),
    (policies.mounts, lambda item: spec(item)["volumes"].pop()),
]


@pytest.mark.parametrize(("rule", "broken"), BREAKS, ids=lambda item: getattr(item, "__name__", ""))
def test_what_breaks_a_rule_is_found(rule: policies.Rule, broken: Break) -> None:
    objects = copy.deepcopy(render("defaults").objects)
    broken(next(item for item in objects if item["kind"] == "Deployment" and "quality" in item["metadata"]["name"]))
    assert any("quality" in fault or "demo" in fault for fault in rule(Render("broken", objects)))


def test_only_media_pods_take_ports_of_their_node() -> None:
    objects = render("defaults").of(*WORKLOADS)
    with_ports = {
        policies.component_of(item)
        for item in objects
        for container in policies.containers_of(item)
        if any("hostPort" in port for port in container.get("ports", []))
    }
    assert with_ports == {"media"}
