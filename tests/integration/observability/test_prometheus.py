"""A real Prometheus reads the stack while a recording and a call become reports: every query gives what it should."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from scripts.dashboards.__main__ import PAGES
from scripts.dashboards.alerts import Alert
from scripts.dashboards.panels import Dashboard, Query, metrics_of
from scripts.dashboards.rules import ALERTS, RULE_FILES
from scripts.dashboards.slos import SLOS
from scripts.watching import Series, Watch, query_text, watched

from shuanglu_caller.booking import book, people_of
from shuanglu_caller.desk import Place
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.remote_scene import SAMPLE, call_of, sample_scene
from shuanglu_stack.sampling import as_another_order, client_of, sample_recording

ROOT = Path(__file__).resolve().parents[3]
# What only trouble, or a night, would fill; each query's own text says so to whoever looks at the panel.
EMPTY = {
    "overview: Alerts that fire",
    "overview: Differences in the night",
    "calls: Offers refused, by reason: {{reason}}",
    "calls: Uploads and files refused: file: {{reason}}",
    "calls: Differences by kind: {{kind}}",
    "calls: Since the last look",
    "bus: Days until a key or certificate expires: {{key}}",
}
# Trouble that a busy machine may have, or not.
EITHER = {
    "inference: Work that could not be done: faces: {{reason}}",
    "inference: Work that could not be done: speech: {{reason}}",
    "inference: Readings of speech: doubt: {{reason}}",
    "bus: Calls of the API that failed by our fault: {{code}}",
}
# Metrics that are not there in this run: no outage, no night, no file that expires.
SILENT = {
    "StoreFailing": {"shuanglu_media_ingest_outages_total"},
    "ReconcileDifferences": {"shuanglu_reconcile_differences"},
    "CertificateExpires": {"shuanglu_key_expiry_timestamp_seconds"},
}


@dataclass(frozen=True)
class Seen:
    """What Prometheus knows of the run."""

    watch: Watch
    begin: float
    end: float

    def over(self, promql: str) -> list[Series]:
        return self.watch.over(promql, self.begin, self.end)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One stored recording and one call, each with its report."""
    folder = tmp_path_factory.mktemp("watched")
    with (
        EmbeddedStack(StackOptions(data_dir=folder / "stack", root=ROOT)) as stack,
        client_of(stack) as client,
        watched(stack, folder / "prometheus") as watch,
    ):
        begin = time.time()
        recording, scene = sample_recording(ROOT / SAMPLE), sample_scene(ROOT / SAMPLE)
        client.wait(client.send(recording).session_id)
        session_id = book(client.gateway, client.door, as_another_order(recording))
        place = Place(stack.gateway_url, stack.ca)
        asyncio.run(call_of(place, stack.token(), session_id, people_of(recording), scene))
        client.wait(session_id)
        time.sleep(5)
        yield Seen(watch, begin, time.time())


def queries() -> Iterator[tuple[Dashboard, str, Query]]:
    for page in PAGES:
        for panel in page.panels:
            for query in panel.queries:
                yield page, f"{page.uid.removeprefix('shuanglu-')}: {panel.title}: {query.legend}".rstrip(": "), query


NAMES = [name for _, name, _ in queries()]


def test_what_may_be_empty_is_named_without_doubt() -> None:
    assert {name: NAMES.count(name) for name in EMPTY | EITHER} == dict.fromkeys(EMPTY | EITHER, 1)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_every_query_of_a_page_gives_numbers(seen: Seen, page: Dashboard) -> None:
    """Or is one of those that a run without trouble leaves empty, and says so to whoever looks at the panel."""
    wrong = {}
    for _, name, query in (one for one in queries() if one[0] is page):
        found = seen.over(query.promql)
        if name not in EITHER and bool(found) == (name in EMPTY):
            wrong[name] = f"{query_text(query)} gave {[one.labels for one in found]}"
        elif name in EMPTY | EITHER and not query.empty:
            wrong[name] = "says nowhere why it may be empty"
    assert not wrong


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_metric_that_an_alert_looks_at_is_there(seen: Seen, alert: Alert) -> None:
    there = {metric: bool(seen.over(metric)) for metric in metrics_of(alert.expr)}
    assert there
    assert {metric for metric, found in there.items() if not found} == SILENT.get(alert.name, set())


def test_every_recorded_series_is_there_for_every_objective(seen: Seen) -> None:
    rules = [rule for group in RULE_FILES["recording.yaml"]["groups"] for rule in group["rules"]]
    for rule in rules:
        objectives = {one.labels["slo"] for one in seen.over(rule["record"])}
        assert objectives == {slo.name for slo in SLOS}, rule["record"]


def test_prometheus_reckons_every_rule_and_none_rings_while_all_is_well(seen: Seen) -> None:
    rules = [rule for group in seen.watch.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == sum(len(group["rules"]) for file in RULE_FILES.values() for group in file["groups"])
    assert not [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"]
    assert not [rule["name"] for rule in rules if rule.get("state", "inactive") != "inactive"]


def test_an_expression_that_prometheus_does_not_take_is_an_error(seen: Seen) -> None:
    """What is asked above can fail."""
    with pytest.raises(httpx.HTTPStatusError, match="parse error"):
        seen.over("sum(")
    assert not seen.over("shuanglu_no_such_metric")
