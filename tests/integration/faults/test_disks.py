"""A disk without room: what was confirmed is kept, what was not is refused, and it goes on when there is room."""

import asyncio
import base64
import hashlib
import json
import os
import resource
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import nats
import pytest
from nats.aio.client import Client
from tests.integration.faults.recordings import ROOT

from shuanglu_common.bus.bus import Bus, BusUnavailable
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.bus.subjects import Stream
from shuanglu_common.clock import SystemClock
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import choose_ports
from shuanglu_stack.process import ManagedProcess, Spawner
from shuanglu_stack.readiness import port_open, wait_ready

MIB = 1 << 20
EVENT_BYTES = 64 << 10
MOST_EVENTS = 400
STARTS_WITHIN_S = 30
# Root may mount in a namespace of its own; anybody else becomes root in one first.
AS_ROOT = os.geteuid() == 0
PRIVATE = ("unshare", "-m") if AS_ROOT else ("unshare", "-rm")
ENTER = ("nsenter", "-m") if AS_ROOT else ("nsenter", "-U", "--preserve-credentials", "-m")


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk of a few MiB at `folder`, that only programs started with `inside` see."""

    folder: Path
    holder: int

    @property
    def inside(self) -> tuple[str, ...]:
        return (*ENTER, "-t", str(self.holder))

    @property
    def from_outside(self) -> Path:
        return Path(f"/proc/{self.holder}/root{self.folder}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """24 MiB of memory."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = 'mount -t tmpfs -o size=24m tmpfs "$0" && echo mounted && exec sleep 600'
    holder = subprocess.Popen([*PRIVATE, "sh", "-c", mount, str(folder)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"mounted\n"
    yield SmallDisk(folder, holder.pid)
    holder.kill()
    holder.wait()
    holder.stdout.close()


class OwnBus:
    """A NATS server with a limit on its store."""

    def __init__(self, data_dir: Path, logs_dir: Path, limit_bytes: int, inside: tuple[str, ...] = ()) -> None:
        ports = choose_ports(["bus", "monitor"], "free", 0, 0)
        data_dir.mkdir(parents=True, exist_ok=True)
        command = nats_command(data_dir, logs_dir, ports["bus"], ports["monitor"], "test-only")
        self._port = ports["bus"]
        self._configuration = Path(command.argv[command.argv.index("-c") + 1])
        self._spawner = Spawner()
        self.url = nats_url(ports["bus"], "test-only")
        self.process = ManagedProcess(replace(command, argv=(*inside, *command.argv), cwd=logs_dir), self._spawner)
        self.limit(limit_bytes)

    def start(self) -> None:
        self.process.start()
        wait_ready(self.process, port_open(self._port), STARTS_WITHIN_S, threading.Event())

    def limit(self, size_bytes: int) -> None:
        configuration = json.loads(self._configuration.read_text())
        configuration["jetstream"]["max_file_store"] = size_bytes
        self._configuration.write_text(json.dumps(configuration))

    def stop(self) -> None:
        self.process.stop()
        self._spawner.close()


async def connected(url: str) -> Client:
    async def quiet(_error: Exception) -> None:
        """Lost connections are expected here."""

    return await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=quiet)


async def fill(bus: Bus, name: str) -> list[str]:
    """Publish until it is refused; what was confirmed."""
    confirmed: list[str] = []
    for number in range(MOST_EVENTS):
        event_id = f"{name}-{number}"
        try:
            await bus.publish_raw(f"media.v1.bank.{event_id}.import_requested", os.urandom(EVENT_BYTES), event_id)
        except BusUnavailable:
            return confirmed
        confirmed.append(event_id)
    raise AssertionError("the disk was never full")


async def stored(bus: Bus) -> set[str]:
    info = await bus.jetstream.stream_info(Stream.MEDIA, subjects_filter="media.v1.bank.*.import_requested")
    return {name.split(".")[3] for name in info.state.subjects or {}}


async def until_published(bus: Bus) -> None:
    async with asyncio.timeout(STARTS_WITHIN_S):
        while True:
            try:
                await bus.publish_raw("media.v1.bank.again.import_requested", b"x", "again")
            except BusUnavailable:
                await asyncio.sleep(0.2)
            else:
                return


async def test_a_bus_at_its_limit_confirms_nothing_that_it_does_not_keep_and_goes_on(tmp_path: Path) -> None:
    server = OwnBus(tmp_path, tmp_path, 8 * MIB)
    server.start()
    client = await connected(server.url)
    try:
        await ensure_streams(client.jetstream())
        bus = Bus(client, "tester", SystemClock())
        confirmed = await fill(bus, "event")
        assert confirmed
        assert await stored(bus) == set(confirmed)
        server.limit(64 * MIB)
        pid = server.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGHUP)
        await until_published(bus)
        assert await stored(bus) == {*confirmed, "again"}
    finally:
        await client.close()
        server.stop()


