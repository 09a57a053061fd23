"""Events that a consumer gave up on: kept in DEADLETTER with their reason, looked at and replayed by an operator.

The bus tells by advisories when a consumer terminated a message or reached `max_deliver`, also when the worker crashed.
The keeper reads the message from its stream and publishes a DeadLetter for it.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from google.protobuf.message import DecodeError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, RawStreamMsg
from nats.js.errors import NotFoundError

from shuanglu.bus.v1.envelope_pb2 import DeadLetter, Envelope
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import decode
from shuanglu_common.bus.subjects import SESSION_ID, TENANT, Stream, event_type, owner_of, subject
from shuanglu_common.errors import NotFound, ShuangluError
from shuanglu_common.ids import derived_id
from shuanglu_common.metrics import BUS_DEAD_LETTERS

KEEPER = "dead-letter-keeper"
NOBODY = "unknown"

log = structlog.get_logger()


class DeadLetterMissing(NotFound):
    """There is no dead letter with this number."""

    reason = "DEAD_LETTER_NOT_FOUND"
    help = "See `shuanglu deadletter list` for the numbers."


def reason_of(advisory: dict[str, object]) -> str:
    """The handler's reason, or what the bus saw."""
    return str(advisory.get("reason") or "MAX_DELIVERIES")


async def keep(bus: Bus, data: bytes) -> None:
    """Move the message that an advisory tells of to DEADLETTER; repeats change nothing."""
    advisory = json.loads(data)
    stream, sequence = str(advisory["stream"]), int(advisory["stream_seq"])
    consumer = str(advisory["consumer"])
    try:
        message = await bus.jetstream.get_msg(stream, sequence)
    except NotFoundError:
        log.error("dead_letter.gone", stream=stream, sequence=sequence)
        return
    letter = letter_of(bus, advisory, message)
    if stream == Stream.FOLDS and is_letter(message):
        # A dead letter that cannot be folded must not breed more of them.
        log.error("dead_letter.not_folded", stream=stream, sequence=sequence)
        return
    tenant, session_id = owner_of(letter.subject)
    tenant = tenant if TENANT.fullmatch(tenant) else NOBODY
    session_id = session_id if SESSION_ID.fullmatch(session_id) else NOBODY
    event_id = derived_id("dead", stream, consumer, str(sequence))
    envelope = Envelope(
        event_id=event_id,
        tenant=tenant,
        session_id=session_id,
        occurred_at_us=letter.dead_at_us,
        producer=bus.producer,
        schema=str(DeadLetter.DESCRIPTOR.full_name),
        payload=letter.SerializeToString(),
    )
    await bus.publish_raw(subject(event_type(DeadLetter), tenant, session_id), envelope.SerializeToString(), event_id)
    BUS_DEAD_LETTERS.labels(consumer).inc()


def letter_of(bus: Bus, advisory: dict[str, object], message: RawStreamMsg) -> DeadLetter:
    """The dead letter of a message as it stands in its stream."""
    return DeadLetter(
        stream=str(advisory["stream"]),
        consumer=str(advisory["consumer"]),
        stream_sequence=int(str(advisory["stream_seq"])),
        subject=message.subject or "",
        reason=reason_of(advisory),
        deliveries=int(str(advisory.get("deliveries", 0))),
        dead_at_us=bus.clock.now_us(),
        message=message.data or b"",
        headers=message.headers or {},
    )


def is_letter(message: RawStreamMsg) -> bool:
    """Whether a message is itself a dead letter."""
    try:
        return Envelope.FromString(message.data or b"").schema == DeadLetter.DESCRIPTOR.full_name
    except DecodeError:
        return False


class Keeper:
    """Follows the advisories; every replica may run one, the bus shares the work."""

    def __init__(self, bus: Bus) -> None:
        """`bus` also names the producer."""
        self.bus = bus

    async def run_once(self, timeout_s: float = 2) -> int:
        """Keep what is waiting; returns how many. Raises nats errors and BusUnavailable."""
        js = self.bus.jetstream
        await js.add_consumer(
            Stream.ADVISORIES,
            ConsumerConfig(durable_name=KEEPER, ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=256),
        )
        subscription = await js.pull_subscribe_bind(consumer=KEEPER, stream=Stream.ADVISORIES)
        kept = 0
        try:
            for message in await subscription.fetch(64, timeout=timeout_s):
                await keep(self.bus, message.data)
                await message.ack()
                kept += 1
        except (NatsTimeoutError, TimeoutError):
            pass
        finally:
            await subscription.unsubscribe()
        return kept


@dataclass(frozen=True, slots=True)
class Listed:
    """A dead letter and its number in DEADLETTER."""

    number: int
    tenant: str
    session_id: str
    letter: DeadLetter


async def read_one(bus: Bus, number: int) -> Listed:
    """One dead letter. Raises DeadLetterMissing."""
    try:
        message = await bus.jetstream.get_msg(Stream.DEADLETTER, number)
        event = decode(message.data or b"")
    except (NotFoundError, ShuangluError) as error:
        raise DeadLetterMissing(f"there is no dead letter {number}") from error
    if not isinstance(event.payload, DeadLetter):
        raise DeadLetterMissing(f"there is no dead letter {number}")
    return Listed(number, event.tenant, event.session_id, event.payload)


async def read_all(bus: Bus) -> AsyncIterator[Listed]:
    """All dead letters, oldest first."""
    state = (await bus.jetstream.stream_info(Stream.DEADLETTER)).state
    # A stream that never held anything has its first sequence at 0, which the bus refuses to read.
    for number in range(max(1, state.first_seq), state.last_seq + 1):
        try:
            yield await read_one(bus, number)
        except DeadLetterMissing:
            continue


async def replay(bus: Bus, number: int) -> Listed:
    """Publish the original event again, with a new message id so that the bus takes it, and forget the dead letter.

    Every consumer of the event sees it again; handlers are idempotent. Raises DeadLetterMissing, BusUnavailable.
    """
    listed = await read_one(bus, number)
    letter = listed.letter
    original = letter.subject
    if original.startswith("fold."):
        original = original.split(".", 2)[2]
    headers = {key: value for key, value in letter.headers.items() if not key.lower().startswith("nats-")}
    event_id = derived_id("replay", letter.stream, str(letter.stream_sequence), str(number))
    await bus.publish_raw(original, letter.message, event_id, headers)
    await bus.jetstream.delete_msg(Stream.DEADLETTER, number)
    return listed
