"""How full the bus is, and whether every consumer of the table is there: looked at now and then, for the metrics."""

import asyncio
from contextlib import suppress

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shuanglu_common.bus.consumers import CONSUMERS
from shuanglu_common.bus.subjects import STREAMS
from shuanglu_quality.metrics import CONSUMERS_MISSING, STREAM_BYTES, STREAM_MESSAGES

EVERY_S = 15.0

log = structlog.get_logger()


async def look(jetstream: JetStreamContext) -> None:
    """Once. Raises errors of NATS."""
    for spec in STREAMS:
        try:
            state = (await jetstream.stream_info(spec.stream)).state
        except NotFoundError:
            continue
        STREAM_MESSAGES.labels(spec.stream).set(state.messages)
        STREAM_BYTES.labels(spec.stream).set(state.bytes)
    missing = 0
    for consumer in CONSUMERS:
        try:
            await jetstream.consumer_info(consumer.stream, consumer.durable)
        except NotFoundError:
            missing += 1
    CONSUMERS_MISSING.set(missing)


async def watch(jetstream: JetStreamContext, stopping: asyncio.Event) -> None:
    """Until stop; a bus that is away is looked at again."""
    while not stopping.is_set():
        try:
            await look(jetstream)
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("bus_watch.waiting", error=error)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), EVERY_S)
