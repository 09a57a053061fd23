"""Metrics that every service has. Names follow Prometheus; labels come from closed sets, never an id."""

from prometheus_client import Counter, Gauge, Histogram

BUS_PUBLISHED = Counter("shuanglu_bus_published_total", "Events that the bus has confirmed.")
BUS_HANDLED = Counter("shuanglu_bus_handled_total", "Events that a consumer is done with.", ["consumer", "outcome"])
BUS_HANDLE_SECONDS = Histogram(
    "shuanglu_bus_handle_seconds",
    "Time in the handler.",
    ["consumer"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
BUS_IN_HAND = Gauge("shuanglu_bus_in_hand_events", "Events in a handler now.", ["consumer"])
BUS_HELD = Gauge("shuanglu_bus_held_events", "Events in hand that wait for a system that is away.", ["consumer"])
BUS_PENDING = Gauge("shuanglu_bus_pending_events", "Events that wait for a consumer.", ["consumer"])
BUS_UNACKNOWLEDGED = Gauge(
    "shuanglu_bus_unacknowledged_events", "Events of a consumer that some worker has in hand.", ["consumer"]
)
BUS_REDELIVERED = Counter("shuanglu_bus_redelivered_total", "Events that came a second time or later.", ["consumer"])
BUS_AGE_SECONDS = Histogram(
    "shuanglu_bus_age_seconds",
    "From an event's making to the moment it is first in hand.",
    ["consumer"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 120, 600, 3600, 21600),
)
BUS_DEAD_LETTERS = Counter("shuanglu_bus_dead_letters_total", "Events moved to DEADLETTER.", ["consumer"])
OUTBOX_PENDING = Gauge("shuanglu_outbox_pending_events", "Events in the outbox that the bus has not confirmed.")
RPC_SECONDS = Histogram(
    "shuanglu_rpc_seconds",
    "Time to answer a call.",
    ["method", "code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
STORE_SECONDS = Histogram(
    "shuanglu_store_seconds",
    "Time of a store operation.",
    ["operation"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
STORE_BYTES = Counter("shuanglu_store_bytes_total", "Bytes moved to and from the store.", ["operation"])
CLOCK_OFFSET = Gauge(
    "shuanglu_clock_offset_seconds",
    "How far PostgreSQL's clock is ahead of the service's; for `media-ingest-live`, the recorder's of signaling's.",
    ["service"],
)
KEY_EXPIRY = Gauge(
    "shuanglu_key_expiry_timestamp_seconds",
    "When a file with keys or certificates expires; +Inf if there is none or it never does.",
    ["key"],
)
BUILD_INFO = Gauge("shuanglu_build_info", "Always 1: which version of which service this is.", ["service", "version"])
SPANS_DROPPED = Counter(
    "shuanglu_trace_spans_dropped_total",
    "Spans that were not told: the queue was full, or the collector did not take them.",
    ["cause"],
)
for _cause in ("queue", "collector"):
    SPANS_DROPPED.labels(_cause)


class ConsumerMetrics:
    """The series of one consumer, at 0 until something happens. Looking them up each time would cost as much again."""

    def __init__(self, durable: str) -> None:
        """`durable`: its name."""
        self.outcomes = {
            outcome: BUS_HANDLED.labels(durable, outcome) for outcome in ("done", "retried", "dead", "returned")
        }
        self.took = BUS_HANDLE_SECONDS.labels(durable)
        self.in_hand = BUS_IN_HAND.labels(durable)
        self.held = BUS_HELD.labels(durable)
        self.waiting = BUS_PENDING.labels(durable)
        self.unacknowledged = BUS_UNACKNOWLEDGED.labels(durable)
        self.redelivered = BUS_REDELIVERED.labels(durable)
        self.age = BUS_AGE_SECONDS.labels(durable)
