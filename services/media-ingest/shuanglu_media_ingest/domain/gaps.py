"""Where a track has no media, and why. Nothing of it is closed silently."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from shuanglu_media_ingest.domain.timeline import GAP_MS, Clock, Stretch

# A track names at most this many; of more, neighbours are told as one.
MAX_GAPS = 500
_LEAST_MERGE_MS = 100
_ONE = Fraction(1)


class Cause(StrEnum):
    """Why there is a gap."""

    MISSING = "MISSING"  # nothing was recorded, as the file itself says
    DAMAGED = "DAMAGED"  # recorded, and not readable any more
    DISCONTINUITY = "DISCONTINUITY"  # the file's clock jumps; what lies between is not known
    MUTED = "MUTED"  # live: the participant had switched it off
    LOST = "LOST"  # live: sent, and lost on the way
    AWAY = "AWAY"  # live: the participant was not connected
    HELD = "HELD"  # live: the call was on hold
    RECORDER = "RECORDER"  # live: our media server or recorder was down


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """A stretch of the session in milliseconds. Length 0: it is not known how much is gone."""

    start_ms: int
    end_ms: int
    cause: Cause


@dataclass(slots=True)
class Faults:
    """What of a stream could not be read, in the stream's ticks: collected packet by packet, in the file's order.

    A picture that is gone takes those with it that build on it, so its stretch lasts until the next key frame.
    """

    pictures: bool
    stretches: list[tuple[int, int]] = field(default_factory=list)
    open_from: int | None = None
    marks: "array[int]" = field(default_factory=lambda: array("q"))  # something is gone, nobody knows how much

    def bad(self, at: int) -> None:
        """From here on something cannot be read."""
        self.open_from = at if self.open_from is None else min(at, self.open_from)

    def good(self, at: int, *, key: bool) -> None:
        """This one can be read again."""
        if self.open_from is not None and (key or not self.pictures):
            if at > self.open_from:
                self.stretches.append((self.open_from, at))
            self.open_from = None

    def mark(self, at: int) -> None:
        """Bytes are gone here, and the container does not say for how long they lasted."""
        if not self.marks or self.marks[-1] != at:
            self.marks.append(at)

    def add(self, other: "Faults", scale: Fraction = _ONE) -> None:
        """What another look found. `scale`: how long a tick of the other is in ticks of this one."""
        self.stretches += [(round(start * scale), round(end * scale)) for start, end in other.stretches]
        self.marks.extend(round(mark * scale) for mark in other.marks)
        if other.open_from is not None:
            self.bad(round(other.open_from * scale))

    def __bool__(self) -> bool:
        return bool(self.stretches or self.marks or self.open_from is not None)


@dataclass(frozen=True, slots=True)
class Ends:
    """How a track and its file end, in milliseconds of the session."""

    own: Stretch  # from the track's first to its last readable moment
    whole: Stretch  # the file's
    promised_ms: int | None = None  # where the container says that the track ends, if it ends too early
    breaks_off: bool = False  # the file ends in the middle of a packet


def gaps(shown: Sequence[int], usual: int, clock: Clock, faults: Faults, ends: Ends) -> list[Gap]:
    """All gaps of a track in time order.

    `shown`: when its packets are presented, `usual`: how long one lasts, both in the track's ticks.
    """
    damaged = [
        Stretch(clock.ms(clock.ticks(start)), clock.ms(clock.ticks(end))) for start, end in sorted(faults.stretches)
    ]
    if faults.open_from is not None:
        start_ms = clock.ms(clock.ticks(faults.open_from))
        damaged.append(Stretch(start_ms, max(ends.own.end_ms, ends.promised_ms or 0, start_ms)))
    if ends.promised_ms is not None and ends.promised_ms > ends.own.end_ms:
        damaged.append(Stretch(ends.own.end_ms, ends.promised_ms))
    elif ends.breaks_off:
        damaged.append(Stretch(ends.own.end_ms, ends.own.end_ms))
    damaged += [Stretch(at, at) for at in (clock.ms(clock.ticks(mark)) for mark in faults.marks)]
    inside = [_clipped(each, clock.ms(clock.floor)) for each in damaged if each.end_ms >= clock.ms(clock.floor)]
    known = _merged((each for each in inside if each.end_ms > each.start_ms), 1)
    # A place without a length is told unless it lies inside a stretch; at its end it says that more is gone.
    places = {at for each in inside if (at := each.start_ms) == each.end_ms}
    places = {at for at in places if not any(each.start_ms <= at < each.end_ms for each in known)}
    found = [Gap(each.start_ms, each.end_ms, Cause.DAMAGED) for each in known]
    found += [Gap(at, at, Cause.DAMAGED) for at in places]
    for hole in holes(shown, usual, clock, ends.own, ends.whole):
        # A hole that damage touches is damage's.
        touched = any(_touch(hole, each) for each in known) or any(_touch(hole, Stretch(at, at)) for at in places)
        cause = Cause.DAMAGED if touched else Cause.MISSING
        found += [Gap(part.start_ms, part.end_ms, cause) for part in _without(hole, known)]
    return bounded(sorted(found))


def holes(present_at: Sequence[int], usual: int, clock: Clock, own: Stretch, whole: Stretch) -> list[Stretch]:
    """Holes longer than 0.5 s: inside a track, and where it begins later or ends earlier than its file.

    `usual`: how long one picture or packet lasts, in ticks. `own`, `whole`: the track's and its file's stretch.
    """
    limit = clock.timescale * GAP_MS // 1000
    found = [
        # The picture before the hole counts as shown for one usual duration.
        Stretch(clock.ms(before + usual), clock.ms(after))
        for before, after in pairwise(sorted(present_at))
        if after - before - usual > limit
    ]
    if own.start_ms - whole.start_ms > GAP_MS:
        found.insert(0, Stretch(whole.start_ms, own.start_ms))
    if whole.end_ms - own.end_ms > GAP_MS:
        found.append(Stretch(own.end_ms, whole.end_ms))
    return found


def _touch(one: Stretch, other: Stretch) -> bool:
    return one.start_ms - GAP_MS <= other.end_ms and other.start_ms <= one.end_ms + GAP_MS


def _clipped(stretch: Stretch, floor_ms: int) -> Stretch:
    return Stretch(max(stretch.start_ms, floor_ms), stretch.end_ms)


def _merged(stretches: Iterable[Stretch], near_ms: int) -> list[Stretch]:
    """In time order, those closer than `near_ms` as one."""
    merged: list[Stretch] = []
    for each in sorted(stretches, key=lambda one: (one.start_ms, one.end_ms)):
        if merged and each.start_ms - merged[-1].end_ms < near_ms:
            merged[-1] = Stretch(merged[-1].start_ms, max(merged[-1].end_ms, each.end_ms))
        else:
            merged.append(each)
    return merged


def _without(hole: Stretch, known: Sequence[Stretch]) -> list[Stretch]:
    """The parts of a hole that are not told of yet. `known`: in time order, apart."""
    parts: list[Stretch] = []
    at = hole.start_ms
    first = max(0, bisect_right([each.start_ms for each in known], at) - 1)
    for each in known[first:]:
        if each.start_ms >= hole.end_ms:
            break
        if each.start_ms > at:
            parts.append(Stretch(at, each.start_ms))
        at = max(at, each.end_ms)
    return [*parts, Stretch(at, hole.end_ms)] if at < hole.end_ms else parts


def bounded(found: list[Gap]) -> list[Gap]:
    """At most MAX_GAPS, in time order: neighbours of one cause that are close are told as one, ever less close ones."""
    near_ms = _LEAST_MERGE_MS
    while len(found) > MAX_GAPS:
        found = sorted(
            Gap(each.start_ms, each.end_ms, cause)
            for cause in Cause
            for each in _merged((Stretch(gap.start_ms, gap.end_ms) for gap in found if gap.cause is cause), near_ms)
        )
        near_ms *= 2
    return found
