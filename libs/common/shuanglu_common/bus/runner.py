"""Runs subscriptions: a small pull loop on nats-py (docs/adr/0001-own-runner-on-nats-py.md says why not FastStream).

For each message: decode, handle, publish what the handler returned, acknowledge. From receipt on, a beat tells the bus
that work goes on, so `ack_wait` may be short and a crashed worker's message comes back soon. While a system that the
work needs is away its message stays in hand and the work is tried again: so an outage takes no new messages, spends no
deliveries and ends nothing in DEADLETTER. A consumer that somebody deleted is made again. When the service stops no
more messages are taken, and those in hand are finished or returned.

A runner makes way for others of its process that are more urgent: it takes nothing while they have work waiting or in
hand, so that what they get next waits at most for what it has in hand (docs/adr/0015-lanes.md).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.durables import beginning
from shuanglu_common.bus.events import Event, decode
from shuanglu_common.bus.subjects import lane_of
from shuanglu_common.bus.subscription import BatchSubscription, Subscription
from shuanglu_common.bus.tracing import processing
from shuanglu_common.errors import DependencyError, ShuangluError
from shuanglu_common.metrics import ConsumerMetrics

FETCH_S = 2.0
RECONNECT_S = 1.0
HOLD_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
LAG_EVERY_S = 5.0
# A pull that has waited this long at the bus found nothing there.
QUIET_S = 0.1
# Who made way for so long takes some all the same: quality counts as missing whoever finishes nothing for long.
MAKES_WAY_S = 60.0

log = structlog.get_logger()


async def bind(
    jetstream: JetStreamContext, wanted: Subscription | BatchSubscription
) -> JetStreamContext.PullSubscription:
    """Create or update the durable consumer and subscribe to it."""
    room = wanted.batch * 2 if isinstance(wanted, BatchSubscription) else 1024
    policy, first = await beginning(jetstream, wanted.stream, wanted.durable)
    await jetstream.add_consumer(
        wanted.stream,
        ConsumerConfig(
            durable_name=wanted.durable,
            filter_subjects=wanted.filters,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=wanted.ack_wait_s,
            max_deliver=wanted.max_deliver,
            max_ack_pending=room,
            deliver_policy=policy,
            opt_start_seq=first,
        ),
    )
    return await jetstream.pull_subscribe_bind(consumer=wanted.durable, stream=wanted.stream)


class Runner:
    """Feeds one subscription until told to stop."""

    def __init__(
        self,
        bus: Bus,
        wanted: Subscription | BatchSubscription,
        stop_timeout_s: float,
        urgent: Sequence["Runner"] = (),
    ) -> None:
        """`stop_timeout_s`: how long work in hand may go on after the stop. `urgent`: whom it makes way for."""
        self.bus = bus
        self.wanted = wanted
        self.stop_timeout_s = stop_timeout_s
        self.tasks: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()
        self.healthy = False
        self.pending = 0
        self.urgent = urgent
        self.found_nothing_since_s: float | None = None
        self.counted = ConsumerMetrics(wanted.durable)

    async def run(self, stopping: asyncio.Event) -> None:
        """Take and handle messages until `stopping` is set, then finish what is in hand."""
        self.stopping = stopping
        self.found_nothing_since_s = None
        lag = asyncio.create_task(self.watch_lag())
        try:
            await self.take_until(stopping)
            await self.finish()
        finally:
            lag.cancel()
            self.pending = 0
            self.counted.waiting.set(0)
            self.counted.unacknowledged.set(0)

    async def take_until(self, stopping: asyncio.Event) -> None:
        """Take and start on messages; what was lost is bound again."""
        subscription: JetStreamContext.PullSubscription | None = None
        while not stopping.is_set():
            try:
                subscription = subscription or await bind(self.bus.jetstream, self.wanted)
                self.healthy = True
                await self.take(subscription, stopping)
            except (NatsTimeoutError, TimeoutError):
                continue
            except (NatsError, OSError) as error:
                self.healthy = False
                self.found_nothing_since_s = None
                log.warning("consumer.lost", consumer=self.wanted.durable, error=error)
                subscription = None
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), RECONNECT_S)

    async def watch_lag(self) -> None:
        """Keep the count of waiting messages."""
        while True:
            with suppress(NatsError, OSError, TimeoutError):
                info = await self.bus.jetstream.consumer_info(self.wanted.stream, self.wanted.durable)
                self.pending = info.num_pending or 0
                self.counted.waiting.set(self.pending)
                self.counted.unacknowledged.set(info.num_ack_pending or 0)
            await asyncio.sleep(LAG_EVERY_S)

    async def take(self, subscription: JetStreamContext.PullSubscription, stopping: asyncio.Event) -> None:
        """Fetch as many messages as there are free hands and start on them; what comes after the stop goes back."""
        wanted = self.wanted
        stop = asyncio.create_task(stopping.wait())
        try:
            while wanted.in_hand <= len(self.tasks) and not stopping.is_set():
                await asyncio.wait([*self.tasks, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        await self.make_way(stopping)
        if stopping.is_set():
            return
        free = wanted.batch if isinstance(wanted, BatchSubscription) else wanted.in_hand - len(self.tasks)
        self.found_nothing_since_s = self.found_nothing_since_s or time.monotonic()
        messages = await subscription.fetch(free, timeout=FETCH_S)
        self.found_nothing_since_s = None
        if stopping.is_set():
            for message in messages:
                await self.give_back(message, 0)
        elif isinstance(wanted, BatchSubscription):
            await self.handle_batch(wanted, messages)
        else:
            for message in messages:
                task = asyncio.create_task(self.handle_one(wanted, message))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    @property
    def idle(self) -> bool:
        """Nothing is in hand and nothing waits."""
        since_s = self.found_nothing_since_s
        return not self.tasks and since_s is not None and time.monotonic() - since_s >= QUIET_S

    async def make_way(self, stopping: asyncio.Event) -> None:
        """Wait until the more urgent ones are idle, but not for ever."""
        until_s = time.monotonic() + MAKES_WAY_S
        while not all(each.idle for each in self.urgent) and not stopping.is_set() and time.monotonic() < until_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), QUIET_S / 2)

    async def finish(self) -> None:
        """Wait for work in hand; what takes too long is cancelled and its message returned to the bus."""
        if not self.tasks:
            return
        _, late = await asyncio.wait(self.tasks, timeout=self.stop_timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def handle_one(self, wanted: Subscription, message: Msg) -> None:
        """One message through its handler."""
        started = time.monotonic()
        outcome = "returned"
        try:
            async with self.beating([message]):
                event = self.read(message)
                await self.outlast(lambda: self.work(wanted, message, event))
                # Not waited for: a lost acknowledgement means one more delivery, and handlers are idempotent.
                await message.ack()
            outcome = "done"
        except asyncio.CancelledError:
            await self.give_back(message, 0)
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, its message must not be lost
            outcome = await self.refuse(message, error)
        finally:
            self.counted.outcomes[outcome].inc()
            self.counted.took.observe(time.monotonic() - started)

    async def work(self, wanted: Subscription, message: Msg, event: Event[Message]) -> None:
        """Handle, and publish what follows."""
        with (
            structlog.contextvars.bound_contextvars(
                tenant=event.tenant, session_id=event.session_id, event_id=event.event_id
            ),
            processing(wanted.durable, message.subject, [(message.headers, event)]),
        ):
            news = await wanted.handlers[type(event.payload)](event)
            await self.bus.publish_all(news)
        if wanted.followed:
            wanted.followed(event, news)

    def read(self, message: Msg) -> Event[Message]:
        """The event of a message, counted. Raises PoisonEvent."""
        deliveries = message.metadata.num_delivered
        event = decode(message.data, deliveries, lane_of(message.subject))
        if deliveries > 1:
            self.counted.redelivered.inc()
        else:
            age_us = self.bus.clock.now_us() - event.occurred_at_us
            self.counted.age.observe(max(age_us, 0) / 1_000_000)
        return event

    async def outlast(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work; again and again while a system is away, up to `hold_s` or the stop. Raises the last error."""
        held = self.counted.held
        until = time.monotonic() + self.wanted.hold_s
        tries = 0
        while True:
            try:
                return await work()
            except DependencyError as error:
                pause_s = HOLD_PAUSES_S[min(tries, len(HOLD_PAUSES_S) - 1)]
                if not error.outage or self.stopping.is_set() or time.monotonic() + pause_s > until:
                    raise
                log.warning(
                    "event.held", consumer=self.wanted.durable, reason=error.reason, tries=tries + 1, error=error
                )
            tries += 1
            with held.track_inprogress(), suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause_s)

    async def handle_batch(self, wanted: BatchSubscription, messages: list[Msg]) -> None:
        """Many messages at once, session by session: one session's trouble is not the others'."""
        sessions: dict[tuple[str, str], list[tuple[Msg, Event[Message]]]] = {}
        async with self.beating(messages):
            for message in messages:
                try:
                    event = self.read(message)
                except ShuangluError as error:
                    await self.refuse(message, error)
                else:
                    sessions.setdefault((event.tenant, event.session_id), []).append((message, event))
            for of_session in sessions.values():
                await self.handle_session(wanted, of_session)

    async def handle_session(self, wanted: BatchSubscription, batch: list[tuple[Msg, Event[Message]]]) -> None:
        """One session's messages through the handler at once; one by one if that fails."""
        started = time.monotonic()
        message, event = batch[-1]
        try:
            with (
                structlog.contextvars.bound_contextvars(tenant=event.tenant, session_id=event.session_id),
                processing(
                    wanted.durable,
                    message.subject if len(batch) == 1 else wanted.stream,
                    [(one.headers, told) for one, told in batch],
                ),
            ):

                async def work() -> None:
                    events = [event for _, event in batch]
                    news = await wanted.handler(events)
                    await self.bus.publish_all(news)
                    if wanted.followed:
                        wanted.followed(events, news)

                await self.outlast(work)
            await asyncio.gather(*(message.ack() for message, _ in batch))
            self.counted.outcomes["done"].inc(len(batch))
        except asyncio.CancelledError:
            for message, _ in batch:
                await self.give_back(message, 0)
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, its messages must not be lost
            if len(batch) == 1:
                self.counted.outcomes[await self.refuse(message, error)].inc()
            else:
                for one in batch:
                    await self.handle_session(wanted, [one])
        finally:
            self.counted.took.observe(time.monotonic() - started)

    @asynccontextmanager
    async def beating(self, messages: list[Msg]) -> AsyncIterator[None]:
        """Tell the bus now and then that work on the messages goes on."""
        self.counted.in_hand.inc(len(messages))
        task = asyncio.create_task(self.beat(messages))
        try:
            yield
        finally:
            task.cancel()
            self.counted.in_hand.dec(len(messages))

    async def beat(self, messages: list[Msg]) -> None:
        """The beat itself, three times in an ack_wait."""
        while True:
            await asyncio.sleep(self.wanted.ack_wait_s / 3)
            for message in messages:
                with suppress(NatsError):
                    await message.in_progress()

    async def refuse(self, message: Msg, error: Exception) -> str:
        """Have the message again later, or give it up for DEADLETTER; returns the outcome's label."""
        deliveries = message.metadata.num_delivered
        known = isinstance(error, ShuangluError)
        retryable = not known or (isinstance(error, ShuangluError) and error.retryable)
        reason = error.reason if isinstance(error, ShuangluError) else f"UNFORESEEN_{type(error).__name__}"
        if retryable and deliveries < self.wanted.max_deliver:
            delays = self.wanted.retry_delays_s
            delay = delays[min(deliveries, len(delays)) - 1]
            log.warning(
                "event.retried", consumer=self.wanted.durable, reason=reason, deliveries=deliveries, error=error
            )
            await self.give_back(message, delay)
            return "retried"
        log.error("event.dead", consumer=self.wanted.durable, reason=reason, deliveries=deliveries, error=error)
        # The reason travels in the bus's advisory to the keeper of dead letters.
        with suppress(NatsError):
            await self.bus.client.publish(message.reply, f"+TERM {reason}".encode())
        return "dead"

    async def give_back(self, message: Msg, delay_s: float) -> None:
        """Return the message; if the bus is away it comes back by itself after ack_wait."""
        with suppress(NatsError):
            await message.nak(delay=delay_s or None)
