"""What clients cost the doors: sessions that are held open and watched, and reports that are made and read.

A held session is two participants, each with a connection and a `WatchSession` of their own through the gateway; each
asks for the call every 10 s, and the customer goes out and comes in again every 20 s, which both are told. Media is not
part of it: `BENCH=live` measures that.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import grpc

from figures import Figure
from live.calls import SERVICES, invited, place_of, stack_for_calls
from material import ROOT
from scale.sizes import Sizes
from shuanglu.report.v1.report_service_pb2 import GetReportRequest
from shuanglu.report.v1.report_service_pb2_grpc import ReportServiceStub
from shuanglu_caller.desk import CallDesk, Place, Seat
from shuanglu_caller.errors import CallerError
from shuanglu_stack.sampling import Client
from shuanglu_stack.stack import EmbeddedStack
from shuanglu_stack.usage import Usage
from throughput import Batches

LOOK_EVERY_S = 10.0
TURN_EVERY_S = 20.0
SETTLE_S = 10.0
CLIENTS = 2
READERS = 8
REPORTS = 3
DOORS = ("signaling", "gateway", "postgres", "nats")


@dataclass(frozen=True, slots=True)
class Held:
    """What the clients of a process saw."""

    changes: int
    calls: int
    errors: int


def hold(place: Place, sessions: Sequence[Mapping[str, Seat]], until_s: float) -> Held:
    """For a process of its own: be the participants of these sessions until a time since the epoch."""
    return asyncio.run(_hold(place, sessions, until_s))


async def _hold(place: Place, sessions: Sequence[Mapping[str, Seat]], until_s: float) -> Held:
    changes = calls = errors = 0

    async def watch(desk: CallDesk, seat: Seat) -> None:
        nonlocal changes
        async for _ in desk.watch(seat.session_id):
            changes += 1

    async def ask(desk: CallDesk, seat: Seat) -> None:
        nonlocal calls, errors
        await asyncio.sleep(random.uniform(0, LOOK_EVERY_S))
        round_ = 0
        while time.time() < until_s:
            try:
                await desk.look(seat.session_id)
                calls += 1
                if seat.participant_id == "customer" and round_ % (TURN_EVERY_S // LOOK_EVERY_S) == 0:
                    await desk.leave(seat)
                    await desk.join(seat)
                    calls += 2
            except CallerError:
                errors += 1
            round_ += 1
            await asyncio.sleep(LOOK_EVERY_S)

    async def one(seat: Seat) -> None:
        async with CallDesk(place, seat.token) as desk:
            await desk.join(seat)
            watching = asyncio.create_task(watch(desk, seat))
            try:
                await ask(desk, seat)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    seats = [seat for session in sessions for seat in session.values()]
    for result in await asyncio.gather(*(one(seat) for seat in seats), return_exceptions=True):
        errors += isinstance(result, BaseException)
    return Held(changes, calls, errors)


def cores(before: Mapping[str, Usage], after: Mapping[str, Usage], seconds: float) -> dict[str, float]:
    """By process."""
    return {
        name: (end.core_seconds - before[name].core_seconds) / seconds for name, end in after.items() if name in before
    }


def held_figures(stack: EmbeddedStack, client: Client, sizes: Sizes) -> list[Figure]:
    """Sessions per core of what holds them."""
    sessions = invited(stack, client, sizes.held_sessions)
    started, before = time.monotonic(), stack.usage()
    time.sleep(SETTLE_S)
    idle = cores(before, stack.usage(), time.monotonic() - started)
    until_s = time.time() + 2 * SETTLE_S + sizes.held_s
    with ProcessPoolExecutor(CLIENTS, get_context("spawn")) as pool:
        parts = [pool.submit(hold, place_of(stack), sessions[number::CLIENTS], until_s) for number in range(CLIENTS)]
        time.sleep(2 * SETTLE_S)
        started, before = time.monotonic(), stack.usage()
        time.sleep(sizes.held_s - LOOK_EVERY_S / 2)
        busy = cores(before, stack.usage(), time.monotonic() - started)
        seen = [part.result(timeout=120) for part in parts]
    calls, changes = sum(part.calls for part in seen), sum(part.changes for part in seen)
    against = f"{sizes.held_sessions} held; {calls} calls, {changes} changes told"
    figures = [Figure("held sessions: calls that failed", sum(part.errors for part in seen), "", "lower", 0, against)]
    for name in DOORS:
        each = max(busy[name] - idle.get(name, 0.0), 1e-6) / sizes.held_sessions
        figures.append(
            Figure(
                f"held sessions per core, {name}", 1 / each, "", "higher", None, f"{each * 1e3:.2f} ms a second each"
            )
        )
    return figures


def read(place: Place, token: str, session_id: str, times: int) -> float:
    """For a process of its own: read a report so often, a few at a time; seconds."""

    async def work() -> float:
        root = place.ca.read_bytes() if place.ca else None
        target = place.gateway.removeprefix("https://")
        async with grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(root)) as channel:
            stub = ReportServiceStub(channel)
            left = times
            started = time.monotonic()

            async def reader() -> None:
                nonlocal left
                while left > 0:
                    left -= 1
                    request = GetReportRequest(session_id=session_id)
                    await stub.GetReport(request, metadata=(("authorization", f"Bearer {token}"),), timeout=30)

            await asyncio.gather(*(reader() for _ in range(READERS)))
            return time.monotonic() - started

    return asyncio.run(work())


def report_figures(stack: EmbeddedStack, client: Client, sizes: Sizes) -> list[Figure]:
    """What a report costs to make and to read."""
    batches = Batches(ROOT / "build" / "bench")
    client.wait(client.send(batches.take(1)[0]).session_id)
    before = stack.usage()
    session_id = ""
    for recording in batches.take(REPORTS):
        session_id = client.send(recording).session_id
        client.wait(session_id)
    made = cores(before, stack.usage(), REPORTS)
    before = stack.usage()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        seconds = pool.submit(read, place_of(stack), stack.token(), session_id, sizes.report_reads).result(timeout=600)
    spent = cores(before, stack.usage(), sizes.report_reads)
    reading = f"{sizes.report_reads / seconds:.0f} a second; gateway {spent['gateway'] * 1e3:.1f} core-ms each"
    return [
        Figure("a report made, report", made["report"], "core-s", "lower", None, "recording of 4 s, PDF and stills"),
        Figure("reports made per core-hour, report", 3600 / made["report"], "", "higher", None, None),
        Figure("reports read per core-second, report", 1 / max(spent["report"], 1e-6), "", "higher", None, reading),
    ]


def measure(sizes: Sizes) -> list[Figure]:
    """Both."""
    services = (*SERVICES, "face-check", "asr")
    with stack_for_calls(services) as (stack, client):
        return [*held_figures(stack, client, sizes), *report_figures(stack, client, sizes)]
