"""Recording rules and alerts as Prometheus reads them, and their test cases as promtool does."""

from collections.abc import Iterator, Sequence
from typing import Any

from scripts.dashboards.alerts import NAMESPACE, Alert, Case, growing, steady
from scripts.dashboards.slos import ALL, BAD, FAST, PAGES, SLOS, SLOW, TICKETS, Slo, burns, error_ratio
from scripts.dashboards.symptoms import SYMPTOMS

Document = dict[str, Any]


def amounts(slo: Slo) -> Iterator[Document]:
    """What was bad, and everything, now."""
    for name, expr in ((BAD, slo.bad), (ALL, slo.all)):
        yield {"record": name, "expr": expr, "labels": {"slo": slo.name}}


def ratio(window: str) -> Document:
    """The share of bad in a window, of all objectives at once; nothing where nothing counted."""
    bad, everything = f"sum_over_time({BAD}[{window}])", f"sum_over_time({ALL}[{window}])"
    return {"record": error_ratio(window), "expr": f"{bad} / ({everything} > 0)"}


def recording() -> Document:
    """What budgets are reckoned from; long windows are looked at seldom."""
    return {
        "groups": [
            {
                "name": "shuanglu-slo",
                "interval": "30s",
                "rules": [rule for slo in SLOS for rule in amounts(slo)] + [ratio(window) for window in FAST],
            },
            {"name": "shuanglu-slo-long", "interval": "5m", "rules": [ratio(window) for window in SLOW]},
        ]
    }


def budget_alerts() -> tuple[Alert, ...]:
    """Two for each objective: the budget is gone within days, or will not last the month."""
    return tuple(alert for slo in SLOS for alert in (burning(slo, "page"), burning(slo, "ticket")))


def burning(slo: Slo, severity: str) -> Alert:
    """Multi-window, multi-burn-rate (SRE workbook, chapter 5)."""
    pairs = PAGES if severity == "page" else TICKETS
    pace = "within two to five days" if severity == "page" else "before the month is over"
    return Alert(
        slo.alert,
        severity,
        burns(slo, pairs),
        "2m" if severity == "page" else "15m",
        f"{slo.title}: the error budget will be gone {pace}",
        f"Promised: {slo.promise}.",
        # Nearly everything is bad; or four times as much as may be, which is no reason to wake anybody.
        Case(SERIES[slo.name](min(0.9, (20 if severity == "page" else 4) * slo.budget)), "70m", {"slo": slo.name}),
        Case(SERIES[slo.name](slo.budget / 2), "70m"),
    )


def _proofs(bad: float) -> dict[str, str]:
    name = "shuanglu_signaling_call_proofs"
    return {f'{name}{{state="PROVEN"}}': steady(1000 * (1 - bad)), f'{name}{{state="STALLED"}}': steady(1000 * bad)}


def _histogram(name: str, labels: str, bound: str, bad: float) -> dict[str, str]:
    comma = "," if labels else ""
    return {
        f'{name}_bucket{{{labels}{comma}le="{bound}"}}': growing(0, 1000 * (1 - bad)),
        f"{name}_count{{{labels}}}": growing(0, 1000),
    }


def _live(bad: float) -> dict[str, str]:
    return _histogram("shuanglu_observation_delay_seconds", 'lane="live"', "5.0", bad)


def _report(bad: float) -> dict[str, str]:
    return _histogram("shuanglu_report_delay_seconds", "", "10.0", bad)


def _api(bad: float) -> dict[str, str]:
    name = 'envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="public",envoy_response_code_class="%s"}'
    return {
        name % "2": growing(0, 6000 * (1 - bad / 2)),
        name % "5": growing(0, 6000 * bad / 2),
        'shuanglu_rpc_seconds_count{job="quality",code="UNAVAILABLE"}': growing(0, 6000 * bad / 2),
    }


SERIES = {"recording_proven": _proofs, "live_observation": _live, "report": _report, "api": _api}


def alerting(name: str, alerts: Sequence[Alert]) -> Document:
    """A file of alerts."""
    return {"groups": [{"name": name, "interval": "30s", "rules": [alert.rule() for alert in alerts]}]}


def cases_file(alerts: Sequence[Alert], rule_files: Sequence[str], step: str = "1m") -> Document:
    """Each alert fires where it must and is silent where it must be."""
    return {
        "rule_files": list(rule_files),
        "evaluation_interval": step,
        "tests": [test for alert in alerts for test in cases(alert, alerts)],
    }


def cases(alert: Alert, alerts: Sequence[Alert]) -> Iterator[Document]:
    """Firing, not firing. What is worth a page is worth the ticket of the same name, too."""
    sisters = [each for each in alerts if each.name == alert.name and alert.severity == "page"]
    fired = [each.expected(alert.fires.labels) for each in sisters or [alert]]
    for word, case, expected in (("fires", alert.fires, fired), ("is silent", alert.silent, [])):
        yield {
            "name": f"{alert.name} ({alert.severity}) {word}",
            "interval": "1h" if alert.slow else "1m",
            "input_series": [{"series": labelled(name), "values": values} for name, values in case.series.items()],
            "alert_rule_test": [{"alertname": alert.name, "eval_time": case.at, "exp_alerts": expected}],
        }


def labelled(series: str) -> str:
    """A series of the namespace of all tests."""
    name, _, labels = series.rstrip("}").partition("{")
    comma = "," if labels else ""
    return f'{name}{{namespace="{NAMESPACE}"{comma}{labels}}}'


ALERTS: tuple[Alert, ...] = (*budget_alerts(), *SYMPTOMS)
RULE_FILES = {
    "recording.yaml": recording(),
    "budgets.yaml": alerting("shuanglu-budgets", budget_alerts()),
    "symptoms.yaml": alerting("shuanglu-symptoms", SYMPTOMS),
}
SYMPTOM_RULES = ("../rules/symptoms.yaml",)
TEST_FILES = {
    "budgets.yaml": cases_file(budget_alerts(), ("../rules/recording.yaml", "../rules/budgets.yaml")),
    "symptoms.yaml": cases_file([alert for alert in SYMPTOMS if not alert.slow], SYMPTOM_RULES),
    "symptoms-of-days.yaml": cases_file([alert for alert in SYMPTOMS if alert.slow], SYMPTOM_RULES, "1h"),
}
