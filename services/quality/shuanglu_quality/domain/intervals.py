"""Arithmetic of stretches on a session's timeline. All positions are whole milliseconds; ends are exclusive."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A stretch `[start_ms, end_ms)`; empty when both are equal."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        """Refuses a stretch that ends before it starts."""
        if self.end_ms < self.start_ms:
            raise ValueError(f"interval ends at {self.end_ms} before it starts at {self.start_ms}")

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return self.end_ms - self.start_ms

    def contains(self, at_ms: int) -> bool:
        """Whether a position lies inside."""
        return self.start_ms <= at_ms < self.end_ms

    def overlap_ms(self, other: "Interval") -> int:
        """How much of this stretch the other one covers."""
        return max(0, min(self.end_ms, other.end_ms) - max(self.start_ms, other.start_ms))

    def clip(self, to: "Interval") -> "Interval | None":
        """The part inside `to`; None if nothing is."""
        start, end = max(self.start_ms, to.start_ms), min(self.end_ms, to.end_ms)
        return Interval(start, end) if start < end else None

    def widen(self, before_ms: int, after_ms: int) -> "Interval":
        """The stretch with a margin; never before 0."""
        return Interval(max(0, self.start_ms - before_ms), self.end_ms + after_ms)


def merge(parts: Iterable[Interval], join_ms: int = 0) -> tuple[Interval, ...]:
    """The same cover as disjoint stretches in time order; holes of at most `join_ms` are closed. Empty ones vanish."""
    merged: list[Interval] = []
    for part in sorted(part for part in parts if part.duration_ms > 0):
        if merged and part.start_ms <= merged[-1].end_ms + join_ms:
            merged[-1] = Interval(merged[-1].start_ms, max(merged[-1].end_ms, part.end_ms))
        else:
            merged.append(part)
    return tuple(merged)


def subtract(whole: Iterable[Interval], parts: Iterable[Interval]) -> tuple[Interval, ...]:
    """What of `whole` no part covers, as disjoint stretches in time order."""
    rest: list[Interval] = []
    holes = merge(parts)
    for piece in merge(whole):
        at = piece.start_ms
        for hole in holes:
            if hole.end_ms <= at or hole.start_ms >= piece.end_ms:
                continue
            if hole.start_ms > at:
                rest.append(Interval(at, hole.start_ms))
            at = hole.end_ms
        if at < piece.end_ms:
            rest.append(Interval(at, piece.end_ms))
    return tuple(rest)


def intersect(left: Iterable[Interval], right: Iterable[Interval]) -> tuple[Interval, ...]:
    """What both cover, as disjoint stretches in time order."""
    ones, twos = merge(left), merge(right)
    found: list[Interval] = []
    at, other = 0, 0
    while at < len(ones) and other < len(twos):
        part = ones[at].clip(twos[other])
        if part is not None:
            found.append(part)
        if ones[at].end_ms < twos[other].end_ms:
            at += 1
        else:
            other += 1
    return tuple(found)


def shares_ms(windows: Sequence[Interval], parts: Iterable[Interval]) -> list[int]:
    """How much of each window the parts cover. Windows must be in time order and disjoint."""
    covers = merge(parts)
    shares: list[int] = []
    first = 0
    for window in windows:
        while first < len(covers) and covers[first].end_ms <= window.start_ms:
            first += 1
        share, at = 0, first
        while at < len(covers) and covers[at].start_ms < window.end_ms:
            share += window.overlap_ms(covers[at])
            at += 1
        shares.append(share)
    return shares


def total_ms(parts: Iterable[Interval]) -> int:
    """Length of the cover; what overlaps counts once."""
    return sum(part.duration_ms for part in merge(parts))


def hull(parts: Sequence[Interval]) -> Interval:
    """The shortest stretch that covers all parts; there must be one at least."""
    return Interval(min(part.start_ms for part in parts), max(part.end_ms for part in parts))
