"""All recordings of this machine: opened, closed, found again after a restart, removed when all is safe."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from shuanglu.media.v1.recorder_service_pb2 import CloseRecordingRequest, OpenRecordingRequest
from shuanglu_common.telemetry import TRACE_PARENT, inject
from shuanglu_media_ingest.errors import MediaNodeDraining, RecorderFull, RecordingClosed, RecordingNotFound, SpoolFull
from shuanglu_media_ingest.live import metrics
from shuanglu_media_ingest.live.journal import read_entries
from shuanglu_media_ingest.live.session import LiveRecording, Means, Phase
from shuanglu_media_ingest.live.spool import LiveSpool, SessionFolder

Key = tuple[str, str]  # tenant, session_id
# After a fault a session is left alone for so long; its media waits on disk.
REST_S = 1.0
UNFINISHED = frozenset({Phase.OPEN, Phase.CLOSING})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Manners:
    """See LiveSettings."""

    poll_s: float
    keep_s: float
    min_free_bytes: int
    alarm_free_bytes: int
    max_recordings: int


class Recorder:
    """Looks after all recordings of the spool."""

    def __init__(self, spool: LiveSpool, means: Means, manners: Manners) -> None:
        """The spool must have been taken."""
        self.spool, self.means, self.manners = spool, means, manners
        self.recordings: dict[Key, LiveRecording] = {}
        self.ending = asyncio.Event()
        self.draining = False
        self._opening = asyncio.Lock()
        self._rests_until: dict[Key, float] = {}

    def load(self) -> None:
        """Finds what a run before this one left. Raises OSError."""
        self.means.clock.load()
        for folder in self.spool.folders():
            try:
                self._find(folder)
            except Exception as error:  # noqa: BLE001 - one session's fault must not end the recording of all others
                log.error("live.unreadable", session_id=folder.session_id, error=error)
                metrics.UNREADABLE.inc()
        log.info("live.loaded", recordings=len(self.recordings))

    def _find(self, folder: SessionFolder) -> None:
        request = folder.opened()
        if request is None:
            if any(entry["is"] == "complete" for entry in read_entries(folder.journal)):
                folder.remove()  # a run before this one died while it removed it
                return
            log.error("live.not_opened", session_id=folder.session_id)
            metrics.UNREADABLE.inc()
            return
        recording = LiveRecording(folder, request, self.means)
        recording.load()
        self.recordings[(folder.tenant, folder.session_id)] = recording

    async def open(self, tenant: str, request: OpenRecordingRequest) -> LiveRecording:
        """Durable on return; a repeat adds the people that are new.

        Raises MediaNodeDraining, SpoolFull, RecorderFull, RecordingClosed.
        """
        async with self._opening:
            known = self.recordings.get((tenant, request.session_id))
            if known is None:
                return await self._begin(tenant, request)
            added = [person for person in request.participants if person not in known.request.participants]
            if not added:
                return known
            if known.close is not None:
                raise RecordingClosed
            changed = OpenRecordingRequest()
            changed.CopyFrom(known.request)
            changed.participants.extend(added)
            await self._durably(lambda: known.folder.keep_open(changed))
            known.request = changed
            return known

    @property
    def opening(self) -> bool:
        """Whether a session is just being opened: no phase tells of it yet."""
        return self._opening.locked()

    async def close(self, tenant: str, request: CloseRecordingRequest) -> None:
        """Durable on return; the first one counts. Raises RecordingNotFound."""
        recording = self.get(tenant, request.session_id)
        if recording.close is None:
            await self._durably(lambda: recording.folder.keep_close(request))
            recording.close = recording.close or request

    def get(self, tenant: str, session_id: str) -> LiveRecording:
        """Raises RecordingNotFound."""
        recording = self.recordings.get((tenant, session_id))
        if recording is None:
            raise RecordingNotFound
        return recording

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stop."""
        while not stopping.is_set():
            started = time.monotonic()
            more = False
            for recording in list(self.recordings.values()):
                more |= await self._turn(recording)
            rest_s = 0.0 if more else max(0.0, self.manners.poll_s - (time.monotonic() - started))
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), max(rest_s, 0.001))
        self.ending.set()
        await asyncio.gather(*(recording.stop() for recording in self.recordings.values()))

    async def tidy(self, stopping: asyncio.Event) -> None:
        """Removes, now and then, what has been safe for long enough; at once if the disk is nearly full."""
        while not stopping.is_set():
            for key, recording in list(self.recordings.items()):
                if self._may_go(recording):
                    await recording.stop()
                    await asyncio.to_thread(recording.folder.remove)
                    del self.recordings[key]
                    self._rests_until.pop(key, None)
                    log.info("live.removed", session_id=recording.folder.session_id)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 1)

    async def _begin(self, tenant: str, request: OpenRecordingRequest) -> LiveRecording:
        unfinished = sum(recording.phase in UNFINISHED for recording in self.recordings.values())
        if self.draining:
            raise MediaNodeDraining
        if self.spool.free_bytes() < self.manners.min_free_bytes:
            raise SpoolFull
        if unfinished >= self.manners.max_recordings:
            raise RecorderFull
        if not unfinished:
            self.means.clock.follow()
        folder = self.spool.folder(tenant, request.session_id)
        await self._durably(lambda: folder.keep_open(request))
        recording = LiveRecording(folder, request, self.means)
        recording.load()
        recording.keep_trace(inject().get(TRACE_PARENT, ""))
        self.recordings[(tenant, request.session_id)] = recording
        log.info("live.open", session_id=request.session_id)
        return recording

    async def _durably(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(work)
        except OSError as error:
            raise SpoolFull("The spool cannot be written.") from error

    async def _turn(self, recording: LiveRecording) -> bool:
        key = (recording.folder.tenant, recording.folder.session_id)
        if time.monotonic() < self._rests_until.get(key, 0.0):
            return False
        try:
            return await recording.turn()
        except OSError as error:
            log.error("live.spool_fails", session_id=recording.folder.session_id, error=error)
        except Exception as error:  # noqa: BLE001 - one session's fault must not end the recording of all others
            log.error("live.unforeseen", session_id=recording.folder.session_id, error=error)
        metrics.FAULTS.inc()
        self._rests_until[key] = time.monotonic() + REST_S
        return False

    def _may_go(self, recording: LiveRecording) -> bool:
        ended_us = recording.record.completed_at_us
        if ended_us is None or recording.phase in UNFINISHED:
            return False
        age_s = (self.means.clock.now_us() - ended_us) / 1e6
        return age_s >= self.manners.keep_s or self.spool.free_bytes() < self.manners.alarm_free_bytes
