"""One participant's sound or picture, over all connections of the session: records in, segments out.

What comes out depends on the records alone: not on when they were read, nor on how often the reader was killed.
"""

from dataclasses import dataclass, field
from typing import Self

from shuanglu_media_ingest.domain import codecs
from shuanglu_media_ingest.domain.cutting import SEGMENT_MS, Cut, Cutter, Unit
from shuanglu_media_ingest.domain.gaps import Cause, Gap
from shuanglu_media_ingest.domain.live import checkpoints, cmaf, marks, opus, sps
from shuanglu_media_ingest.domain.live.clock import Placed, RtpClock
from shuanglu_media_ingest.domain.live.h264 import Pictures
from shuanglu_media_ingest.domain.live.mjr import Damage, Record
from shuanglu_media_ingest.domain.live.rtp import Packet, Sequencer
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.domain.timeline import GAP_MS, VIDEO_TIMESCALE

# Until two pictures are known, one lasts so long; a slower camera's may last up to GAP_MS.
_FIRST_PICTURE = VIDEO_TIMESCALE // 15


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A finished segment, numbered from 1. Milliseconds from the session's start, the end excluded."""

    index: int
    data: bytes
    start_ms: int
    end_ms: int
    duration_ms: int  # without the holes in it


@dataclass(slots=True)
class LiveTrack:
    """A track that grows. See the package's docstring for how it is used. Every field is part of the checkpoint."""

    medium: Medium
    origin_us: int  # the session's start, microseconds since the epoch
    segment_ms: int = SEGMENT_MS
    connection: int = 0  # of the file in hand; 0 before the first
    offset: int = 0  # byte of that file from which reading goes on
    seen_ms: int = 0  # arrival of the latest record, milliseconds from the session's start
    init: bytes = b""  # the init segment
    width: int = 0
    height: int = 0
    start_ms: int = 0  # where the first segment begins
    end_ms: int = 0  # where the last segment that came out ends
    holes: list[Gap] = field(default_factory=list)  # inside the track, longer than 0.5 s
    damaged_bytes: int = 0
    malformed: int = 0  # packets that were refused, of all files
    _first_us: int = 0  # of the file in hand, from the session's start
    _sequencer: Sequencer = field(default_factory=Sequencer)
    _clock: RtpClock | None = None
    _pictures: Pictures = field(default_factory=Pictures)
    _cutter: Cutter | None = None
    _last: int = -1  # where the latest unit begins, ticks; -1 before the first
    _end: int = 0  # where it ends
    _step: int = _FIRST_PICTURE
    _epoch: tuple[int, int] = (0, 0)  # connection and epoch of its clock
    _dropped: int = 0  # pictures that had been dropped when the latest one came out
    _lost: bool = False  # something is missing since the latest unit
    _holes_ms: int = 0  # in the segment in hand

    @classmethod
    def restored(cls, checkpoint: bytes) -> Self:
        """The track as it stood. Raises CheckpointUnreadable."""
        return checkpoints.read(cls, checkpoint)

    def checkpoint(self) -> bytes:
        """All that is needed to go on from `connection` and `offset`."""
        return checkpoints.written(self)

    def begin_file(self, connection: int, first_at_us: int) -> list[LiveSegment]:
        """The next file; the one before is at its end. `connection`: greater than that of any file before.

        `first_at_us`: arrival of its first record, microseconds since the epoch, on the clock of `origin_us`.
        """
        out = self._end_file()
        self.connection, self.offset = connection, 0
        self._first_us = max(0, first_at_us - self.origin_us)
        self._sequencer, self._clock = Sequencer(), RtpClock(self.timescale, self._first_us)
        return out

    def feed(self, record: Record) -> list[LiveSegment]:
        """The next record of the file in hand."""
        self.offset = record.end_offset
        self.seen_ms = max(self.seen_ms, self._first_us // 1000 + record.arrived_ms)
        before = self._sequencer.refused
        packets = self._sequencer.add(record.packet, record.arrived_ms)
        self.malformed += self._sequencer.refused - before
        return self._take(packets)

    def damaged(self, damage: Damage) -> None:
        """Bytes of the file in hand are no records. The packets' numbers will tell what is missing."""
        self.offset = damage.end_offset
        self.damaged_bytes += damage.end_offset - damage.offset

    def finish(self) -> list[LiveSegment]:
        """The rest: the recording is closed."""
        out = self._end_file()
        last = self._cutter.finish() if self._cutter else None
        return out if last is None else [*out, self._segment(last)]

    @property
    def timescale(self) -> int:
        """Ticks a second, of the sender's clock and of the stored track alike."""
        return VIDEO_TIMESCALE if self.medium is Medium.VIDEO else opus.SAMPLE_RATE

    @property
    def codec(self) -> str:
        """RFC 6381, such as `avc3.42e01f`; empty before the first segment."""
        return codecs.codec_string(self.init) if self.init else ""

    @property
    def sample_rate(self) -> int:
        """Samples a second; 0 for pictures."""
        return opus.SAMPLE_RATE if self.medium is Medium.AUDIO else 0

    @property
    def lost_permille(self) -> int:
        """Packets lost in the last 5 s that were seen, per 1000."""
        return self._sequencer.lost_permille()

    def gaps(self, known: list[marks.Mark], session_end_ms: int) -> list[Gap]:
        """All gaps, when the track is finished. `known`: marks that concern this track."""
        holes = [gap for gap in self.holes if gap.end_ms > gap.start_ms]
        if self.start_ms > GAP_MS:
            holes.insert(0, Gap(0, self.start_ms, Cause.AWAY))
        if session_end_ms - self.end_ms > GAP_MS:
            holes.append(Gap(self.end_ms, session_end_ms, Cause.AWAY))
        return marks.explained(holes, known)

    def _end_file(self) -> list[LiveSegment]:
        if self._clock is None:
            return []
        out = self._take(self._sequencer.flush())
        for placed in self._clock.flush():
            out += self._depacketise(placed)
        self._pictures.lose()
        self._clock = None
        return out

    def _take(self, packets: list[Packet]) -> list[LiveSegment]:
        if self._clock is None:
            raise ValueError("a record came before the first file was begun")
        out: list[LiveSegment] = []
        for packet in packets:
            for placed in self._clock.take(packet):
                out += self._depacketise(placed)
        return out

    def _depacketise(self, placed: Placed) -> list[LiveSegment]:
        self._lost = self._lost or placed.packet.after_loss
        if self.medium is Medium.AUDIO:
            return self._sound(placed)
        out: list[LiveSegment] = []
        before = self._pictures.malformed
        for picture in self._pictures.add(placed):
            self._lost = self._lost or self._pictures.dropped > self._dropped
            self._dropped = self._pictures.dropped
            if not self.init:
                size = sps.size(self._pictures.sps)
                self.width, self.height = size.width, size.height
                self.init = cmaf.video_init(self.timescale, self._pictures.sps, self._pictures.pps, size)
            step = picture.at - self._last
            if 0 < step * 1000 <= GAP_MS * self.timescale and self._last >= 0:
                self._step = step
            out += self._put(picture.at, picture.data, self._step, picture.epoch, key=picture.key)
        self.malformed += self._pictures.malformed - before
        return out

    def _sound(self, placed: Placed) -> list[LiveSegment]:
        packet = placed.packet
        if not packet.payload:
            return []
        duration = opus.duration(packet.payload)
        if not duration:
            self.malformed += 1
            return []
        if (self.connection, placed.epoch) != self._epoch and self._last >= 0 and placed.at + duration <= self._end:
            return []  # the connection before has this moment already
        self.init = self.init or cmaf.audio_init()
        return self._put(placed.at, packet.payload, duration, placed.epoch, key=True)

    def _put(self, at: int, data: bytes, duration: int, epoch: int, *, key: bool) -> list[LiveSegment]:
        """Puts one picture or packet of sound on the timeline, which never goes back."""
        at, hole_ms = max(at, self._last + 1), 0
        if self._last >= 0 and (at - self._end) * 1000 > GAP_MS * self.timescale:
            away = self._epoch[0] != self.connection
            cause = Cause.AWAY if away else Cause.LOST if self._lost else Cause.MISSING
            self.holes.append(Gap(self._ms(self._end), self._ms(at), cause))
            hole_ms = self._ms(at) - self._ms(self._end)
        self._last, self._end, self._lost = at, at + duration, False
        self._epoch = (self.connection, epoch)
        if self._cutter is None:
            self._cutter = Cutter(self.timescale, self.segment_ms, bounded=True)
        cut = self._cutter.add(Unit(data, at, at, at, duration, key))
        if cut is None:
            self._holes_ms += hole_ms
            return []
        return [self._segment(cut)]  # a hole ends a segment before it, and belongs to none

    def _segment(self, cut: Cut) -> LiveSegment:
        start_ms, end_ms = self._ms(cut.start), self._ms(cut.end)
        if cut.index == 1:
            self.start_ms = start_ms
        self.end_ms = end_ms
        duration_ms, self._holes_ms = max(0, end_ms - start_ms - self._holes_ms), 0
        return LiveSegment(cut.index, cut.data, start_ms, end_ms, duration_ms)

    def _ms(self, ticks: int) -> int:
        return (2000 * ticks + self.timescale) // (2 * self.timescale)
