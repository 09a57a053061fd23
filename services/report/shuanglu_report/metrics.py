"""Metrics of the report service."""

from prometheus_client import Counter, Gauge, Histogram

from shuanglu_common.tenant_label import TenantLabel

STEP_SECONDS = Histogram(
    "shuanglu_report_step_seconds",
    "Time of a step of making a report: load, print, store.",
    ["step"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15),
)
DELAY_SECONDS = Histogram(
    "shuanglu_report_delay_seconds",
    "From a session's last observation to its report.",
    ["tenant"],
    buckets=(0.25, 0.5, 1, 2, 3, 5, 10, 30, 120, 600),
)
REPORTS = Counter("shuanglu_report_reports_total", "Reports made, by verdict.", ["verdict"])
STILLS_MISSING = Counter("shuanglu_report_stills_missing_total", "Stills that a report had to do without.")
WATCHERS = Gauge("shuanglu_report_watchers_calls", "Calls of WatchInspection that are open.")
REPLAY_BYTES = Counter("shuanglu_report_replay_bytes_total", "Bytes of recordings sent for replay.")
REPLAY_REQUESTS = Counter(
    "shuanglu_report_replay_requests_total", "Requests for parts of a replay, by outcome: sent, refused.", ["outcome"]
)
for _step in ("load", "print", "store"):
    STEP_SECONDS.labels(_step)
for _verdict in ("PASS", "FAIL", "UNSURE"):
    REPORTS.labels(_verdict)
for _outcome in ("sent", "refused"):
    REPLAY_REQUESTS.labels(_outcome)


def show_tenants(tenants: TenantLabel) -> None:
    """The series of all tenants, from the start."""
    for tenant in tenants.values:
        DELAY_SECONDS.labels(tenant)
