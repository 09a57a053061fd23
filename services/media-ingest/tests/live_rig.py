"""A recorder in this process, with a media server, a store and a bus that do what a test says."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from shuanglu.common.v1.types_pb2 import Inspection, ObjectRef, Participant, ParticipantRole
from shuanglu.media.v1.recorder_service_pb2 import CloseRecordingRequest, OpenRecordingRequest
from shuanglu_common.bus.bus import BusUnavailable
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.store import MemoryStore, StoreUnavailable
from shuanglu_media_ingest.live.clock import RecorderClock
from shuanglu_media_ingest.live.desk import UNFINISHED, Manners, Recorder
from shuanglu_media_ingest.live.photo import IdPhotos
from shuanglu_media_ingest.live.session import LiveRecording, Means
from shuanglu_media_ingest.live.spool import LiveSpool
from shuanglu_media_ingest.live.storing import StorePool
from shuanglu_media_ingest.live.tail import Budget, Pace

TENANT, SESSION = "demo", "live-1"
WAIT_S = 20
PEOPLE = (
    Participant(participant_id="customer", role=ParticipantRole.PARTICIPANT_ROLE_CUSTOMER),
    Participant(participant_id="agent", role=ParticipantRole.PARTICIPANT_ROLE_AGENT),
)


class Store(MemoryStore):
    """Goes away when told to; remembers whether a key ever got other bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.puts: list[str] = []
        self.changed: list[str] = []

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> ObjectRef:
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable("away")
        self.puts.append(key)
        if self.objects.get(key, data) != data:
            self.changed.append(key)
        return await super().put(key, data, content_type)


class Bus:
    """Keeps what it is told once, as the real one does by event id."""

    def __init__(self) -> None:
        self.is_away = False
        self.events: dict[str, NewEvent] = {}
        self.keys: list[str] = []

    async def publish(self, event: NewEvent) -> None:
        await asyncio.sleep(0)
        if self.is_away:
            raise BusUnavailable("away")
        self.keys.append(event.key)
        self.events.setdefault(event.event_id, event)

    def told(self, kind: type) -> list[NewEvent]:
        return [event for event in self.events.values() if isinstance(event.payload, kind)]


class Rig:
    """`async with Rig(folder)`: a recorder that runs; `restart` is a crash."""

    def __init__(self, root: Path, store: Store | None = None, bus: Bus | None = None, **manners: float) -> None:
        self.root = root
        self.store, self.bus = store or Store(), bus or Bus()
        self.budget = Budget(64 << 20)
        self.segment_ms = 2000
        self.pace = Pace(quiet_s=0.15, settle_s=0.05)
        self._manners = {"keep_s": 3600, "min_free_bytes": 0, "alarm_free_bytes": 0, "max_recordings": 10, **manners}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self.spool = LiveSpool(self.root)
        self.root.mkdir(parents=True, exist_ok=True)
        clock = RecorderClock(self.root / "clock.json")
        pool = StorePool(self.store, asyncio.Semaphore(8), clock)
        self.budget = Budget(self.budget.limit_bytes)
        means = Means(clock, pool, self.bus.publish, IdPhotos(self.store), self.budget, self.segment_ms, self.pace)
        self.recorder = Recorder(self.spool, means, Manners(poll_s=0.02, **self._manners))  # type: ignore[arg-type]
        self.recorder.load()
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self.recorder.run(self._stopping))

    async def stop(self) -> None:
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def restart(self) -> None:
        """What is not on disk is gone."""
        await self.stop()
        await self.start()

    @property
    def recording(self) -> LiveRecording:
        return self.recorder.recordings[(TENANT, SESSION)]

    async def open(self, *people: Participant) -> LiveRecording:
        inspection = Inspection(face_frames_per_kilosecond=2000, languages=["zh"])
        request = OpenRecordingRequest(session_id=SESSION, participants=people or PEOPLE, inspection=inspection)
        return await self.recorder.open(TENANT, request)

    async def close(self, ended_at_us: int = 0, **more: object) -> None:
        await self.recorder.close(
            TENANT,
            CloseRecordingRequest(session_id=SESSION, ended_at_us=ended_at_us, **more),  # type: ignore[arg-type]
        )

    def write(self, name: str, data: bytes) -> None:
        """More bytes of a file, as the media server writes them."""
        with (self.recording.folder.path / name).open("ab") as file:
            file.write(data)

    def write_all(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            self.write(name, data)

    async def until(self, what: Callable[[], bool]) -> None:
        """Returns when it is so; fails if it never is."""
        async with asyncio.timeout(WAIT_S):
            while not what():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)

    async def until_complete(self) -> None:
        await self.until(lambda: self.recording.phase not in UNFINISHED)