async def test_a_bus_whose_disk_is_full_has_all_that_it_confirmed_after_its_restart(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    # The configuration is read from the small disk as well, where the server's folder is.
    ballast = small_disk.from_outside / "ballast"
    server = OwnBus(tmp_path / "bus", tmp_path, 64 * MIB, small_disk.inside)
    folder = json.loads((tmp_path / "bus" / "nats" / "nats.conf").read_text())
    folder["jetstream"]["store_dir"] = str(small_disk.folder)
    (tmp_path / "bus" / "nats" / "nats.conf").write_text(json.dumps(folder))
    ballast.write_bytes(bytes(16 * MIB))
    server.start()
    client = await connected(server.url)
    try:
        await ensure_streams(client.jetstream())
        bus = Bus(client, "tester", SystemClock())
        confirmed = await fill(bus, "event")
        assert confirmed
        ballast.unlink()
        server.process.kill()
        server.start()
        await until_published(bus)
        assert await stored(bus) >= {*confirmed, "again"}
    finally:
        await client.close()
        server.stop()


def test_an_upload_goes_on_after_the_doors_disk_was_full(tmp_path: Path) -> None:
    data = os.urandom(6 * MIB)
    options = StackOptions(data_dir=tmp_path / "stack", root=ROOT, services=("media-ingest",))
    with EmbeddedStack(options) as stack, door(stack) as client:
        pid = stack.pids()["media-ingest"]
        made = client.post("/files/", headers={"Upload-Length": str(len(data))})
        url = made.headers["Location"]
        # A limit on the size of its files stands for a disk of that size: the kernel refuses the write all the same.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (3 * MIB, resource.RLIM_INFINITY))
        refused = send(client, url, data, 0)
        assert refused.status_code == httpx.codes.INSUFFICIENT_STORAGE
        assert refused.json()["message"]
        kept = int(client.head(url).headers["Upload-Offset"])
        assert 0 <= kept <= 3 * MIB
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        done = send(client, url, data, kept)
        assert (done.status_code, int(done.headers["Upload-Offset"])) == (httpx.codes.NO_CONTENT, len(data))
        assert stack.pids()["media-ingest"] == pid
        upload_id = url.rstrip("/").rpartition("/")[2]
        kept_files = [path for path in (stack.data_dir / "spool").rglob(f"{upload_id}*") if path.stat().st_size > MIB]
        assert [path.read_bytes() == data for path in kept_files] == [True]


def door(stack: EmbeddedStack) -> httpx.Client:
    headers = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {stack.token()}"}
    context = ssl.create_default_context(cafile=str(stack.ca))
    return httpx.Client(base_url=stack.gateway_url, headers=headers, verify=context, timeout=30)


def send(client: httpx.Client, url: str, data: bytes, offset: int) -> httpx.Response:
    rest = data[offset:]
    headers = {
        "Upload-Offset": str(offset),
        "Upload-Checksum": f"sha256 {base64.b64encode(hashlib.sha256(rest).digest()).decode()}",
        "Content-Type": "application/offset+octet-stream",
    }
    return client.patch(url, headers=headers, content=rest)
