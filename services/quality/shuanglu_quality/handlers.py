"""Bus in, bus out: events of a partition go to the folds."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog
from google.protobuf.message import Message

from shuanglu.observation.v1.observations_pb2 import FacesObserved, SpeechFound, SpeechTranscribed
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.subjects import Stream
from shuanglu_common.bus.subscription import BatchSubscription
from shuanglu_common.clock import Clock
from shuanglu_common.errors import ShuangluError
from shuanglu_quality.folds import Folds
from shuanglu_quality.metrics import tell_finding_delay

log = structlog.get_logger()

OBSERVED = (FacesObserved, SpeechFound, SpeechTranscribed)
BATCH = 64
# The runner's beats keep messages in hand alive, so this is only how soon those of a crashed process come back.
ACK_WAIT_S = 10.0


def durable(partition: int) -> str:
    """Name of a partition's consumer."""
    return f"quality-fold-{partition}"


def partition_subscription(partition: int, folds: Folds, clock: Clock) -> BatchSubscription:
    """What one partition consumes."""

    async def handle(events: Sequence[Event[Message]]) -> Sequence[NewEvent]:
        return await folds.take(events)

    def followed(events: Sequence[Event[Message]], news: Sequence[NewEvent]) -> None:
        if news:
            newest = (each.occurred_at_us for each in events if isinstance(each.payload, OBSERVED))
            tell_finding_delay(max(newest, default=0), clock.now_us())

    return BatchSubscription(
        durable=durable(partition),
        stream=Stream.FOLDS,
        filter_subject=f"fold.{partition}.>",
        handler=handle,
        batch=BATCH,
        ack_wait_s=ACK_WAIT_S,
        followed=followed,
    )


async def watch_deadlines(folds: Folds, every_s: float, stopping: asyncio.Event) -> None:
    """Looks for overdue sessions until told to stop. A system that is away is waited for."""
    while not stopping.is_set():
        try:
            await folds.look_for_overdue()
        except ShuangluError as error:
            log.warning("deadlines.waiting", reason=error.reason)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), every_s)
