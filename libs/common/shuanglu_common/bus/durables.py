"""Where a durable consumer begins: set when it is made, and never changed by the bus afterwards."""

from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy
from nats.js.errors import NotFoundError

# Who took over from a consumer of an older version; before there were lanes every event was live.
PREDECESSORS = {"face-check-live": "face-check", "asr-tracks-live": "asr-tracks", "asr-windows-live": "asr-windows"}


async def beginning(jetstream: JetStreamContext, stream: str, durable: str) -> tuple[DeliverPolicy | None, int | None]:
    """Deliver policy and first sequence: as they are; else behind what its predecessor has done; else the stream's.

    Without it an upgrade would have thirty days of recordings inspected once more.
    """
    try:
        config = (await jetstream.consumer_info(stream, durable)).config
    except NotFoundError:
        pass
    else:
        return config.deliver_policy, config.opt_start_seq
    if durable not in PREDECESSORS:
        return DeliverPolicy.ALL, None
    try:
        floor = (await jetstream.consumer_info(stream, PREDECESSORS[durable])).ack_floor
    except NotFoundError:
        return DeliverPolicy.ALL, None
    return DeliverPolicy.BY_START_SEQUENCE, (floor.stream_seq if floor else 0) + 1
