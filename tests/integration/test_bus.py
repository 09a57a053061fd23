"""The runner, the outbox' partner and the keeper of dead letters against a real NATS server."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import nats
import pytest
from nats.js.errors import NotFoundError

from shuanglu.bus.v1.envelope_pb2 import DeadLetter
from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.dead_letter import DeadLetterMissing, Keeper, Listed, read_all, replay
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.bus.runner import Runner
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.bus.subjects import PARTITIONS, Stream
from shuanglu_common.bus.subscription import BatchSubscription, Handler, Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_common.errors import DependencyError, InvalidInput
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.process import ManagedProcess, Spawner

pytestmark = pytest.mark.integration
PASSWORD = "test-only"
REQUESTED = "media.v1.bank.s1.import_requested"


class BrokenPayload(InvalidInput):
    reason = "BROKEN_PAYLOAD"


class Away(DependencyError):
    reason = "AWAY"


class TooEarly(DependencyError):
    outage = False
    reason = "TOO_EARLY"


@dataclass
class Server:
    process: ManagedProcess
    url: str

    async def connect(self) -> nats.NATS:
        for _ in range(100):
            try:
                return await nats.connect(self.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
            except (OSError, nats.errors.Error):
                await asyncio.sleep(0.05)
        raise AssertionError("NATS did not start")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("nats")
    ports = choose_ports(["bus", "monitor"], "free", 0, 0)
    spawner = Spawner()
    process = ManagedProcess(nats_command(folder, folder, ports["bus"], ports["monitor"], PASSWORD), spawner)
    process.start()
    yield Server(process, nats_url(ports["bus"], PASSWORD))
    process.request_stop()
    process.wait_stopped()
    spawner.close()


@pytest.fixture
async def bus(server: Server) -> AsyncIterator[Bus]:
    client = await server.connect()
    jetstream = client.jetstream()
    for stream in Stream:
        try:
            await jetstream.delete_stream(stream)
        except NotFoundError:
            continue
    await ensure_streams(jetstream)
    yield Bus(client, "tester", SystemClock())
    await client.close()


@dataclass
class Running:
    """A subscription that runs during a test."""

    runner: Runner
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.runner.run(self.stopping))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping.set()
        assert self.task is not None
        await asyncio.wait_for(self.task, 15)


def running(bus: Bus, wanted: Subscription | BatchSubscription, stop_timeout_s: float = 5) -> Running:
    return Running(Runner(bus, wanted, stop_timeout_s))


def requested(key: str) -> NewEvent:
    return NewEvent("bank", "s1", ImportRequested(import_id=key), key)


def subscription(handler: Handler, **changes: object) -> Subscription:
    settings = {"durable": "worker", "handlers": {ImportRequested: handler}, "retry_delays_s": (0.1,), **changes}
    return Subscription(**settings)  # type: ignore[arg-type]


async def until(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


async def letters(bus: Bus) -> list[Listed]:
    keeper = Keeper(bus)
    for _ in range(20):
        await keeper.run_once(0.5)
        if found := [listed async for listed in read_all(bus)]:
            return found
    return []


async def test_the_same_work_is_published_and_handled_once(bus: Bus) -> None:
    seen: list[str] = []

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        seen.append(event.payload.import_id)
        return [NewEvent("bank", "s1", ImportFailed(import_id=event.payload.import_id), event.payload.import_id)]

    for key in ["a", "b", "a", "a"]:
        await bus.publish(requested(key))
    async with running(bus, subscription(handle)):
        await until(lambda: len(seen) == 2)
        await asyncio.sleep(0.3)
    info = await bus.jetstream.stream_info(Stream.MEDIA)
    assert sorted(seen) == ["a", "b"]
    assert info.state.messages == 4


async def test_an_outage_is_waited_out_in_hand_and_a_fault_of_the_event_is_not(bus: Bus) -> None:
    tries: list[str] = []
    deliveries: dict[str, int] = {}

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        tries.append(event.payload.import_id)
        deliveries[event.payload.import_id] = event.deliveries
        if event.payload.import_id == "bad":
            raise BrokenPayload
        if tries.count("outage") < 3:
            raise Away
        return []

    for key in ("bad", "outage", "next"):
        await bus.publish(requested(key))
    async with running(bus, subscription(handle, ack_wait_s=0.6)):
        await until(lambda: "next" in tries)
    assert tries == ["bad", "outage", "outage", "outage", "next"]
    assert deliveries == {"bad": 1, "outage": 1, "next": 1}
    (letter,) = await letters(bus)
    assert (letter.letter.reason, letter.letter.consumer, letter.session_id) == ("BROKEN_PAYLOAD", "worker", "s1")


async def test_an_event_that_waits_for_something_of_its_own_lets_the_others_pass(bus: Bus) -> None:
    tries: list[str] = []

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        tries.append(event.payload.import_id)
        if event.payload.import_id == "early" and event.deliveries < 3:
            raise TooEarly
        return []

    await bus.publish(requested("early"))
    await bus.publish(requested("next"))
    async with running(bus, subscription(handle)):
        await until(lambda: tries.count("early") == 3)
    assert tries == ["early", "next", "early", "early"]


async def test_a_stop_does_not_wait_for_an_outage_to_end(bus: Bus) -> None:
    tries: list[int] = []

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        tries.append(event.deliveries)
        if event.deliveries == 1:
            raise Away
        return []

    await bus.publish(requested("outage"))
    async with running(bus, subscription(handle), stop_timeout_s=60):
        await until(lambda: len(tries) >= 2)
    async with running(bus, subscription(handle)):
        await until(lambda: tries[-1] == 2, seconds=3)


async def test_what_fails_every_time_ends_as_a_dead_letter_with_its_reason(bus: Bus) -> None:
    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        raise Away if event.payload.import_id == "a" else RuntimeError

    await bus.publish(requested("a"))
    await bus.publish(requested("b"))
    async with running(bus, subscription(handle, max_deliver=2, hold_s=0)):
        await asyncio.sleep(1.5)
    found = await letters(bus)
    assert {letter.letter.reason for letter in found} == {"AWAY", "UNFORESEEN_RuntimeError"}
    assert all(letter.letter.deliveries == 2 for letter in found)


async def test_a_message_that_kills_its_worker_becomes_a_dead_letter(bus: Bus) -> None:
    async def handle(_event: Event[ImportRequested]) -> Sequence[NewEvent]:
        await asyncio.sleep(60)
        return []

    await bus.publish(requested("crash"))
    for _ in range(2):
        crashed = asyncio.create_task(
            Runner(bus, subscription(handle, ack_wait_s=0.5, max_deliver=2), 5).run(asyncio.Event())
        )
        await asyncio.sleep(0.4)
        crashed.cancel()  # the runner dies; so does the beat, as in a crash
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if task.get_coro().__qualname__ in {"Runner.beat", "Runner.handle_one"}:  # type: ignore[union-attr]
                task.cancel()
        await asyncio.sleep(0.6)
    # One more pull makes the server see that the limit is reached.
    async with running(bus, subscription(handle, ack_wait_s=0.5, max_deliver=2)):
        await asyncio.sleep(1)
    found = await letters(bus)
    assert [letter.letter.consumer for letter in found] == ["worker"]


async def test_poison_is_kept_and_can_be_replayed(bus: Bus) -> None:
    seen: list[str] = []
    mended = False

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        if not mended:
            raise BrokenPayload
        seen.append(event.payload.import_id)
        return []

    await bus.publish_raw(REQUESTED, b"\xffjunk", "poison")
    await bus.publish(requested("later"))
    async with running(bus, subscription(handle)):
        found: list[Listed] = []
        for _ in range(20):
            found = await letters(bus)
            if len(found) == 2:
                break
        reasons = {letter.letter.reason: letter for letter in found}
        assert set(reasons) == {"POISON_EVENT", "BROKEN_PAYLOAD"}
        assert reasons["POISON_EVENT"].letter.message == b"\xffjunk"
        mended = True
        await replay(bus, reasons["BROKEN_PAYLOAD"].number)
        await until(lambda: seen == ["later"])
    with pytest.raises(DeadLetterMissing):
        await replay(bus, reasons["BROKEN_PAYLOAD"].number)
    assert [letter.letter.reason for letter in [each async for each in read_all(bus)]] == ["POISON_EVENT"]


async def test_long_work_keeps_its_message(bus: Bus) -> None:
    deliveries: list[int] = []

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        deliveries.append(event.deliveries)
        await asyncio.sleep(3)
        return []

    await bus.publish(requested("long"))
    async with running(bus, subscription(handle, ack_wait_s=1)):
        await asyncio.sleep(4)
    assert deliveries == [1]


async def test_a_stop_finishes_the_message_in_hand_and_takes_no_other(bus: Bus) -> None:
    started: list[str] = []
    finished: list[str] = []

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        started.append(event.payload.import_id)
        await asyncio.sleep(1)
        finished.append(event.payload.import_id)
        return []

    await bus.publish(requested("first"))
    await bus.publish(requested("second"))
    async with running(bus, subscription(handle)):
        await until(lambda: started == ["first"])
    assert finished == ["first"]
    assert started == ["first"]


async def test_a_stop_returns_what_takes_too_long(bus: Bus) -> None:
    deliveries: list[int] = []

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        deliveries.append(event.deliveries)
        if event.deliveries == 1:
            await asyncio.sleep(60)
        return []

    await bus.publish(requested("stuck"))
    async with running(bus, subscription(handle), stop_timeout_s=0.2):
        await until(lambda: deliveries == [1])
    async with running(bus, subscription(handle)):
        await until(lambda: deliveries == [1, 2], seconds=3)


async def test_a_deleted_consumer_is_made_again(bus: Bus) -> None:
    seen: list[str] = []

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        seen.append(event.payload.import_id)
        return []

    async with running(bus, subscription(handle)):
        await bus.publish(requested("before"))
        await until(lambda: seen == ["before"])
        await bus.jetstream.delete_consumer(Stream.MEDIA, "worker")
        await bus.publish(requested("after"))
        await until(lambda: "after" in seen, seconds=20)


async def test_a_killed_server_is_waited_out(bus: Bus, server: Server) -> None:
    seen: list[str] = []

    async def handle(event: Event[ImportRequested]) -> Sequence[NewEvent]:
        seen.append(event.payload.import_id)
        return []

    async with running(bus, subscription(handle)):
        await bus.publish(requested("before"))
        await until(lambda: seen == ["before"])
        await asyncio.to_thread(server.process.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.process.start)
        for _ in range(100):
            try:
                await bus.publish(requested("after"))
                break
            except DependencyError:
                await asyncio.sleep(0.1)
        await until(lambda: "after" in seen, seconds=20)


async def test_folds_get_each_session_in_one_partition_with_dead_letters(bus: Bus) -> None:
    seen: dict[str, set[int]] = {}
    kinds: set[str] = set()

    def handler(partition: int) -> Handler:
        async def handle(events: Sequence[Event[ImportRequested]]) -> Sequence[NewEvent]:
            for event in events:
                seen.setdefault(event.session_id, set()).add(partition)
                kinds.add(type(event.payload).__name__)
            return []

        return handle  # type: ignore[return-value]

    async def refuse(_event: Event[ImportRequested]) -> Sequence[NewEvent]:
        raise BrokenPayload

    for number in range(40):
        session_id = f"s{number}"
        await bus.publish(NewEvent("bank", session_id, ImportRequested(import_id="i"), "i"))
        await bus.publish(NewEvent("bank", session_id, ImportFailed(import_id="i"), "i"))
    stopping = asyncio.Event()
    folds = [
        BatchSubscription(f"fold-{number}", Stream.FOLDS, f"fold.{number}.>", handler(number))  # type: ignore[arg-type]
        for number in range(PARTITIONS)
    ]
    tasks = [asyncio.create_task(Runner(bus, fold, 5).run(stopping)) for fold in folds]
    async with running(bus, subscription(refuse)):
        for _ in range(10):
            await Keeper(bus).run_once(0.5)
            if DeadLetter.__name__ in kinds:
                break
    stopping.set()
    await asyncio.gather(*tasks)
    assert len(seen) == 40
    assert all(len(partitions) == 1 for partitions in seen.values())
    assert len({next(iter(each)) for each in seen.values()}) > 1
    assert kinds == {"ImportRequested", "ImportFailed", "DeadLetter"}


async def test_one_bad_event_in_a_batch_does_not_hold_up_the_others(bus: Bus) -> None:
    seen: list[str] = []

    async def handle(events: Sequence[Event[ImportRequested]]) -> Sequence[NewEvent]:
        if any(event.payload.import_id == "bad" for event in events):
            raise BrokenPayload
        seen.extend(event.payload.import_id for event in events)
        return []

    for key in ["a", "bad", "b"]:
        await bus.publish(requested(key))
    wanted = BatchSubscription("batch", Stream.MEDIA, "media.v1.*.*.*", handle)  # type: ignore[arg-type]
    async with running(bus, wanted):
        await until(lambda: sorted(seen) == ["a", "b"])
    (letter,) = await letters(bus)
    assert letter.letter.reason == "BROKEN_PAYLOAD"
