"""Events as handlers see them, and as the bus carries them."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from shuanglu.bus.v1.envelope_pb2 import Envelope
from shuanglu_common.bus.subjects import BY_SCHEMA, Lane, event_type, subject
from shuanglu_common.errors import DamagedData
from shuanglu_common.ids import derived_id

M = TypeVar("M", bound=Message)


class PoisonEvent(DamagedData):
    """The message is not an envelope, or its payload is not what it says."""

    reason = "POISON_EVENT"
    help = "Look at it with `shuanglu deadletter show`; its producer is at fault."


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to publish. `key` tells pieces of work of one session apart: the same work gives the same event_id."""

    tenant: str
    session_id: str
    payload: Message
    key: str
    lane: Lane = Lane.LIVE

    @property
    def schema(self) -> str:
        """Full name of the payload's message."""
        return str(self.payload.DESCRIPTOR.full_name)

    @property
    def event_id(self) -> str:
        """Deterministic; also the bus's message id."""
        return derived_id(self.schema, self.tenant, self.session_id, self.key)

    @property
    def subject(self) -> str:
        """Where it is published."""
        return subject(event_type(self.payload), self.tenant, self.session_id, self.lane)

    def envelope(self, producer: str, now_us: int) -> bytes:
        """The bytes on the bus."""
        return Envelope(
            event_id=self.event_id,
            tenant=self.tenant,
            session_id=self.session_id,
            occurred_at_us=now_us,
            producer=producer,
            schema=self.schema,
            payload=self.payload.SerializeToString(deterministic=True),
        ).SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[M]):
    """An event in a handler's hand. `deliveries` counts from 1."""

    event_id: str
    tenant: str
    session_id: str
    occurred_at_us: int
    producer: str
    payload: M
    deliveries: int = 1
    lane: Lane = Lane.LIVE


def decode(data: bytes, deliveries: int = 1, lane: Lane = Lane.LIVE) -> Event[Message]:
    """Read a message of the bus. Raises PoisonEvent."""
    try:
        envelope = Envelope.FromString(data)
        payload = BY_SCHEMA[envelope.schema].message.FromString(envelope.payload)
    except (DecodeError, KeyError, ValueError) as error:
        raise PoisonEvent(f"cannot decode the event: {type(error).__name__}") from error
    return Event(
        event_id=envelope.event_id,
        tenant=envelope.tenant,
        session_id=envelope.session_id,
        occurred_at_us=envelope.occurred_at_us,
        producer=envelope.producer,
        payload=payload,
        deliveries=deliveries,
        lane=lane,
    )
