"""Workers follow the lag by KEDA's formula, on a real NATS: nothing is lost, nothing done twice, calls do not wait."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import nats
import pytest
from nats.aio.client import Client

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu.observation.v1.observations_pb2 import FacesObserved
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.events import NewEvent, decode
from shuanglu_common.bus.scaling import lag_threshold, wanted_workers
from shuanglu_common.bus.subjects import Lane, Stream, filter_subject
from shuanglu_common.clock import SystemClock
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import LOOPBACK, choose_ports
from shuanglu_stack.process import ManagedProcess, Spawner

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "test-only"
SESSIONS = 200
SECONDS_PER_EVENT = 0.15
THRESHOLD = lag_threshold(10, SECONDS_PER_EVENT)
LIVE_TARGET_S = 5.0
MOST = 3
LOOK_EVERY_S = 0.5


@dataclass
class House:
    """A NATS server, the job that makes streams and consumers, and pools of workers."""

    url: str
    monitor: str
    workers: dict[Lane, list[subprocess.Popen[bytes]]] = field(default_factory=lambda: {lane: [] for lane in Lane})
    stopped: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def job(self) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "shuanglu_common.streams_job"]
        env = {**os.environ, "SHUANGLU_NATS_URL": self.url}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=90, check=False)

    async def lag(self, lane: Lane) -> tuple[int, int]:
        """What KEDA's scaler reads of a consumer: waiting, in hand."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(
                f"{self.monitor}/jsz", params={"acc": "$G", "consumers": "true", "config": "true"}
            )
        (account,) = answer.json()["account_details"]
        (stream,) = [one for one in account["stream_detail"] if one["name"] == "MEDIA"]
        (consumer,) = [one for one in stream["consumer_detail"] if one["name"] == f"face-check-{lane}"]
        return consumer["num_pending"], consumer["num_ack_pending"]

    def scale(self, lane: Lane, wanted: int) -> None:
        pool = self.workers[lane]
        while len(pool) < wanted:
            argv = [sys.executable, "-m", "tests.integration.scaling.worker", self.url, lane, str(SECONDS_PER_EVENT)]
            pool.append(subprocess.Popen(argv, cwd=ROOT))
        while len(pool) > wanted:
            worker = pool.pop()
            worker.terminate()
            self.stopped.append(worker)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    ports = choose_ports(["nats", "monitor"], "free", 0, 0, 0)
    spawner = Spawner()
    server = ManagedProcess(
        nats_command(tmp_path, tmp_path / "logs", ports["nats"], ports["monitor"], PASSWORD), spawner
    )
    server.start()
    made = House(nats_url(ports["nats"], PASSWORD), f"http://{LOOPBACK}:{ports['monitor']}")
    try:
        yield made
    finally:
        for lane in Lane:
            made.scale(lane, 0)
        codes = [worker.wait(timeout=30) for worker in made.stopped]
        server.stop()
        spawner.close()
    # One that was still starting had nothing in hand.
    assert set(codes) <= {0, -signal.SIGTERM}, "a worker that is scaled away finishes what it has in hand"


async def test_the_streams_job_says_what_it_did_and_may_run_again(house: House) -> None:
    for _ in range(50):
        first = await asyncio.to_thread(house.job)
        if not first.returncode:
            break
    assert "6 consumers made" in first.stdout
    assert "0 consumers made" in (await asyncio.to_thread(house.job)).stdout
    client = await nats.connect(house.url)
    await client.jetstream().add_consumer("MEDIA", durable_name="face-check", ack_policy="explicit")
    await client.close()
    assert "no service has MEDIA/face-check" in (await asyncio.to_thread(house.job)).stdout


async def test_pools_follow_the_lag_and_no_call_waits_for_imports(house: House) -> None:
    assert (await asyncio.to_thread(house.job)).returncode == 0
    client = await nats.connect(house.url)
    bus = Bus(client, "media-ingest", SystemClock())
    # The floor of the live pool: it is there before anybody calls.
    house.scale(Lane.LIVE, 1)
    async with asyncio.timeout(60):
        while not (await client.jetstream().consumer_info(Stream.MEDIA, f"face-check-{Lane.LIVE}")).num_waiting:  # noqa: ASYNC110 - the bus tells nobody
            await asyncio.sleep(0.1)
    imports = [NewEvent("bank", f"import-{n}", SegmentStored(), "1", Lane.OFFLINE) for n in range(SESSIONS)]
    await bus.publish_all(imports)
    assert await house.lag(Lane.OFFLINE) == (SESSIONS, 0)
    assert wanted_workers(SESSIONS, 0, THRESHOLD, 0, MOST) == MOST

    sizes, calls = [], 0
    while True:
        for lane, least in ((Lane.OFFLINE, 0), (Lane.LIVE, 1)):
            pending, in_hand = await house.lag(lane)
            house.scale(lane, wanted_workers(pending, in_hand, THRESHOLD, least, MOST))
        sizes.append(len(house.workers[Lane.OFFLINE]))
        if not sizes[-1]:
            break
        await bus.publish(NewEvent("bank", f"call-{calls}", SegmentStored(), "1"))
        calls += 1
        await asyncio.sleep(LOOK_EVERY_S)

    assert max(sizes) == MOST, "a night's imports bring all that may be"
    assert set(range(1, MOST)) & set(sizes), "it shrinks step by step"
    found = await observed(client, SESSIONS + calls)
    await client.close()
    assert sorted(found) == sorted([*(event.session_id for event in imports), *(f"call-{n}" for n in range(calls))])
    late = [seconds for session_id, seconds in found.items() if session_id.startswith("call-")]
    assert max(late) < LIVE_TARGET_S


async def observed(client: Client, count: int) -> dict[str, float]:
    """Sessions that were looked at, with the seconds from their segment to that. Fails if one was observed twice."""
    jetstream = client.jetstream()
    segments: dict[str, int] = {}
    for lane in Lane:
        subscription = await jetstream.pull_subscribe(filter_subject(SegmentStored, lane), stream=Stream.MEDIA)
        while (await subscription.consumer_info()).num_pending:
            for message in await subscription.fetch(100, timeout=5):
                event = decode(message.data)
                segments[event.session_id] = event.occurred_at_us
    found: dict[str, float] = {}
    seen = await jetstream.pull_subscribe(filter_subject(FacesObserved), stream=Stream.OBSERVATIONS)
    while len(found) < count:
        for message in await seen.fetch(100, timeout=20):
            event = decode(message.data)
            assert event.session_id not in found, "the same segment was observed twice"
            found[event.session_id] = (event.occurred_at_us - segments[event.session_id]) / 1e6
    return found
