"""Charts and code agree: settings, ports, consumers, ends."""

import json
import math

import pytest
import yaml
from tests.charts import drift, renders
from tests.charts.rendering import CHARTS, Object, Render, component_of, containers_of, pod_of, render

from shuanglu_common.bus.consumers import CONSUMERS

PRODUCTION = "values-production.yaml"


def product() -> tuple[Render, ...]:
    """Every render of the product."""
    return (*renders.product(), *renders.of_pairs())


@pytest.mark.parametrize("rule", drift.RULES, ids=lambda rule: rule.__name__)
def test_the_chart_says_what_the_code_reads(rule: drift.Rule) -> None:
    found = {fault for item in product() for fault in rule(item)}
    assert not found, sorted(found)


def scaled(item: Render) -> dict[str, list[Object]]:
    """Triggers of each component that KEDA scales."""
    return {component_of(each): each["spec"]["triggers"] for each in item.of("ScaledObject")}


def lanes(item: Render, component: str) -> list[str]:
    """Lanes that a pool of workers is told."""
    workload = next(each for each in item.of("Deployment") if component_of(each) == component)
    return list(json.loads(drift.environment(containers_of(workload)[-1])["SHUANGLU_LANES"]))


def test_every_pool_is_scaled_by_the_consumers_that_it_drains_and_by_no_others() -> None:
    item = render(PRODUCTION, (PRODUCTION,))
    triggers = scaled(item)
    assert set(triggers) == {"face-check-live", "face-check-offline", "asr-live", "asr-offline"}
    for component, each in triggers.items():
        [lane] = lanes(item, component)
        service = component.removesuffix(f"-{lane}")
        drained = {
            (spec.stream.value, spec.durable)
            for spec in CONSUMERS
            if spec.service == service and spec.durable.endswith(f"-{lane}")
        }
        assert drained
        assert {(t["metadata"]["stream"], t["metadata"]["consumer"]) for t in each} == drained


def test_the_chart_and_the_code_reckon_the_same_lag_threshold() -> None:
    from shuanglu_common.bus import scaling

    values = json.dumps({"faceCheck": {"secondsPerEvent": 0.3, "live": {"targetLatencySeconds": 2}}})
    chart = yaml.safe_load((CHARTS / "shuanglu" / "values.yaml").read_text())["faceCheck"]
    for item, seconds, target in (
        (render("defaults"), chart["secondsPerEvent"], chart["live"]["targetLatencySeconds"]),
        (render("other figures", (), values), 0.3, 2),
    ):
        trigger = scaled(item)["face-check-live"][0]
        assert int(trigger["metadata"]["lagThreshold"]) == scaling.lag_threshold(target, seconds, 1)


def test_live_pools_have_a_floor_and_offline_pools_may_go_to_nothing() -> None:
    for each in render("defaults").of("ScaledObject"):
        spec, live = each["spec"], component_of(each).endswith("-live")
        assert spec["minReplicaCount"] >= 1 if live else spec["minReplicaCount"] == 0
        assert spec["maxReplicaCount"] > spec["minReplicaCount"]
        assert all(trigger["metadata"]["activationLagThreshold"] == "0" for trigger in spec["triggers"])


def test_without_keda_an_hpa_reads_the_same_lag() -> None:
    item = render("adapter", (), json.dumps({"autoscaling": {"keda": False, "prometheusAdapter": True}}))
    keda = scaled(render("defaults"))
    for each in item.of("HorizontalPodAutoscaler"):
        metrics = [metric["external"] for metric in each["spec"]["metrics"]]
        expected = {(t["metadata"]["consumer"], t["metadata"]["lagThreshold"]) for t in keda[component_of(each)]}
        found = {(m["metric"]["selector"]["matchLabels"]["consumer"], m["target"]["averageValue"]) for m in metrics}
        assert found == expected


def test_a_leaving_media_pod_has_the_time_that_it_may_drain() -> None:
    values = json.dumps({"media": {"drainSeconds": 900}})
    for item, seconds in ((render("defaults"), None), (render("drain", (), values), 900)):
        media = next(each for each in item.of("StatefulSet") if component_of(each) == "media")
        [recorder] = [
            c for c in pod_of(media)["spec"]["containers"] if "SHUANGLU_LIVE_SPOOL_DIR" in drift.environment(c)
        ]
        drain = float(drift.environment(recorder)["SHUANGLU_LIVE_DRAIN_S"])
        assert seconds is None or math.isclose(drain, seconds)
        assert pod_of(media)["spec"]["terminationGracePeriodSeconds"] >= drain + 60
        assert all("preStop" in container.get("lifecycle", {}) for container in pod_of(media)["spec"]["containers"])


def test_every_service_with_a_database_has_a_job_that_migrates_it() -> None:
    jobs = {component_of(each) for each in render("defaults").of("Job")}
    assert {"migrate-signaling", "migrate-media-ingest", "migrate-quality", "migrate-report", "streams"} <= jobs
