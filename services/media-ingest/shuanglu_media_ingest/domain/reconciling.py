"""Reconciling: what should have been recorded against what the store holds, track by track and second by second.

Three witnesses are heard: the call (who was needed, what was performed, whether it is over), each track's index (its
segments with their places and sizes, and its gaps), and the list of the store's objects.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# Rounding at the borders of segments and gaps; less than a picture is no missing second.
TOLERANCE_MS = 250
# The end of a call is noted by two clocks.
END_TOLERANCE_MS = 1000
INIT, INDEX = "init.mp4", "track.binpb"
Span = tuple[int, int]


class DifferenceKind(StrEnum):
    """What is wrong; see DifferenceKind in the contract."""

    TRACK_MISSING = "TRACK_MISSING"
    SEGMENT_MISSING = "SEGMENT_MISSING"
    SEGMENT_CHANGED = "SEGMENT_CHANGED"
    SECONDS_MISSING = "SECONDS_MISSING"
    NOT_COMPLETED = "NOT_COMPLETED"
    INDEX_MISSING = "INDEX_MISSING"


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One thing that is not as it should be. `span`: milliseconds from the session's start."""

    session_id: str
    track_id: str
    kind: DifferenceKind
    span: Span = (0, 0)
    key: str = ""


class Stage(StrEnum):
    """How far a call is, as far as its recording goes."""

    GOING_ON = "GOING_ON"  # or just over: nothing can be missed yet
    OVERDUE = "OVERDUE"  # over for long, and its recording is not complete
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the call says. `tracks`: those that were proven when a node was performed, so must be there.

    `until_ms`: where the last node ended; `recorded`: the recorder saw a first byte.
    """

    stage: Stage
    tracks: tuple[str, ...] = ()
    until_ms: int = 0
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """An object that a track rests on: its size (0: not known), and the stretch that it holds."""

    key: str
    size_bytes: int = 0
    span: Span = (0, 0)


@dataclass(frozen=True, slots=True)
class IndexedTrack:
    """A track as it was told. `whole`: its segments and gaps are known with their places, so seconds can be counted."""

    track_id: str
    parts: tuple[Part, ...]
    gaps: tuple[Span, ...] = ()
    span: Span = (0, 0)
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What the store holds of a session: sizes by key, and the indexes that could be read."""

    objects: Mapping[str, int]
    indexes: Mapping[str, IndexedTrack] = field(default_factory=dict)

    def tracks(self, prefix: str) -> tuple[str, ...]:
        """Ids of the tracks that have any object below `prefix` (`<tenant>/<session_id>/tracks/`)."""
        rest = (key.removeprefix(prefix) for key in self.objects if key.startswith(prefix))
        return tuple(sorted({name.partition("/")[0] for name in rest if "/" in name}))


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome for one session."""

    differences: tuple[Difference, ...] = ()
    tracks: int = 0
    seconds: int = 0


def compare_call(session_id: str, prefix: str, expected: Expected | None, found: Found) -> Compared:
    """A live recording against the store. Without a call (None) the indexes alone say what there should be."""
    if expected is not None and expected.stage is Stage.GOING_ON:
        return Compared()
    until_ms = expected.until_ms if expected else 0
    if expected is not None and expected.stage is Stage.OVERDUE:
        return Compared((Difference(session_id, "", DifferenceKind.NOT_COMPLETED, (0, until_ms)),))
    present = found.tracks(prefix)
    wanted = expected.tracks if expected else ()
    differences = [
        Difference(session_id, track_id, DifferenceKind.TRACK_MISSING, (0, until_ms))
        for track_id in sorted(set(wanted) - set(present) - set(found.indexes))
    ]
    if expected is not None and expected.recorded and not present and not wanted:
        differences.append(Difference(session_id, "", DifferenceKind.TRACK_MISSING, (0, until_ms)))
    differences += [
        Difference(session_id, track_id, DifferenceKind.INDEX_MISSING, (0, until_ms), f"{prefix}{track_id}/{INDEX}")
        for track_id in present
        if track_id not in found.indexes
    ]
    tracks = [found.indexes[track_id] for track_id in sorted(found.indexes)]
    end_ms = max([*(track.span[1] for track in tracks), *(gap[1] for track in tracks for gap in track.gaps)], default=0)
    if until_ms > end_ms + END_TOLERANCE_MS:
        end_ms = until_ms
    return _compared(session_id, differences, tracks, found, end_ms)


def compare_import(session_id: str, tracks: Sequence[IndexedTrack], found: Found) -> Compared:
    """A stored import against the store: is every object there that it rests on?"""
    return _compared(session_id, [], tracks, found, 0)


def _compared(
    session_id: str, differences: Iterable[Difference], tracks: Sequence[IndexedTrack], found: Found, end_ms: int
) -> Compared:
    every = list(differences)
    for track in tracks:
        every += _parts(session_id, track, found)
        if track.whole:
            every += [
                Difference(session_id, track.track_id, DifferenceKind.SECONDS_MISSING, hole)
                for hole in holes((*(part.span for part in track.parts), *track.gaps), end_ms)
            ]
    seconds = sum(max(0, track.span[1] - track.span[0]) for track in tracks) // 1000
    return Compared(tuple(every), len(tracks), seconds)


def _parts(session_id: str, track: IndexedTrack, found: Found) -> list[Difference]:
    differences = []
    for part in track.parts:
        size = found.objects.get(part.key)
        if size is None:
            kind = DifferenceKind.SEGMENT_MISSING
        elif part.size_bytes and size != part.size_bytes:
            kind = DifferenceKind.SEGMENT_CHANGED
        else:
            continue
        differences.append(Difference(session_id, track.track_id, kind, part.span, part.key))
    return differences


def holes(covered: Iterable[Span], end_ms: int) -> list[Span]:
    """Stretches of 0..`end_ms` that nothing covers, longer than rounding."""
    found: list[Span] = []
    at = 0
    for start, end in sorted(covered):
        if start - at > TOLERANCE_MS and at < end_ms:
            found.append((at, min(start, end_ms)))
        at = max(at, end)
    if end_ms - at > TOLERANCE_MS:
        found.append((at, end_ms))
    return found
