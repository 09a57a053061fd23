"""Is a stack at rest, and is it whole? What a run of faults must leave behind.

Looks at the real thing from outside: streams and consumers of the bus, the services' outboxes, readiness.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import asyncpg
import nats
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shuanglu.bus.v1.envelope_pb2 import Envelope
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_cli.doctor import Wanted, examine
from shuanglu_cli.target import find_target
from shuanglu_common.bus.dead_letter import KEEPER
from shuanglu_common.bus.subjects import Stream, event_type, subject
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.postgres_server import DATABASE, USER

POLL_S = 0.5
SCHEMAS = ("signaling", "media_ingest", "quality", "report")
ONCE = (VerdictReached, ReportReady)


@dataclass(slots=True)
class State:
    """What is still to be done, or wrong; empty when the stack is at rest and whole."""

    waiting: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way."""
        return not self.waiting


def wait_settled(stack: EmbeddedStack, sessions: Collection[str], timeout_s: float) -> list[str]:
    """Wait until nothing is under way; what is wrong then, or what never came to rest."""
    deadline = time.monotonic() + timeout_s
    while True:
        state = asyncio.run(look(stack, sessions))
        if state.at_rest:
            return [*state.wrong, *ailments(stack)]
        if time.monotonic() > deadline:
            return [*state.wrong, *(f"never came to rest: {each}" for each in state.waiting)]
        time.sleep(POLL_S)


def ailments(stack: EmbeddedStack) -> list[str]:
    """What `shuanglu doctor` names: orphaned and lost objects and rows, and whatever still stands still."""
    target = find_target(config=stack.data_dir / "stack.json")
    wanted = Wanted(deep=True, at_rest=True, services=frozenset(target.services))
    return [
        f"doctor: {each.code} {each.session_id} {each.subject} {each.detail}"
        for each in examine(target, wanted).ailments
    ]


async def look(stack: EmbeddedStack, sessions: Collection[str]) -> State:
    """How the stack stands now."""
    state = State([f"not ready: {name}" for name in await asyncio.to_thread(stack.unready)])
    try:
        client = await nats.connect(stack.nats_url, connect_timeout=5, allow_reconnect=False)
        try:
            await _bus(client.jetstream(timeout=5), sessions, state)
        finally:
            await client.close()
        await _outboxes(stack, state)
    except (OSError, TimeoutError, nats.errors.Error, asyncpg.PostgresError) as error:
        state.waiting.append(f"no answer: {type(error).__name__}")
    return state


async def _bus(jetstream: JetStreamContext, sessions: Collection[str], state: State) -> None:
    for stream in Stream:
        for consumer in await jetstream.consumers_info(stream):
            pending, in_hand = consumer.num_pending or 0, consumer.num_ack_pending or 0
            if pending or in_hand:
                state.waiting.append(f"consumer {consumer.name}: {pending} pending, {in_hand} in hand")
            elif consumer.name != KEEPER and consumer.num_redelivered:
                state.wrong.append(f"consumer {consumer.name} has {consumer.num_redelivered} redelivered in hand")
    dead = (await jetstream.stream_info(Stream.DEADLETTER)).state.messages
    if dead:
        state.wrong.append(f"{dead} dead letters: {await _letters(jetstream)}")
    for session_id in sessions:
        for kind in ONCE:
            count = await _count(jetstream, event_type(kind).stream, subject(event_type(kind), "demo", session_id))
            if count != 1:
                state.wrong.append(f"session {session_id} has {count} {kind.DESCRIPTOR.name}")


async def _count(jetstream: JetStreamContext, stream: Stream, name: str) -> int:
    """Messages under a subject."""
    found = (await jetstream.stream_info(stream, subjects_filter=name)).state.subjects or {}
    return int(found.get(name, 0))


async def _letters(jetstream: JetStreamContext) -> str:
    """Which consumers gave up on what, and why."""
    from shuanglu.bus.v1.envelope_pb2 import DeadLetter

    info = await jetstream.stream_info(Stream.DEADLETTER)
    kinds: Counter[str] = Counter()
    for number in range(max(1, info.state.first_seq), info.state.last_seq + 1):
        try:
            message = await jetstream.get_msg(Stream.DEADLETTER, number)
        except NotFoundError:
            continue
        letter = DeadLetter.FromString(Envelope.FromString(message.data or b"").payload)
        kinds[f"{letter.consumer} {letter.subject.rpartition('.')[2]} {letter.reason} after {letter.deliveries}"] += 1
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common(8))


async def _outboxes(stack: EmbeddedStack, state: State) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=stack.ports["postgres"],
        user=USER,
        password=stack.keys.postgres_password,
        database=DATABASE,
        timeout=5,
    )
    try:
        for schema in SCHEMAS:  # constants of ours, not input
            if await connection.fetchval("select to_regclass($1)", f"{schema}.outbox") is None:
                continue
            count = await connection.fetchval(f"select count(*) from {schema}.outbox")  # noqa: S608
            if count:
                state.waiting.append(f"outbox of {schema}: {count}")
    finally:
        await connection.close()
