"""What one look through a file tells, and what follows: which tracks, carried or encoded anew, from when to when."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from shuanglu_media_ingest.domain import timeline
from shuanglu_media_ingest.domain.codecs import CARRIED_AUDIO, CARRIED_VIDEO

# A segment is at least one group of pictures, held in memory: beyond this a working copy is encoded.
MAX_KEY_INTERVAL_S = 10
MAX_GROUP_BYTES = 32 << 20
# Reordered pictures go back a little; more than this is another recording glued behind.
MAX_BACKWARDS_S = 10
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


class Medium(StrEnum):
    """What a stream carries."""

    VIDEO = "video"
    AUDIO = "audio"


@dataclass(slots=True)
class Stream:
    """One stream of a file, filled packet by packet. Timestamps are in the stream's own ticks."""

    index: int
    medium: Medium
    codec: str  # FFmpeg's name, such as `h264`
    time_base: Fraction
    start_at: int | None = None  # first presented moment, as the container says
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    present_at: "array[int]" = field(default_factory=lambda: array("q"))
    keys: "array[int]" = field(default_factory=lambda: array("q"))
    duration: int = 0  # of the last packet
    size_bytes: int = 0
    group_bytes: int = 0  # of the group of pictures in hand
    largest_group_bytes: int = 0
    hidden: int = 0  # packets that an edit list hides
    untimed: int = 0  # packets without a timestamp
    highest: int | None = None
    backwards: int = 0  # farthest step back

    def add(self, present_at: int | None, duration: int, size_bytes: int, *, key: bool, hidden: bool) -> None:
        """Takes one packet in decode order. Pictures before the first key frame do not count: none can be decoded."""
        if self.medium is Medium.VIDEO and not key and not self.keys and not self.untimed:
            return
        self.hidden += hidden
        if present_at is None:
            self.untimed += 1
            return
        if hidden and self.medium is Medium.AUDIO:
            return
        if key:
            self.group_bytes = 0
            self.keys.append(present_at)
        self.size_bytes += size_bytes
        self.group_bytes += size_bytes
        self.largest_group_bytes = max(self.largest_group_bytes, self.group_bytes)
        self.present_at.append(present_at)
        self.duration = duration or self.duration
        if self.highest is not None:
            self.backwards = max(self.backwards, self.highest - present_at)
        self.highest = present_at if self.highest is None else max(self.highest, present_at)

    @property
    def usable(self) -> bool:
        """False for a stream that is declared but holds nothing."""
        return bool(self.present_at) or bool(self.untimed)

    @property
    def runs_backwards(self) -> bool:
        """True if its clock jumps back by seconds."""
        return self.backwards * self.time_base > MAX_BACKWARDS_S

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
    def usual_duration(self) -> int:
        """Length of a packet in stream ticks, at least 1."""
        return timeline.usual_step(self.present_at) or self.duration or 1


@dataclass(frozen=True, slots=True)
class Survey:
    """A file, looked through once."""

    format: str  # FFmpeg's name of the container
    streams: tuple[Stream, ...]  # usable ones, in the file's order

    @property
    def origin(self) -> Fraction:
        """The file's first presented moment, in seconds of its own clock."""
        return min(stream.begins_s for stream in self.streams)

    def clock(self, stream: Stream, offset_ms: int, *, carried: bool) -> timeline.Clock:
        """Maps a stream's timestamps onto its stored track."""
        return timeline.Clock(stream.time_base, self.origin, offset_ms, stream.timescale(carried=carried))

    def end_ms(self, offset_ms: int) -> int:
        """Where the file ends on the session's timeline; at least where it begins."""
        ends = [
            (max(stream.present_at) + (stream.duration or stream.usual_duration)) * stream.time_base - self.origin
            for stream in self.streams
            if stream.present_at
        ]
        return offset_ms + round(max(ends, default=Fraction(0)) * 1000)


def track_ids(files: Sequence[tuple[Sequence[str], Survey]]) -> list[list[str]]:
    """A name for each stream of each file, unique in the session: `<role>-<medium>`, `shared-…` for several people.

    `files`: roles in the file (lower case), and its survey. The second of a name gets `-2`. Depends on nothing else.
    """
    taken: dict[str, int] = {}
    names: list[list[str]] = []
    for roles, survey in files:
        prefix = roles[0].replace("_", "-") if len(roles) == 1 else "shared"
        names.append([])
        for stream in survey.streams:
            base = f"{prefix}-{stream.medium}"
            taken[base] = taken.get(base, 0) + 1
            names[-1].append(base if taken[base] == 1 else f"{base}-{taken[base]}")
    return names
