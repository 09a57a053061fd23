"""One session's recording, from the first byte in its folder to the last event."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

from shuanglu.common.v1.types_pb2 import Participant
from shuanglu.media.v1.recorder_service_pb2 import CloseRecordingRequest, OpenRecordingRequest
from shuanglu_media_ingest.domain.live.mjr import Header, MjrParser, NotMjr
from shuanglu_media_ingest.live import metrics
from shuanglu_media_ingest.live.clock import RecorderClock
from shuanglu_media_ingest.live.completing import complete
from shuanglu_media_ingest.live.journal import Journal
from shuanglu_media_ingest.live.photo import IdPhotos
from shuanglu_media_ingest.live.record import SessionRecord, complete_entry, origin_entry, trace_entry
from shuanglu_media_ingest.live.spool import MediaFile, SessionFolder
from shuanglu_media_ingest.live.storing import Keeping, StorePool
from shuanglu_media_ingest.live.tail import Budget, Pace, TrackTail, Where
from shuanglu_media_ingest.live.telling import Publish, Telling

HEAD_BYTES = 4096
# Read of one track before the others have their turn.
TURN_CHUNKS = 16

log = structlog.get_logger()


Work = Callable[[], Coroutine[Any, Any, None]]


class Phase(StrEnum):
    """Where a recording stands."""

    OPEN = "OPEN"
    CLOSING = "CLOSING"
    COMPLETE = "COMPLETE"
    EMPTY = "EMPTY"


@dataclass(frozen=True, slots=True)
class Means:
    """What all sessions of a recorder share."""

    clock: RecorderClock
    pool: StorePool
    publish: Publish
    photos: IdPhotos
    budget: Budget
    segment_ms: int
    pace: Pace = field(default_factory=Pace)


class LiveRecording:
    """Reads, stores and tells. `turn` is called again and again by one task; the rest runs beside it."""

    def __init__(self, folder: SessionFolder, request: OpenRecordingRequest, means: Means) -> None:
        """`load` comes next."""
        self.folder, self.request, self.means = folder, request, means
        self.close: CloseRecordingRequest | None = None
        self.record = SessionRecord()
        self.tails: dict[str, TrackTail] = {}
        self._journal = Journal(folder.journal)
        self._keeping = Keeping(folder, self._journal, self.record, means.pool)
        self._telling = Telling(folder, self._journal, self.record, means.publish, means.photos)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sizes: dict[MediaFile, int] = {}
        self._changed_at = time.monotonic()
        self._first_seen_at: float | None = None
        self._closed_at: float | None = None
        self._sealed = False

    def load(self) -> None:
        """What was before a restart. Raises OSError."""
        self.close = self.folder.closed()
        for entry in self._journal.read():
            self.record.apply(entry)

    def keep_trace(self, trace_parent: str) -> None:
        """What is told of the session belongs to this trace, also after a restart; empty: to none."""
        if trace_parent:
            entry = trace_entry(trace_parent)
            self.record.apply(entry)
            self._beside("trace", lambda: self._journal.append(entry, durable=False))

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        if self.record.completed_at_us is not None:
            return Phase.EMPTY if self.record.is_empty else Phase.COMPLETE
        return Phase.OPEN if self.close is None else Phase.CLOSING

    @property
    def people(self) -> dict[str, Participant]:
        """Who takes part, by id."""
        return {person.participant_id: person for person in self.request.participants}

    async def turn(self) -> bool:
        """Looks at the folder and reads what has come; True if there is more to read at once. Raises OSError."""
        self._raise_faults()
        if self.phase in (Phase.COMPLETE, Phase.EMPTY):
            return False
        self._look()
        sealed = self._is_sealed()
        if self.record.origin_us is None and not await self._begin(sealed=sealed):
            if sealed:
                self._beside("completing", self._complete)
            return False
        more = False
        for tail in self._known_tails():
            more |= await self._read(tail, sealed=sealed)
            if tail.in_hand:
                self._beside(tail.track_id, lambda tail=tail: self._store(tail))  # type: ignore[misc]
        if self.record.untold:
            self._beside("telling", self._tell)
        if sealed and all(tail.finished and not tail.in_hand for tail in self.tails.values()):
            self._beside("completing", self._complete)
        return more

    async def stop(self) -> None:
        """Give up what runs; the journal knows how far it is."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _is_sealed(self) -> bool:
        """Whether nothing more counts: the call has ended, and the media server has written out what it had."""
        if self.close is not None and not self._sealed:
            now, pace = time.monotonic(), self.means.pace
            self._closed_at = self._closed_at or now
            self._sealed = now - self._changed_at >= pace.quiet_s or now - self._closed_at >= pace.seal_s
        return self._sealed

    def _look(self) -> None:
        now_us = self.means.clock.now_us()
        for file, size in self.folder.media():
            if self._sizes.get(file) == size:
                continue
            self._sizes[file], self._changed_at = size, time.monotonic()
            if file.track_id in self.tails:
                self.tails[file.track_id].saw(file, size, now_us)

    def _known_tails(self) -> list[TrackTail]:
        """One for each track that has a file; made when its first file is seen."""
        for file, size in self._sizes.items():
            if file.track_id not in self.tails:
                tail = TrackTail(self._where(), file, self.record.track(file.track_id))
                self.tails[file.track_id] = tail
                log.info("live.track", session_id=self.folder.session_id, track_id=file.track_id)
            if not self.tails[file.track_id].knows(file):
                self.tails[file.track_id].saw(file, size, self.means.clock.now_us())
        return list(self.tails.values())

    def _where(self) -> Where:
        if self.record.origin_us is None:
            raise ValueError("the timeline has not begun")
        means = self.means
        return Where(
            folder=self.folder,
            journal=self._journal,
            origin_us=self.record.origin_us,
            segment_ms=means.segment_ms,
            ahead_us=means.clock.ahead_us,
            budget=means.budget,
            pace=means.pace,
        )

    async def _begin(self, *, sealed: bool) -> bool:
        """The timeline begins at the first byte of any track. False while that is not known."""
        written = [file for file, size in self._sizes.items() if size]
        if not written:
            return False
        self._first_seen_at = self._first_seen_at or time.monotonic()
        if time.monotonic() - self._first_seen_at < self.means.pace.settle_s and not sealed:
            return False
        heads = [head for file in written if (head := self._head(file)) is not None]
        if not heads:
            return False
        entry = origin_entry(min(head.first_at_us for head in heads) - self.means.clock.ahead_us())
        await self._journal.append(entry)
        self.record.apply(entry)
        return True

    def _head(self, file: MediaFile) -> Header | None:
        with (self.folder.path / file.name).open("rb") as opened:
            data = opened.read(HEAD_BYTES)
        try:
            items = MjrParser().feed(data)
        except NotMjr:
            return None
        return items[0] if items and isinstance(items[0], Header) else None

    async def _read(self, tail: TrackTail, *, sealed: bool) -> bool:
        before_ms = tail.track.seen_ms
        for _ in range(TURN_CHUNKS):
            if not tail.has_room or not await tail.advance(sealed=sealed):
                break
        else:
            await asyncio.sleep(0)
            return True
        metrics.SEEN_SECONDS.labels(tail.medium).inc(max(0, tail.track.seen_ms - before_ms) / 1000)
        return False

    async def _store(self, tail: TrackTail) -> None:
        person = self.people.get(tail.participant_id, Participant(participant_id=tail.participant_id))
        await self._keeping.store_all(tail, person)

    async def _tell(self) -> None:
        await self._telling.tell_all(self.request.inspection)

    async def _complete(self) -> None:
        """Runs once all is read and stored; what is told of segments comes first."""
        await self._tell()
        close = self.close or CloseRecordingRequest()
        tails = [self.tails[track_id] for track_id in sorted(self.tails)]
        told = await complete(self._keeping, self._telling, tails, self.people, self.request.inspection, close)
        entry = complete_entry(self.means.clock.now_us(), empty=not told)
        await self._journal.append(entry)
        self.record.apply(entry)
        metrics.RECORDINGS.labels("complete" if told else "empty").inc()

    def _beside(self, name: str, work: Work) -> None:
        """Run it unless it runs already. What tells is one at a time."""
        if name == "completing" and "telling" in self._tasks:
            return
        if name not in self._tasks and "completing" not in self._tasks:
            self._tasks[name] = asyncio.create_task(work(), name=f"{self.folder.session_id} {name}")

    def _raise_faults(self) -> None:
        """Lets go of what has ended. Raises what it raised."""
        for name, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[name]
                task.result()
