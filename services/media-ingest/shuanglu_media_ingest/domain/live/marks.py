"""Why a live track has no media where it has none: what the call knows, laid over what the packets say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from shuanglu_media_ingest.domain.gaps import Cause, Gap, bounded
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.domain.timeline import GAP_MS

# Marks are noted when a message arrives, packets when they stop: they miss each other by so much.
NEAR_MS = 1000
# The call desk hears of a dead media server late, and what that one had not yet written is gone as well.
OURS_NEAR_MS = 5000
# Of several reasons for the same moment the first one counts. Our own fault is never hidden behind another.
_RANK = (Cause.RECORDER, Cause.AWAY, Cause.HELD, Cause.MUTED)
# A page that switches off may send silence and black pictures all the same: there is nothing to examine in them.
_BLANK = frozenset({Cause.MUTED, Cause.HELD})


@dataclass(frozen=True, slots=True)
class Mark:
    """Why media was absent for a while, as the call desk knows it. Milliseconds from the session's start."""

    cause: Cause
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class CallMark:
    """A mark on the recorder's clock, microseconds since the epoch."""

    cause: Cause
    start_at_us: int
    end_at_us: int
    participant_id: str = ""  # empty: of all
    medium: Medium | None = None  # None: of all


def of(marks: Iterable[CallMark], participant_id: str, medium: Medium, origin_us: int) -> list[Mark]:
    """Those that concern one track, on the session's timeline."""
    return [
        Mark(mark.cause, max(0, (mark.start_at_us - origin_us) // 1000), max(0, (mark.end_at_us - origin_us) // 1000))
        for mark in marks
        if mark.participant_id in ("", participant_id) and mark.medium in (None, medium)
    ]


def explained(holes: Sequence[Gap], marks: Sequence[Mark]) -> list[Gap]:
    """Holes with the cause that a mark gives them, and what was switched off or held; in time order, none over another.

    A hole that a mark covers all but NEAR_MS of is wholly the mark's; else it is split. What no mark explains keeps
    its cause.
    """
    marks = [mark for mark in marks if mark.end_ms > mark.start_ms]
    blank = [Gap(mark.start_ms, mark.end_ms, mark.cause) for mark in marks if mark.cause in _BLANK]
    blank = [gap for gap in blank if gap.end_ms - gap.start_ms > GAP_MS]
    stretched = {hole: [_snapped(mark, hole) for mark in marks] for hole in holes}
    edges = sorted(
        {edge for gap in (*holes, *blank) for edge in (gap.start_ms, gap.end_ms)}
        | {edge for each in stretched.values() for mark in each for edge in (mark.start_ms, mark.end_ms)}
    )
    parts: list[_Part] = []
    for start_ms, end_ms in pairwise(edges):
        causes = {gap.cause for gap in blank if gap.start_ms <= start_ms and end_ms <= gap.end_ms}
        own: Cause | None = None
        for hole, snapped in stretched.items():
            if hole.start_ms <= start_ms and end_ms <= hole.end_ms:
                own = hole.cause
                causes |= {mark.cause for mark in snapped if mark.start_ms <= start_ms and end_ms <= mark.end_ms}
        marked = next((each for each in _RANK if each in causes), None)
        if marked or own:
            parts.append(_Part(start_ms, end_ms, marked, own))
    return bounded(_joined(_widened(parts)))


@dataclass(frozen=True, slots=True)
class _Part:
    start_ms: int
    end_ms: int
    marked: Cause | None  # what a mark says
    own: Cause | None  # what the packets say, if it lies in a hole


def _widened(parts: Sequence[_Part]) -> list[_Part]:
    """What nobody explains right before or behind our own fault, in the same hole, is our fault too."""
    wide = list(parts)
    for number, part in enumerate(parts):
        near = [each for each in (*parts[max(0, number - 1) : number], *parts[number + 1 : number + 2]) if each.own]
        touching = any(
            each.marked is Cause.RECORDER and part.start_ms <= each.end_ms and each.start_ms <= part.end_ms
            for each in near
        )
        if part.marked is None and touching and part.end_ms - part.start_ms <= OURS_NEAR_MS:
            wide[number] = replace(part, marked=Cause.RECORDER)
    return wide


def _joined(parts: Iterable[_Part]) -> list[Gap]:
    found: list[Gap] = []
    for part in parts:
        cause = part.marked or part.own
        if cause is None:
            continue
        if found and found[-1].end_ms == part.start_ms and found[-1].cause is cause:
            found[-1] = Gap(found[-1].start_ms, part.end_ms, cause)
        else:
            found.append(Gap(part.start_ms, part.end_ms, cause))
    return found


def _snapped(mark: Mark, hole: Gap) -> Mark:
    """The mark with edges that are near to the hole's moved there; clipped to the hole, empty if it lies apart."""
    start_ms = hole.start_ms if mark.start_ms - hole.start_ms <= NEAR_MS else mark.start_ms
    end_ms = hole.end_ms if hole.end_ms - mark.end_ms <= NEAR_MS else mark.end_ms
    apart = mark.end_ms <= hole.start_ms or mark.start_ms >= hole.end_ms
    if apart or end_ms <= start_ms:
        return Mark(mark.cause, hole.start_ms, hole.start_ms)
    return Mark(mark.cause, start_ms, end_ms)
