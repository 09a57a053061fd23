"""Where a track is cut into segments."""

from dataclasses import dataclass, field

from shuanglu_media_ingest.domain import boxes
from shuanglu_media_ingest.domain.timeline import GAP_MS

SEGMENT_MS = 2000
# A live sender that sends no key frame does not get more of our memory than this: the next segment begins without one.
LONGEST_MS = 15_000
LARGEST_BYTES = 16 << 20
# Key frames that come a hair early (clock jitter of a camera) still end a segment.
TOLERANCE_MS = 50


@dataclass(frozen=True, slots=True)
class Unit:
    """One packet of a track, placed on the session's timeline. All times are ticks of the track."""

    data: bytes
    decode_at: int
    present_at: int
    shown_from: int  # earliest presentation among this packet and all that follow it
    duration: int  # its ordinary length, > 0
    key: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """A finished segment. Numbered from 1; times in ticks, the end excluded."""

    index: int
    data: bytes
    start: int
    end: int


@dataclass(slots=True)
class Cutter:
    """Collects a track's packets and cuts about every 2 s, only before a key frame, and wherever the track has a hole.

    A packet lasts until the next one, except before a hole: there it keeps its ordinary length, so that the hole shows.
    Holds one segment in memory.
    """

    timescale: int
    segment_ms: int = SEGMENT_MS
    bounded: bool = False  # cut without a key frame rather than grow past LONGEST_MS or LARGEST_BYTES
    units: list[Unit] = field(default_factory=list)  # of the segment in hand
    count: int = 0  # segments so far

    def add(self, unit: Unit) -> Cut | None:
        """Takes the next packet in decode order, a key frame first; returns the segment that it ends, if it does."""
        due = self.units and (self._is_due(unit) if unit.key else self.bounded and self._is_too_much(unit))
        cut = self._close(unit) if due else None
        self.units.append(unit)
        return cut

    def finish(self) -> Cut | None:
        """The last segment; None if nothing is left."""
        return self._close(None) if self.units else None

    def _is_due(self, unit: Unit) -> bool:
        length = unit.shown_from - self.units[0].shown_from
        return length * 1000 >= (self.segment_ms - TOLERANCE_MS) * self.timescale or self._is_hole(unit)

    def _is_too_much(self, unit: Unit) -> bool:
        length = unit.shown_from - self.units[0].shown_from
        return length * 1000 >= LONGEST_MS * self.timescale or sum(len(one.data) for one in self.units) >= LARGEST_BYTES

    def _is_hole(self, unit: Unit) -> bool:
        last = self.units[-1]
        return (unit.decode_at - last.decode_at - last.duration) * 1000 > GAP_MS * self.timescale

    def _close(self, after: Unit | None) -> Cut:
        if after is not None and self._is_hole(after):
            after = None
        units, self.units = self.units, []
        self.count += 1
        samples = [
            boxes.Sample(
                unit.data,
                unit.decode_at,
                max(unit.present_at, unit.decode_at),
                max(1, until - unit.decode_at),
                unit.key,
            )
            for unit, until in zip(units, _ends(units, after), strict=True)
        ]
        end = after.shown_from if after else max(unit.present_at + unit.duration for unit in units)
        return Cut(self.count, boxes.fragment(self.count, samples), units[0].shown_from, end)


def _ends(units: list[Unit], after: Unit | None) -> list[int]:
    """Where each packet's decode time ends: at the next one's."""
    last = units[-1]
    return [*(unit.decode_at for unit in units[1:]), after.decode_at if after else last.decode_at + last.duration]
