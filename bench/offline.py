"""The thread from a stored file to its report, on the real stack with the committed sample."""

import asyncio
import shutil
import time
from pathlib import Path

import nats
from rich.console import Console

import bus
from figures import Figure, keep
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_common.bus.events import Event, decode
from shuanglu_common.bus.subjects import Stream, event_type, subject
from shuanglu_stack.announcer import ConsoleAnnouncer
from shuanglu_stack.demo import IDLE_S, SAMPLE, costs
from shuanglu_stack.sampling import client_of, sample_recording
from shuanglu_stack.stack import EmbeddedStack, StackOptions

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("signaling", "media-ingest", "face-check", "asr", "quality", "report")
MIB = 1 << 20
# With their child processes, each with its own peak.
MEMORY_MIB = {"face-check": 400, "asr": 700, "media-ingest": 350}
MEMORY_OTHER_MIB = 200


async def last_event(url: str, stream: Stream, message: type, session_id: str) -> Event[object]:  # type: ignore[type-var]
    """The newest event of a kind of one session."""
    client = await nats.connect(url)
    try:
        found = await client.jetstream().get_last_msg(stream, subject(event_type(message), "demo", session_id))
        return decode(found.data or b"")  # type: ignore[return-value]
    finally:
        await client.close()


def seconds_to_report(url: str, session_id: str) -> float:
    """From the last observation's arrival at quality to the report's event."""
    verdict = asyncio.run(last_event(url, Stream.QUALITY, VerdictReached, session_id))
    ready = asyncio.run(last_event(url, Stream.REPORTS, ReportReady, session_id))
    assert isinstance(verdict.payload, VerdictReached)
    return (ready.occurred_at_us - verdict.payload.last_observation_at_us) / 1e6


def measure() -> list[Figure]:
    """Import the sample once to warm up and once to measure."""
    data_dir = ROOT / ".data" / "bench-offline"
    shutil.rmtree(data_dir, ignore_errors=True)
    recording = sample_recording(ROOT / SAMPLE)
    options = StackOptions(data_dir=data_dir, root=ROOT)
    with EmbeddedStack(options, ConsoleAnnouncer(Console())) as stack:
        with client_of(stack) as client:
            client.wait(client.send(recording).session_id)
            time.sleep(2)
            idle = stack.usage()
            time.sleep(IDLE_S)
            before = stack.usage()
            started = time.monotonic()
            session = client.send(recording)
            report = client.wait(session.session_id)
            wall_s = time.monotonic() - started
            after = stack.usage()
        to_report_s = seconds_to_report(stack.nats_url, session.session_id)
        spent = costs(idle, before, after, wall_s)
        ratio, raw_us = asyncio.run(bus.overhead_ratio(stack.nats_url))
    minutes = report.result.duration_ms / 60_000
    figures = [
        Figure(f"core-seconds per recorded minute, {name}", spent[name][0] / minutes, "s", "lower") for name in SERVICES
    ]
    total = sum(spent[name][0] for name in SERVICES) / minutes
    figures.append(Figure("core-seconds per recorded minute, all services", total, "s", "lower", 25))
    others = sum(work for name, (work, _) in spent.items() if name not in SERVICES) / minutes
    figures.append(Figure("core-seconds per recorded minute, NATS, PostgreSQL, S3, Envoy", others, "s", "lower"))
    for name in SERVICES:
        limit = MEMORY_MIB.get(name, MEMORY_OTHER_MIB)
        figures.append(
            Figure(f"peak resident memory, {name}", after[name].peak_resident_bytes / MIB, "MiB", "lower", limit)
        )
    figures.append(Figure("wall time per recorded minute", wall_s / minutes, "s", "lower"))
    figures.append(Figure("last observation to report", to_report_s, "s", "lower", 5))
    figures.append(Figure("bus, cost of an event", ratio, "x", "lower", 2.5, f"raw nats-py, {raw_us:.0f} µs"))
    return figures


def main() -> None:
    """Measure, print, keep."""
    keep("offline", measure())


if __name__ == "__main__":
    main()
