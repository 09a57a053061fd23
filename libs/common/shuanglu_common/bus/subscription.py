"""What a service says about the events that it wants."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.subjects import LANES, Lane, Stream, event_type, filter_subjects

# Handlers name the payload's class in their signature; the table of a subscription ties both together.
Handler = Callable[[Event[Any]], Awaitable[Sequence[NewEvent]]]
BatchHandler = Callable[[Sequence[Event[Message]]], Awaitable[Sequence[NewEvent]]]
# Told of an event when the bus has all that follows it: for measuring how long that took.
Followed = Callable[[Event[Any], Sequence[NewEvent]], None]
BatchFollowed = Callable[[Sequence[Event[Message]], Sequence[NewEvent]], None]

RETRY_DELAYS_S = (1.0, 5.0, 20.0, 60.0)
# Crashes of workers and restarts of the bus spend deliveries too, and an innocent event must survive some of them.
MAX_DELIVER = 12
# How long an event is kept in hand while a system is away. With MAX_DELIVER and the delays an outage of three quarters
# of an hour brings no event to DEADLETTER; every three minutes another event has its turn, should it only be this one.
HOLD_S = 180.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """One durable consumer: each event of its lanes goes to the handler of its class, `in_hand` at a time.

    What a handler returns is published, dropping repeats by event_id, before its event is acknowledged. A handler that
    raises a retryable ShuangluError, or anything unforeseen, gets the event again after `retry_delays_s`; after
    `max_deliver` deliveries, or at once for other ShuangluErrors, the event goes to DEADLETTER with the error's reason.
    While a system is away (an error with `outage`) the event stays in hand for `hold_s` and spends no delivery.
    """

    durable: str
    handlers: Mapping[type[Message], Handler]
    in_hand: int = 1
    ack_wait_s: float = 30
    max_deliver: int = MAX_DELIVER
    retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S
    hold_s: float = HOLD_S
    lanes: tuple[Lane, ...] = LANES
    followed: Followed | None = None

    @property
    def stream(self) -> Stream:
        """All handled classes stand on one stream; ValueError if not."""
        streams = {event_type(message).stream for message in self.handlers}
        if len(streams) != 1:
            raise ValueError(f"{self.durable}: one stream a subscription, got {sorted(streams)}")
        return streams.pop()

    @property
    def filters(self) -> list[str]:
        """Subjects to consume."""
        return [wanted for message in self.handlers for wanted in filter_subjects(message, self.lanes)]


@dataclass(frozen=True, slots=True)
class BatchSubscription:
    """One durable consumer whose events are handled and acknowledged together, session by session, `batch` at a time.

    What fails together is tried again one by one, so that one bad event does not hold up the others.
    """

    durable: str
    stream: Stream
    filter_subject: str
    handler: BatchHandler
    batch: int = 64
    ack_wait_s: float = 30
    max_deliver: int = MAX_DELIVER
    retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S
    hold_s: float = HOLD_S
    followed: BatchFollowed | None = None
    in_hand: int = field(default=1, init=False)

    @property
    def filters(self) -> list[str]:
        """Subjects to consume."""
        return [self.filter_subject]
