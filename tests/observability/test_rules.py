"""Dashboards and rules are what the code makes, every alert has a way out and cases, every metric exists."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as model
from prometheus_client import REGISTRY
from scripts.dashboards.__main__ import PAGES, ROOT, TESTS, contents
from scripts.dashboards.alerts import Alert
from scripts.dashboards.grafana import as_json
from scripts.dashboards.panels import COLUMNS, Dashboard, Panel, metrics_of
from scripts.dashboards.rules import ALERTS, RULE_FILES
from tests.commands import assert_known

RULES, RUNBOOKS = ROOT / "deploy" / "helm" / "rules", ROOT / "deploy" / "helm" / "runbooks"
PANELS = [pytest.param(panel, id=f"{page.uid}: {panel.title}") for page in PAGES for panel in page.panels]
# Every module that defines metrics.
MODULES = (
    "shuanglu_common.metrics",
    "shuanglu_common.model_metrics",
    "shuanglu_common.worker_metrics",
    "shuanglu_common.cell.metrics",
    "shuanglu_signaling.metrics",
    "shuanglu_signaling.call_metrics",
    "shuanglu_signaling.whip_metrics",
    "shuanglu_media_ingest.metrics",
    "shuanglu_media_ingest.live.metrics",
    "shuanglu_face_check.metrics",
    "shuanglu_asr.metrics",
    "shuanglu_quality.metrics",
    "shuanglu_report.metrics",
)
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
# Of Prometheus itself, of every process on Linux, of Envoy.
FOREIGN = {
    "up",
    "ALERTS",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "envoy_http_downstream_rq_xx",
    "envoy_server_days_until_first_cert_expiring",
}
TIMEOUT_S = 240


def known() -> set[str]:
    for module in MODULES:
        importlib.import_module(module)
    ours = {family.name + suffix for family in REGISTRY.collect() for suffix in SUFFIXES.get(family.type, ())}
    recorded = {rule["record"] for group in RULE_FILES["recording.yaml"]["groups"] for rule in group["rules"]}
    return ours | recorded | FOREIGN


def test_the_files_in_the_chart_are_those_that_the_code_makes() -> None:
    for path, text in contents():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make dashboards`"
    assert {path.name for path in RULES.iterdir()} == set(RULE_FILES)
    assert len(list((ROOT / "deploy" / "helm" / "dashboards").iterdir())) == len(PAGES) == 6


def test_promtool_takes_every_rule() -> None:
    command = ["promtool", "check", "rules", "--lint-fatal", *map(str, sorted(RULES.glob("*.yaml")))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in TESTS.iterdir()))
def test_every_alert_fires_and_is_silent_as_its_cases_say(name: str) -> None:
    command = ["promtool", "test", "rules", str(TESTS / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_of_each_kind() -> None:
    cases: dict[str, list[bool]] = {}
    for path in TESTS.iterdir():
        for case in yaml.safe_load(path.read_text())["tests"]:
            looked_at = case["alert_rule_test"][0]
            cases.setdefault(case["name"].rpartition(" ")[0].removesuffix(" is"), []).append(
                bool(looked_at["exp_alerts"])
            )
    assert cases == {f"{alert.name} ({alert.severity})": [True, False] for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_an_alert_says_what_it_is_and_leads_to_a_page_that_helps(alert: Alert) -> None:
    rule: dict[str, Any] = alert.rule()
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert all(rule["annotations"][key] for key in ("summary", "description"))
    page = (ROOT / rule["annotations"]["runbook_url"]).read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == ["Impact", "Check", "Mend"]
    for linked in re.findall(r"\]\((\w+\.md)\)", page):
        assert (RUNBOOKS / linked).is_file(), linked


def test_a_runbook_names_only_commands_that_there_are() -> None:
    said = [
        command
        for page in RUNBOOKS.glob("*.md")
        for command in re.findall(r"(?:^|`)(shuanglu [a-z][^`\n]*)", page.read_text(), re.MULTILINE)
    ]
    assert len(said) > len(ALERTS) / 2
    for command in said:
        assert_known(command)


def test_every_runbook_belongs_to_an_alert_and_stands_in_the_list() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {alert.name for alert in ALERTS}
    listed = re.findall(r"\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text())
    assert set(listed) == pages


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_explains_itself(panel: Panel) -> None:
    assert "No data: " in panel.description
    assert panel.unit
    assert panel.none
    assert panel.queries
    assert not panel.runbook or (RUNBOOKS / f"{panel.runbook}.md").is_file()
    for query in panel.queries:
        assert '"$namespace"' in query.promql or query.expr.startswith("vector("), query.expr
        promql_parser.parse(query.promql.replace("$__rate_interval", "5m").replace("$__range", "1h"))


def test_every_metric_of_a_panel_or_a_rule_is_one_that_the_code_has() -> None:
    there = known()
    asked = {
        name for page in PAGES for panel in page.panels for query in panel.queries for name in metrics_of(query.expr)
    }
    asked |= {
        name
        for file in RULE_FILES.values()
        for group in file["groups"]
        for rule in group["rules"]
        for name in metrics_of(rule["expr"])
    }
    assert len(asked) > 80
    assert asked <= there, asked - there


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_panels_of_a_page_fill_the_grid_and_do_not_overlap(page: Dashboard) -> None:
    made = json.loads((ROOT / f"deploy/helm/dashboards/{page.uid.removeprefix('shuanglu-')}.json").read_text())
    cells: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in own) < COLUMNS
        assert not own & cells, panel["title"]
        cells |= own
    assert {variable["name"] for variable in made["templating"]["list"]} == {
        "datasource",
        "namespace",
        "tenant",
        "runbooks",
    }
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])
    assert made["schemaVersion"] == 39


def test_a_file_that_was_edited_by_hand_is_found() -> None:
    command = [sys.executable, "-m", "scripts.dashboards", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout
    assert Path(ROOT / "scripts" / "dashboards").is_dir()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_grafanas_own_model_reads_every_page_and_loses_nothing(page: Dashboard) -> None:
    """What the model does not know is dropped on the way, as the unknown field here is."""
    register_default_plugins()
    told = json.loads(as_json(page))

    def read_back(document: Any) -> Any:
        return json.loads(JSONEncoder(sort_keys=True).encode(model.Dashboard.from_json(document)))

    assert read_back(told) == told
    assert read_back({**told, "tittle": "x"}) == told
