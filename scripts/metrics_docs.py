"""Write docs/metrics.md from the metrics that the services register; `--check` only compares.

A label that LABELS does not know fails: each of them says where its few values come from, so none is ever an id.
"""

import importlib
import sys
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

OUT = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
# Every module that defines metrics, and who has them.
MODULES = {
    "shuanglu_common.metrics": "Every service",
    "shuanglu_common.cell.metrics": "Services with child processes: media-ingest, face-check, asr",
    "shuanglu_common.model_metrics": "face-check and asr: models",
    "shuanglu_common.worker_metrics": "face-check and asr: observations",
    "shuanglu_gateway.check_service": "gateway (container `check`)",
    "shuanglu_signaling.metrics": "signaling: orders and sessions",
    "shuanglu_signaling.call_metrics": "signaling: calls",
    "shuanglu_signaling.whip_metrics": "signaling: connections",
    "shuanglu_media_ingest.metrics": "media-ingest: stored recordings",
    "shuanglu_media_ingest.live.metrics": "media-ingest-live: calls",
    "shuanglu_face_check.metrics": "face-check",
    "shuanglu_asr.metrics": "asr",
    "shuanglu_quality.metrics": "quality",
    "shuanglu_report.metrics": "report",
}
LABELS = {
    "action": "what was done about a stalled track: a short list in signaling",
    "cause": "why a child process ended or a span was dropped: a short list",
    "cell": "kind of child process: one per kind of work, `eyes`, `ears`, those that read files",
    "channel": "`REMOTE`, `COUNTER`, `FIELD`, `IMPORT`: the enum of orders",
    "check": "check of a strategy's closed catalogue",
    "code": "gRPC status code",
    "consumer": "durable consumer of the one table in `shuanglu_common.bus`",
    "key": "key or certificate file: the settings that name one",
    "kind": "kind of difference that reconcile knows",
    "lane": "`live`, `offline`",
    "medium": "`audio`, `video`",
    "method": "call of the contracts",
    "model": "model of the pinned list",
    "operation": "operation of the store: `get`, `put`, …",
    "outcome": "how it ended: an enum or a short list",
    "reason": "stable reason of the service's errors (docs/api.md)",
    "service": "service of the product",
    "size": "`small`, `large`: the two queues of imports",
    "state": "state of a session, a call or a proof: an enum",
    "step": "step of the pipeline in question: a short list",
    "stream": "stream of the one table in `shuanglu_common.bus`",
    "template": "where the face to compare with came from: a short list",
    "tenant": "tenant named by `SHUANGLU_METRICS_TENANTS`, 50 at most; all others are `other`",
    "verdict": "verdict of a report: an enum",
    "version": "version of the product",
    "way": "`publish`, `watch`",
    "what": "what became of an invitation: a short list",
    "worker": "kind of inference worker",
}
# Those who may be counted by tenant: what a tenant's own dashboard needs.
BY_TENANT = {
    "shuanglu_signaling_session_states",
    "shuanglu_quality_verdicts",
    "shuanglu_report_delay_seconds",
}
HEAD = """# Metrics

Made by `scripts/metrics_docs.py` from the code; `make lint` compares.

Every service answers `/metrics` on its ops port in Prometheus' text format. Names follow Prometheus: base units, and
`_total` at the end of counters. Histograms have `_bucket`, `_sum` and `_count`. Envoy's own statistics are at
`/stats/prometheus` of the gateway's ops port. Dashboards, rules and runbooks that use them: deploy/helm/.

## Labels

Every label has a small, closed set of values: no id, no name, nothing personal is ever one.

| label | its values |
|---|---|
"""


def metrics() -> dict[str, list[MetricWrapperBase]]:
    """Metrics by module, in the order of the code."""
    found: dict[str, list[MetricWrapperBase]] = {}
    seen: set[str] = set()
    for name in MODULES:
        values = vars(importlib.import_module(name)).values()
        own = [value for value in values if isinstance(value, MetricWrapperBase) and family(value)[0] not in seen]
        found[name] = list({family(value)[0]: value for value in own}.values())
        seen |= {family(value)[0] for value in own}
    return found


def family(metric: MetricWrapperBase) -> tuple[str, str, str, tuple[str, ...]]:
    """Name, type, meaning and labels. prometheus_client tells the labels of a metric without series nowhere else."""
    (described,) = metric.describe()
    return described.name, described.type, described.documentation, tuple(metric._labelnames)  # noqa: SLF001


def row(metric: MetricWrapperBase) -> str:
    """A line of the table."""
    name, kind, meaning, labels = family(metric)
    shown = f"{name}_total" if kind == "counter" else name
    return f"| `{shown}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {meaning} |"


def faults(found: dict[str, list[MetricWrapperBase]]) -> list[str]:
    """Labels that nobody bounded, rows that are about nothing."""
    used = {(family(metric)[0], label) for own in found.values() for metric in own for label in family(metric)[3]}
    labels = {label for _, label in used}
    tenants = {name for name, label in used if label == "tenant"}
    return [
        *(
            f"label {label}: say in LABELS of {__file__} what bounds its values"
            for label in sorted(labels - set(LABELS))
        ),
        *(f"label {label}: no metric has it any more" for label in sorted(set(LABELS) - labels)),
        *(f"{name}: may not be counted by tenant" for name in sorted(tenants ^ BY_TENANT)),
    ]


def document(found: dict[str, list[MetricWrapperBase]]) -> str:
    """docs/metrics.md."""
    parts = [HEAD, *(f"| `{label}` | {values} |\n" for label, values in LABELS.items())]
    for name, own in found.items():
        parts.append(f"\n## {MODULES[name]}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
        parts += [f"{row(metric)}\n" for metric in own]
    return "".join(parts)


def main() -> int:
    """Exit code: 1 if a label is not bounded, or with `--check` if the file is not what the code says."""
    found = metrics()
    if told := faults(found):
        print("\n".join(told))
        return 1
    text = document(found)
    if "--check" not in sys.argv[1:]:
        OUT.write_text(text)
    elif not OUT.exists() or OUT.read_text() != text:
        print("docs/metrics.md is not what the code says: run scripts/metrics_docs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
