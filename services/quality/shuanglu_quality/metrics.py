"""Metrics of quality. Labels come from closed sets: kinds of checks, outcomes, causes."""

from prometheus_client import Counter, Gauge, Histogram

from shuanglu_common.bus.subjects import Stream
from shuanglu_common.tenant_label import TenantLabel
from shuanglu_quality.domain.checks import KINDS
from shuanglu_quality.domain.words import Outcome

EVENTS = Counter("shuanglu_quality_events_folded_total", "Events that were folded; repeats are not counted.")
LATE = Counter("shuanglu_quality_events_late_total", "Events that came after their session's verdict.")
CONFLICTS = Counter("shuanglu_quality_fold_conflicts_total", "Folds that another owner had moved on; done again.")
SNAPSHOT_BYTES = Histogram(
    "shuanglu_quality_fold_snapshot_bytes",
    "Size of a compressed fold.",
    buckets=(1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6),
)
OPEN_FOLDS = Gauge("shuanglu_quality_open_folds", "Sessions without a verdict in this process's memory.")
PARTITIONS_OWNED = Gauge("shuanglu_quality_owned_partitions", "Partitions that this process folds.")
JUDGE_SECONDS = Histogram(
    "shuanglu_quality_judge_seconds",
    "Time to judge a session once all is there.",
    buckets=(0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
VERDICTS = Counter("shuanglu_quality_verdicts_total", "Verdicts that were reached.", ["tenant", "outcome"])
FINDINGS = Counter("shuanglu_quality_findings_total", "Findings of sessions with a verdict.", ["check", "outcome"])
OVERDUE = Counter("shuanglu_quality_deadlines_total", "Sessions that were judged without all observations.")
WAITING = Counter(
    "shuanglu_quality_deadlines_extended_total", "Looks at an overdue session whose workers had not come to it yet."
)
STUCK = Counter("shuanglu_quality_judge_failures_total", "Sessions that could not be judged and are tried again.")
FINDING_DELAY = Histogram(
    "shuanglu_finding_delay_seconds",
    "From the newest observation to the progress or verdict, on the bus, that holds it.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 120, 600, 3600),
)
STREAM_MESSAGES = Gauge("shuanglu_bus_stream_messages", "Messages that a stream of the bus holds.", ["stream"])
STREAM_BYTES = Gauge("shuanglu_bus_stream_bytes", "Bytes that a stream of the bus holds.", ["stream"])
CONSUMERS_MISSING = Gauge("shuanglu_bus_consumers_missing", "Durable consumers of the table that are not there.")

for _stream in Stream:
    STREAM_MESSAGES.labels(_stream)
    STREAM_BYTES.labels(_stream)
for _outcome in Outcome:
    for _check in KINDS:
        FINDINGS.labels(_check, _outcome.value)


def show_tenants(tenants: TenantLabel) -> None:
    """The series of all tenants, from the start."""
    for tenant in tenants.values:
        for outcome in Outcome:
            VERDICTS.labels(tenant, outcome.value)


def tell_finding_delay(observed_at_us: int, now_us: int) -> None:
    """What was observed at a time is on the bus as a finding now."""
    if observed_at_us:
        FINDING_DELAY.observe(max(now_us - observed_at_us, 0) / 1_000_000)
