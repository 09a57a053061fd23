"""The bus as it is against the tables of streams and consumers; and dead letters that wait."""

from collections.abc import AsyncIterator, Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo, StreamConfig
from nats.js.errors import NotFoundError

from shuanglu_common.ailments import Ailment, Code
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.consumers import CONSUMERS
from shuanglu_common.bus.dead_letter import read_all
from shuanglu_common.bus.streams import config_of
from shuanglu_common.bus.subjects import STREAMS

STALLED_S = 900
MAX_LETTERS = 1000
AWAY = (NatsError, OSError, TimeoutError)


async def examine_bus(bus: Bus, services: Collection[str], *, at_rest: bool) -> AsyncIterator[Ailment]:
    """`services`: those that run, so whose consumers must be there. A bus that is away is an ailment, no error."""
    try:
        for find in (_streams(bus.jetstream), _consumers(bus.jetstream, services, at_rest=at_rest), _letters(bus)):
            async for ailment in find:
                yield ailment
    except AWAY as error:
        yield Ailment(Code.BUS_AWAY, detail=type(error).__name__)


async def _streams(jetstream: JetStreamContext) -> AsyncIterator[Ailment]:
    for spec in STREAMS:
        try:
            have = (await jetstream.stream_info(spec.stream)).config
        except NotFoundError:
            yield Ailment(Code.STREAM_MISSING, subject=spec.stream)
            continue
        if told := "; ".join(differences(config_of(spec, have.num_replicas or 1), have)):
            yield Ailment(Code.STREAM_DIFFERS, subject=spec.stream, detail=told)


def differences(want: StreamConfig, have: StreamConfig) -> Iterator[str]:
    """Only what the table sets: the server fills in the rest."""
    for name in vars(want):
        wanted = _plain(getattr(want, name))
        if wanted is not None and wanted != (found := _plain(getattr(have, name))):
            yield f"{name} is {found}, not {wanted}"


def _plain(value: Any) -> Any:
    """As the server compares: order does not matter, what is empty is not set, times are seconds."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, (list, tuple)):
        return sorted(map(str, map(_plain, value))) or None
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain for name in vars(value) if (plain := _plain(getattr(value, name))) is not None}
    return None if value is None else str(getattr(value, "value", value))


async def _consumers(
    jetstream: JetStreamContext, services: Collection[str], *, at_rest: bool
) -> AsyncIterator[Ailment]:
    for stream in (spec.stream for spec in STREAMS):
        try:
            found = {each.name: each for each in await jetstream.consumers_info(stream) if each.config.durable_name}
        except NotFoundError:
            continue
        known = {spec.durable: spec.service for spec in CONSUMERS if spec.stream == stream}
        for durable, service in known.items():
            if durable not in found and service in services:
                yield Ailment(Code.CONSUMER_MISSING, subject=f"{stream}/{durable}", detail=f"of {service}")
        for name, info in found.items():
            if name not in known:
                yield Ailment(Code.CONSUMER_UNKNOWN, subject=f"{stream}/{name}")
            elif ailment := undrained(f"{stream}/{name}", info, at_rest=at_rest):
                yield ailment


def undrained(subject: str, info: ConsumerInfo, *, at_rest: bool) -> Ailment | None:
    """A consumer that has work and does not get on with it."""
    waiting, in_hand = info.num_pending or 0, info.num_ack_pending or 0
    detail = f"{waiting} wait, {in_hand} in hand"
    if not waiting + in_hand:
        return None
    if at_rest:
        return Ailment(Code.CONSUMER_BEHIND, subject=subject, detail=detail)
    moves = [place.last_active for place in (info.delivered, info.ack_floor) if place and place.last_active]
    idle_s = (datetime.now(UTC) - max([info.created, *moves])).total_seconds()
    if idle_s < STALLED_S:
        return None
    return Ailment(Code.CONSUMER_STALLED, subject=subject, detail=f"{detail}, nothing has moved for {round(idle_s)} s")


async def _letters(bus: Bus) -> AsyncIterator[Ailment]:
    count = 0
    try:
        async for listed in read_all(bus):
            count += 1
            if count > MAX_LETTERS:
                return
            letter = listed.letter
            yield Ailment(
                Code.DEAD_LETTER, listed.session_id, str(listed.number), f"{letter.consumer} gave up: {letter.reason}"
            )
    except NotFoundError:
        return
