"""Groups turns into windows: what one worker recognises in one go.

Each turn is recognised by itself, so the grouping changes no word; it only makes pieces of work of a good size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shuanglu_asr.domain.turns import Turn

# Long enough that an event is worth its way, short enough that many workers share a long track.
WINDOW_MS = 30_000
# Windows of one track that wait at a time: a recording of hours does not stand before everybody else's.
CREDIT = 4
# A decoder that starts in the middle of a track needs a moment to swing in: AAC and Opus overlap their frames.
LEAD_IN_MS = 100


@dataclass(frozen=True, slots=True)
class Span:
    """Where a segment lies; `index` from 1."""

    index: int
    start_ms: int
    end_ms: int


def windows(turns: Iterable[Turn], longest_ms: int = WINDOW_MS) -> tuple[tuple[Turn, ...], ...]:
    """Turns in time order, in windows that last at most `longest_ms` or hold a single turn."""
    made: list[list[Turn]] = []
    for turn in turns:
        if made and turn.end_ms - made[-1][0].start_ms <= longest_ms:
            made[-1].append(turn)
        else:
            made.append([turn])
    return tuple(map(tuple, made))


def told_at_once(count: int) -> range:
    """The first windows of a track, which are told with it; the others follow, each behind another one."""
    return range(min(count, CREDIT))


def next_of(index: int, count: int) -> int | None:
    """The window that is told when this one is taken in hand; None at the end of its row.

    Every window but the first ones is the next of exactly one, so any order of work tells each of them.
    """
    following = index + CREDIT
    return following if following < count else None


def needed(spans: Sequence[Span], turns: Sequence[Turn]) -> tuple[int, ...]:
    """Indexes of the segments that hold the turns, with the lead-in of the first."""
    start_ms, end_ms = turns[0].start_ms - LEAD_IN_MS, turns[-1].end_ms
    return tuple(span.index for span in spans if span.start_ms < end_ms and span.end_ms > start_ms)
