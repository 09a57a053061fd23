"""Reads the files of one track while the media server writes them; holds finished segments until they are stored.

Which bytes count is written down before anything is made of them: when a file is taken to be at its end, and when its
first record arrived. So a restart makes the same segments of the same bytes, however much was written meanwhile.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from shuanglu_media_ingest.domain.live.checkpoints import CheckpointUnreadable
from shuanglu_media_ingest.domain.live.mjr import Damage, Header, Item, MjrParser, NotMjr, Record
from shuanglu_media_ingest.domain.live.track import LiveSegment, LiveTrack
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.live import metrics
from shuanglu_media_ingest.live.checkpoints import Checkpoint, read_checkpoint
from shuanglu_media_ingest.live.journal import Journal
from shuanglu_media_ingest.live.record import TrackRecord, end_entry, file_entry
from shuanglu_media_ingest.live.spool import MediaFile, SessionFolder

CHUNK_BYTES = 64 << 10
# Segments of one track that wait for the store in memory; what comes behind them stays on disk.
MOST_IN_HAND = 8
CHECKPOINT_EVERY = 5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class InHand:
    """A segment that the store has not confirmed."""

    segment: LiveSegment
    bytes_before: int  # of the track's files, up to where it was cut
    ready_at: float  # when it was cut; time.monotonic
    checkpoint: Checkpoint | None


@dataclass(slots=True)
class Budget:
    """Memory for segments in hand, of all sessions together."""

    limit_bytes: int
    used_bytes: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether those who have something in hand must wait."""
        return self.used_bytes >= self.limit_bytes


