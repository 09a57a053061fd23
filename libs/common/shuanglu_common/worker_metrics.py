"""Metrics of every worker that looks at media: how late it is."""

from collections.abc import Sequence
from typing import Any

from prometheus_client import Histogram

from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.subjects import Lane
from shuanglu_common.bus.subscription import Followed
from shuanglu_common.clock import Clock

OBSERVATION_DELAY = Histogram(
    "shuanglu_observation_delay_seconds",
    "From the event that media is safe in the store (or a window was found) to its observation on the bus.",
    ["worker", "lane"],
    buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 20, 60, 300, 1800, 10800),
)


def observed(worker: str, lane: Lane, clock: Clock) -> Followed:
    """For a subscription: measures how late its observations are. Events that nothing follows do not count."""
    delay = OBSERVATION_DELAY.labels(worker, lane)

    def measure(event: Event[Any], news: Sequence[NewEvent]) -> None:
        if news:
            delay.observe(max(clock.now_us() - event.occurred_at_us, 0) / 1_000_000)

    return measure
