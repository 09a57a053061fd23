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
