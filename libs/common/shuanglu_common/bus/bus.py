"""Publishing to the bus."""

import asyncio
from collections.abc import Mapping, Sequence

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from shuanglu_common.bus.events import NewEvent
from shuanglu_common.bus.tracing import sending, stands_alone
from shuanglu_common.clock import Clock
from shuanglu_common.errors import DependencyError
from shuanglu_common.metrics import BUS_PUBLISHED

PUBLISH_TIMEOUT_S = 5.0
PIPELINE = 64


class BusUnavailable(DependencyError):
    """The bus does not confirm what was published."""

    reason = "BUS_UNAVAILABLE"


class Bus:
    """Publishes events and waits until the bus has stored them."""

    def __init__(self, client: Client, producer: str, clock: Clock) -> None:
        """`producer` is the service's name."""
        self.client = client
        self.jetstream: JetStreamContext = client.jetstream(timeout=PUBLISH_TIMEOUT_S)
        self.producer = producer
        self.clock = clock

    async def publish(self, event: NewEvent) -> None:
        """Publish one event; a repeat is dropped by the bus. Raises BusUnavailable."""
        data = event.envelope(self.producer, self.clock.now_us())
        await self.publish_raw(event.subject, data, event.event_id, alone=stands_alone(event.payload))

    async def publish_raw(
        self,
        subject: str,
        data: bytes,
        event_id: str,
        headers: Mapping[str, str] | None = None,
        *,
        alone: bool = False,
    ) -> None:
        """Publish bytes under a message id. Raises BusUnavailable.

        `headers` carry the trace context; None takes the running span's. `alone`: see tracing.stands_alone.
        """
        with sending(subject, event_id, headers, alone=alone) as carrying:
            try:
                await self.jetstream.publish(
                    subject, data, timeout=PUBLISH_TIMEOUT_S, headers={**carrying, "Nats-Msg-Id": event_id}
                )
            except (NatsError, TimeoutError, OSError) as error:
                raise BusUnavailable(f"publish failed: {type(error).__name__}") from error
        BUS_PUBLISHED.inc()

    async def publish_all(self, events: Sequence[NewEvent]) -> None:
        """Publish many, pipelined. Raises BusUnavailable; then some may be published: repeat them all."""
        for start in range(0, len(events), PIPELINE):
            await asyncio.gather(*(self.publish(event) for event in events[start : start + PIPELINE]))
