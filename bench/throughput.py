"""Short recordings: how many a core does in an hour, what more workers bring, and what a long history costs."""

import os
import re
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import httpx

from figures import Figure
from history import History, Reads
from material import ROOT, SHORT_S, short_recordings
from shuanglu.session.v1.session_pb2 import Order
from shuanglu_cli.recording import Recording, read_role
from shuanglu_stack.demo import SAMPLE
from shuanglu_stack.sampling import Client, sample_recording
from shuanglu_stack.stack import EmbeddedStack
from sizes import Sizes

SENDERS = 4
WORKERS = 5
ENOUGH_CORES = 8
IDLE_S = 5.0
ASK_EVERY_S = 0.5
TIMEOUT_S = 1200
FEW_SESSIONS = 100
# Imported one by one, before and behind the long history.
ONE_BY_ONE = 15
MOST_GROWTH = 1.1
# Whose work could grow with what is there already; models see one recording only.
KEEPERS = ("signaling", "media-ingest", "quality", "report", "postgres", "nats")
STORE_COUNT = re.compile(r"^shuanglu_store_seconds_count\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


class Batches:
    """Recordings that nobody has imported yet: the same few pieces of the sample, each for an order of its own."""

    def __init__(self, folder: Path) -> None:
        """Makes the pieces if they are missing."""
        self._files = short_recordings(folder / "short")
        self._sample = sample_recording(ROOT / SAMPLE)
        self._numbers = count(1)

    def take(self, wanted: int) -> list[Recording]:
        """So many."""
        return [self._recording(next(self._numbers)) for _ in range(wanted)]

    def _recording(self, number: int) -> Recording:
        order = Order()
        order.CopyFrom(self._sample.order)
        order.order_no = f"BENCH-{number:08}"
        file = self._files[number % len(self._files)]
        return replace(self._sample, files=((file, (read_role("CUSTOMER"),)),), order=order, timeline=())


@dataclass(frozen=True, slots=True)
class Spent:
    """What a stack has used up: core-seconds by process, statements and rows read, operations of the store."""

    at_s: float
    cores: dict[str, float]
    reads: Reads
    store: int

    def core_seconds(self, names: Sequence[str] = ()) -> float:
        """Of these processes, or of all."""
        return sum(value for name, value in self.cores.items() if not names or name in names)


def spent(stack: EmbeddedStack, history: History) -> Spent:
    """Now."""
    store = 0
    for name in stack.service_pids():
        page = httpx.get(stack.ops_url(name) + "/metrics", timeout=10).text
        store += round(sum(map(float, STORE_COUNT.findall(page))))
    cores = {name: usage.core_seconds for name, usage in stack.usage().items()}
    return Spent(time.monotonic(), cores, history.reads(), store)


def flood(client: Client, history: History, recordings: Sequence[Recording]) -> float:
    """Import all at once; seconds until the last report."""
    before = history.reports()
    started = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(client.send, recordings))
    while history.reports() < before + len(recordings):
        if time.monotonic() > started + TIMEOUT_S:
            raise RuntimeError("not all recordings came to a report")
        time.sleep(ASK_EVERY_S)
    return time.monotonic() - started


def rate(stack: EmbeddedStack, client: Client, batches: Batches, recordings: int) -> tuple[float, float, float]:
    """Recordings per hour, per core-hour of all processes, and how many cores were busy."""
    history = History(stack)
    before = stack.usage()
    seconds = flood(client, history, batches.take(recordings))
    used = sum(usage.core_seconds - before[name].core_seconds for name, usage in stack.usage().items())
    return recordings * 3600 / seconds, recordings * 3600 / used, used / seconds


def flood_figures(stack: EmbeddedStack, client: Client, batches: Batches, sizes: Sizes) -> tuple[list[Figure], float]:
    """One worker of each kind; and the recordings per hour, to compare with."""
    client.wait(client.send(batches.take(1)[0]).session_id)
    hourly, core_hourly, busy = rate(stack, client, batches, sizes.recordings)
    what = f"{sizes.recordings} of {SHORT_S} s, face and voice"
    figures = [
        Figure("recordings per core-hour, all processes", core_hourly, "", "higher", None, what),
        Figure("recordings per hour, one worker of each kind", hourly, "", "higher", None, f"{busy:.1f} cores busy"),
    ]
    return figures, hourly


def more_workers(stack: EmbeddedStack, client: Client, batches: Batches, recordings: int, one: float) -> list[Figure]:
    """The same with more workers, against one of each kind."""
    hourly, _, busy = rate(stack, client, batches, recordings)
    cores = os.cpu_count() or 1
    enough = cores >= ENOUGH_CORES
    limit = "" if enough else f"; {busy:.1f} of {cores} cores busy, they are the limit"
    target = 4 if enough else None
    return [
        Figure(f"recordings per hour, x{WORKERS} workers", hourly / one, "x", "higher", target, f"one worker{limit}")
    ]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one recording, without what the stack does by itself."""

    statements: float
    rows_read: float
    store: float
    core_seconds: float
    seconds: float


def cost(stack: EmbeddedStack, client: Client, history: History, batches: Batches) -> Cost:
    """Of recordings that are imported one after the other."""
    client.wait(client.send(batches.take(1)[0]).session_id)
    time.sleep(2)
    quiet = spent(stack, history)
    time.sleep(IDLE_S)
    before = spent(stack, history)
    taken: list[float] = []
    for recording in batches.take(ONE_BY_ONE):
        started = time.monotonic()
        client.wait(client.send(recording).session_id)
        taken.append(time.monotonic() - started)
    after = spent(stack, history)
    idle = (after.at_s - before.at_s) / (before.at_s - quiet.at_s)

    def each(end: float, start: float, base: float) -> float:
        return (end - start - (start - base) * idle) / ONE_BY_ONE

    reads, from_reads, quiet_reads = after.reads, before.reads, quiet.reads
    return Cost(
        each(reads.statements, from_reads.statements, quiet_reads.statements),
        each(reads.rows_read, from_reads.rows_read, quiet_reads.rows_read),
        each(after.store, before.store, quiet.store),
        each(after.core_seconds(KEEPERS), before.core_seconds(KEEPERS), quiet.core_seconds(KEEPERS)),
        statistics.median(taken),
    )


def growth(stack: EmbeddedStack, client: Client, batches: Batches, sizes: Sizes) -> list[Figure]:
    """What a recording costs behind 100 sessions, and behind ten thousand."""
    history = History(stack)
    template = client.send(batches.take(1)[0]).session_id
    client.wait(template)
    history.count_statements()
    history.seed(template, FEW_SESSIONS)
    few = cost(stack, client, history, batches)
    history.seed(template, sizes.history - FEW_SESSIONS)
    many = cost(stack, client, history, batches)
    against = f"behind {FEW_SESSIONS} sessions"
    figures = [
        Figure("statements per recording", few.statements, "", "lower", None, against),
        Figure("rows read per recording", few.rows_read, "", "lower", None, against),
        Figure("store operations per recording", few.store, "", "lower", None, against),
    ]
    for what, now, then in (
        ("statements", many.statements, few.statements),
        ("rows read", many.rows_read, few.rows_read),
        ("store operations", many.store, few.store),
        ("core-seconds of services, PostgreSQL, NATS", many.core_seconds, few.core_seconds),
        ("seconds to the report", many.seconds, few.seconds),
    ):
        name = f"growth to {sizes.history} sessions, {what}"
        figures.append(Figure(name, now / then, "x", "lower", MOST_GROWTH, f"{then:.2f} {against}"))
    return figures