@dataclass(slots=True)
class Growing:
    """A file as it was last seen."""

    file: MediaFile
    size: int = 0
    changed_at: float = 0.0  # time.monotonic


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait for what the media server has not written out yet, in seconds."""

    # A file that another one of its track follows, or whose call has ended, is at its end when it stands still.
    quiet_s: float = 2.0
    # A media server that goes on writing after the call has ended is not waited for longer.
    seal_s: float = 30.0
    # Files of one participant appear one after the other, as their buffers fill: the earliest begins the timeline.
    settle_s: float = 1.2


@dataclass(frozen=True, slots=True)
class Where:
    """What all tracks of a session share."""

    folder: SessionFolder
    journal: Journal
    origin_us: int
    segment_ms: int
    ahead_us: Callable[[], int]  # how far the clock of the files' headers is ahead of the recorder's
    budget: Budget
    pace: Pace


class TrackTail:
    """One participant's sound or picture."""

    def __init__(self, where: Where, file: MediaFile, record: TrackRecord) -> None:
        """`file`: any of the track's. Goes on from the last checkpoint."""
        self.track_id, self.participant_id = file.track_id, file.participant_id
        self.medium = Medium.AUDIO if file.kind == "audio" else Medium.VIDEO
        self.record = record
        self.in_hand: deque[InHand] = deque()
        self.finished = False
        self.grown_at_us = 0
        self.confirmed_bytes = 0
        self._where = where
        self._files: dict[int, Growing] = {}  # by connection
        self._current: MediaFile | None = None
        self._parser = MjrParser()
        self._done: int = 0  # connections up to this one are read
        self.track = LiveTrack(self.medium, where.origin_us, where.segment_ms)
        self._restore()

    @property
    def checkpoint_path(self) -> Path:
        """Where the track's checkpoint is kept."""
        return self._where.folder.path / f"{self.track_id}.checkpoint"

    @property
    def connection(self) -> int:
        """Highest connection whose bytes have been seen."""
        return max((connection for connection, each in self._files.items() if each.size), default=0)

    @property
    def has_room(self) -> bool:
        """Whether more may be read into memory."""
        held = len(self.in_hand)
        return held < MOST_IN_HAND and not (held and self._where.budget.is_spent)

    @property
    def seen_ms(self) -> int:
        """End of what is on disk, milliseconds from the session's start."""
        if self._is_behind:
            return max(self.track.seen_ms, (self.grown_at_us - self._where.origin_us) // 1000)
        return self.track.seen_ms

    @property
    def unconfirmed_bytes(self) -> int:
        """On disk and not in the store."""
        return max(0, sum(each.size for each in self._files.values()) - self.confirmed_bytes)

    @property
    def _is_behind(self) -> bool:
        last = self._files[max(self._files)] if self._files else None
        if last is None or last.size == 0 or last.file.connection <= self._done:
            return False
        return last.file != self._current or last.size > self._parser.read_to

    def saw(self, file: MediaFile, size: int, now_us: int) -> None:
        """The media server's file has this size now."""
        known = self._files.get(file.connection)
        if known is None or file.line < known.file.line:
            self._files[file.connection] = known = Growing(file, changed_at=time.monotonic())
        if known.file != file or size == known.size:
            return
        if size < known.size:
            log.error("live.file_shrank", session_id=self._where.folder.session_id, track_id=self.track_id)
            metrics.DAMAGED_FILES.inc()
            return
        known.size, known.changed_at = size, time.monotonic()
        self.grown_at_us = now_us
        if file.connection <= self._done and size > self.record.ends.get(file.name, 0):
            log.warning("live.late_bytes", session_id=self._where.folder.session_id, track_id=self.track_id)
            metrics.LATE_FILES.inc()

    def knows(self, file: MediaFile) -> bool:
        """Whether `saw` was told of the file."""
        known = self._files.get(file.connection)
        return known is not None and file.line >= known.file.line

    async def advance(self, *, sealed: bool) -> bool:
        """Read some; True if there is more to read at once. `sealed`: no file grows any more. Raises OSError."""
        if self.finished:
            return False
        if self._current is None and not self._begin_next():
            if sealed:
                self._push(self.track.finish())
                self.finished = True
            return False
        growing = self._growing()
        end = self.record.ends.get(growing.file.name, growing.size)
        data = self._read(growing.file, min(CHUNK_BYTES, end - self._parser.read_to))
        if data:
            await self._take(growing.file, data)
            return True
        if growing.file.name in self.record.ends or sealed or self._is_left(growing):
            await self._end(growing.file)
            return True
        return False

    def _growing(self) -> Growing:
        if self._current is None:
            raise ValueError("no file is being read")
        return self._files[self._current.connection]

    def _begin_next(self) -> bool:
        later = [connection for connection in self._files if connection > self._done]
        if not later:
            return False
        self._current, self._parser = self._files[min(later)].file, MjrParser()
        return True

    def _is_left(self, growing: Growing) -> bool:
        later = any(each.size for each in self._files.values() if each.file.connection > growing.file.connection)
        return later and time.monotonic() - growing.changed_at >= self._where.pace.quiet_s

    def _read(self, file: MediaFile, most: int) -> bytes:
        if most <= 0:
            return b""
        with (self._where.folder.path / file.name).open("rb", buffering=0) as opened:
            opened.seek(self._parser.read_to)
            return opened.read(most) or b""

    async def _take(self, file: MediaFile, data: bytes) -> None:
        try:
            items = self._parser.feed(data)
        except NotMjr as error:
            # Nothing of it can be told apart; the participant's next connection has another file.
            log.error("live.not_a_recording", session_id=self._where.folder.session_id, offset=error.offset)
            metrics.DAMAGED_FILES.inc()
            await self._note_end(file, 0)
            self._leave(file)
            return
        await self._feed(file, items)

    async def _end(self, file: MediaFile) -> None:
        """The file counts up to where it was read, whatever else is written to it."""
        await self._note_end(file, self._parser.read_to)
        if self._parser.read_to:
            await self._feed(file, self._parser.finish())
        self._leave(file)

    async def _note_end(self, file: MediaFile, offset: int) -> None:
        if file.name not in self.record.ends:
            await self._where.journal.append(end_entry(self.track_id, file.name, offset))
            self.record.ends[file.name] = offset

    def _leave(self, file: MediaFile) -> None:
        self._done, self._current = file.connection, None

    async def _feed(self, file: MediaFile, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Record):
                self._push(self.track.feed(item), file)
            elif isinstance(item, Header):
                self._push(self.track.begin_file(file.connection, await self._first_at_us(file, item)))
            elif isinstance(item, Damage):
                metrics.DAMAGED_BYTES.inc(item.end_offset - item.offset)
                self.track.damaged(item)

    async def _first_at_us(self, file: MediaFile, header: Header) -> int:
        """Arrival of the file's first record on the recorder's clock; the same after a restart."""
        if file.name not in self.record.first_at_us:
            at_us = header.first_at_us - self._where.ahead_us()
            await self._where.journal.append(file_entry(self.track_id, file.name, at_us))
            self.record.first_at_us[file.name] = at_us
        return self.record.first_at_us[file.name]

    def _push(self, segments: Sequence[LiveSegment], file: MediaFile | None = None) -> None:
        """Into hand, unless they were confirmed before a restart. `file`: given where a checkpoint can be taken."""
        for segment in segments:
            if segment.index <= self.record.stored:
                continue
            checkpoint = None
            if file is not None and segment is segments[-1] and segment.index % CHECKPOINT_EVERY == 0:
                checkpoint = Checkpoint(segment.index, file.name, self.track.checkpoint())
            before = sum(each.size for each in self._files.values() if each.file.connection <= self._done)
            self.in_hand.append(InHand(segment, before + self.track.offset, time.monotonic(), checkpoint))
            self._where.budget.used_bytes += len(segment.data)

    def confirmed(self) -> None:
        """The store has the first segment in hand."""
        first = self.in_hand.popleft()
        self.confirmed_bytes = max(self.confirmed_bytes, first.bytes_before)
        self._where.budget.used_bytes -= len(first.segment.data)

    def _restore(self) -> None:
        kept = read_checkpoint(self.checkpoint_path)
        if kept is None or kept.index > self.record.stored:
            return
        for file, size in self._where.folder.media():
            if file.name == kept.file:
                try:
                    track = LiveTrack.restored(kept.state)
                except CheckpointUnreadable:
                    log.warning("live.checkpoint_unreadable", session_id=self._where.folder.session_id)
                    return
                self.track, self._current, self._done = track, file, file.connection - 1
                self._files[file.connection] = Growing(file, size, time.monotonic())
                self._parser = MjrParser(track.offset)
                return
