"""What one look through a file tells, and what follows: carried or encoded anew, and from when to when."""

from array import array
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from shuanglu_media_ingest.domain import timeline
from shuanglu_media_ingest.domain.codecs import CARRIED_AUDIO, CARRIED_VIDEO

# A segment is at least one group of pictures, held in memory: beyond this a working copy is encoded.
MAX_KEY_INTERVAL_S = 10
MAX_GROUP_BYTES = 32 << 20
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# A container that promises this much more than it holds has lost something; less is rounding.
PROMISE_S = Fraction(1)


class Medium(StrEnum):
    """What a stream carries."""

    VIDEO = "video"
    AUDIO = "audio"


@dataclass(slots=True)
class Stream:
    """One stream of a file, filled packet by packet. Timestamps are in the stream's own ticks, on the unbroken line."""

    index: int
    medium: Medium
    codec: str  # FFmpeg's name, such as `h264`
    time_base: Fraction
    start_at: int | None = None  # first presented moment, as the container says
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0
    language: str = ""  # as the container notes it, such as `zho`
    promised_packets: int = 0  # as the container's index says; 0 if it has none
    promised_end: int | None = None  # end as the container's index says
    present_at: "array[int]" = field(default_factory=lambda: array("q"))
    keys: "array[int]" = field(default_factory=lambda: array("q"))
    packets: int = 0
    duration: int = 0  # of the last packet
    size_bytes: int = 0
    group_bytes: int = 0  # of the group of pictures in hand
    largest_group_bytes: int = 0
    hidden: int = 0  # packets that an edit list hides
    untimed: int = 0  # packets without a timestamp

    def add(self, present_at: int | None, duration: int, size_bytes: int, *, key: bool, hidden: bool) -> None:
        """Takes one packet in decode order. Pictures before the first key frame do not count: none can be decoded."""
        self.packets += 1
        if self.medium is Medium.VIDEO and not key and not self.keys and not self.untimed and not self.hidden:
            return
        self.hidden += hidden
        if present_at is None:
            self.untimed += 1
            return
        self.size_bytes += size_bytes
        if hidden:
            return
        if key:
            self.group_bytes = 0
            self.keys.append(present_at)
        self.group_bytes += size_bytes
        self.largest_group_bytes = max(self.largest_group_bytes, self.group_bytes)
        self.present_at.append(present_at)
        self.duration = duration or self.duration

    @property
    def usable(self) -> bool:
        """False for a stream that is declared but holds nothing."""
        return bool(self.present_at) or bool(self.untimed)

    @property
    def carried(self) -> bool:
        """True if CMAF takes the packets as they are; else a working copy is encoded."""
        if self.untimed or not self.present_at:
            return False
        if self.medium is Medium.AUDIO:
            return self.codec in CARRIED_AUDIO
        return (
            self.codec in CARRIED_VIDEO
            and not self.hidden
            and self.largest_group_bytes <= MAX_GROUP_BYTES
            and timeline.longest_key_interval(self.present_at, self.keys) * self.time_base <= MAX_KEY_INTERVAL_S
        )

    def timescale(self, *, carried: bool) -> int:
        """Ticks a second of the stored track. A working copy of sound has the next rate that AAC knows."""
        if self.medium is Medium.VIDEO:
            return timeline.VIDEO_TIMESCALE
        if carried:
            return self.sample_rate
        return next((rate for rate in AAC_RATES if rate >= self.sample_rate), AAC_RATES[-1])

    @property
    def begins_s(self) -> Fraction:
        """First presented moment in seconds of the file's clock."""
        first = min(self.present_at, default=0)
        # Sound may begin with priming packets before its declared start; pictures begin where they begin.
        if self.start_at is not None and (self.medium is Medium.AUDIO or not self.present_at):
            first = max(first, self.start_at)
        return first * self.time_base

    @property
    def ends_s(self) -> Fraction:
        """End of the last presented moment in seconds of the file's clock."""
        if not self.present_at:
            return self.begins_s
        return (max(self.present_at) + (self.duration or self.usual_duration)) * self.time_base

    @property
    def usual_duration(self) -> int:
        """Length of a packet in stream ticks, at least 1."""
        return timeline.usual_step(self.present_at) or self.duration or 1


@dataclass(frozen=True, slots=True)
class Survey:
    """A file, looked through once."""

    format: str  # FFmpeg's name of the container
    streams: tuple[Stream, ...]  # usable ones, in the file's order
    promised_s: Fraction | None = None  # where the container says that the file ends, on the file's clock
    promise_slack_s: Fraction = PROMISE_S  # how much less than promised is the container's rounding
    breaks_off: bool = False  # the file ends in the middle of something

    @property
    def origin(self) -> Fraction:
        """The file's first presented moment, in seconds of its own clock."""
        return min(stream.begins_s for stream in self.streams)

    def clock(self, stream: Stream, offset_ms: int, *, carried: bool) -> timeline.Clock:
        """Maps a stream's timestamps onto its stored track."""
        return timeline.Clock(stream.time_base, self.origin, offset_ms, stream.timescale(carried=carried))

    def promised_end_s(self, stream: Stream) -> Fraction | None:
        """Where the container says that the stream ends, if that is clearly later than it does; else None."""
        promised = self.promised_s
        if stream.promised_end is not None:
            promised = stream.promised_end * stream.time_base
        return promised if promised is not None and promised - stream.ends_s > self.promise_slack_s else None

    @property
    def ends_s(self) -> Fraction:
        """Where the file ends or should end, in seconds of its own clock."""
        promised = (self.promised_end_s(stream) for stream in self.streams)
        return max([stream.ends_s for stream in self.streams] + [end for end in promised if end is not None])

    def end_ms(self, offset_ms: int) -> int:
        """Where the file ends on the session's timeline; at least where it begins."""
        return offset_ms + max(0, round((self.ends_s - self.origin) * 1000))
