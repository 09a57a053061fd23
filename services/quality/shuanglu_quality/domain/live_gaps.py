"""Gaps of a live recording: which of them matter, and what they mean.

People come before the first node and go after the last, and a call may rest between two: what is absent there is
nobody's fault. While a node is performed it matters. Who was away or had switched something off was not recorded by his
own doing, as in a file that pauses: that fails. What the network or our own recorder lost nobody can judge: a person
must look.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shuanglu_quality.domain.intervals import Interval, intersect, merge, subtract, total_ms
from shuanglu_quality.domain.observations import Gap, Recording, TimelineNode, Track
from shuanglu_quality.domain.words import GapCause, Outcome, Role

OWN_DOING = frozenset({GapCause.AWAY, GapCause.MUTED})
NOT_RECORDED = frozenset({GapCause.LOST, GapCause.RECORDER})
LIVE_CAUSES = OWN_DOING | NOT_RECORDED | {GapCause.HELD}
# Single lost packets are heard and seen through; of more than this share of a node nobody can say that it was recorded.
_LOSSY_SHARE = 0.1
# Losses that are this near count as one; less than a short phrase is not one.
_JOIN_MS, _PHRASE_MS = 300, 500


@dataclass(frozen=True, slots=True)
class JudgedGap:
    """A stretch of a track that was not recorded while a node was performed."""

    track: Track
    interval: Interval
    cause: GapCause
    outcome: Outcome
    measured_ms: int


def performed(recording: Recording, timeline: Iterable[TimelineNode]) -> tuple[Interval, ...]:
    """Where nodes were performed; the whole recording where none is known."""
    return merge(take.interval for take in timeline) or (recording.interval,)


def judge_gaps(
    recording: Recording, timeline: tuple[TimelineNode, ...], needed: Iterable[Role], limit_ms: int
) -> tuple[JudgedGap, ...]:
    """Live gaps longer than `limit_ms` inside nodes, and nodes with too many short ones, by time.

    AWAY and MUTED count for `needed` roles alone: a supervisor who looks in is not missed when he goes.
    """
    spans = performed(recording, timeline)
    wanted = frozenset(needed)
    found: list[JudgedGap] = []
    for track in recording.tracks:
        by_cause = {cause: _of(recording, track, cause) for cause in LIVE_CAUSES}
        for cause in sorted(LIVE_CAUSES):
            if cause in OWN_DOING and not wanted & set(track.roles):
                continue
            outcome = Outcome.FAIL if cause in OWN_DOING else Outcome.UNSURE
            found.extend(
                JudgedGap(track, part, cause, outcome, part.duration_ms)
                for part in intersect(by_cause[cause], spans)
                if part.duration_ms > limit_ms
            )
        lost = merge(part for cause in NOT_RECORDED for part in by_cause[cause])
        nodes = [take.interval for take in timeline] or [recording.interval]
        found.extend(_lossy(track, lost, nodes, limit_ms))
    return tuple(sorted(found, key=lambda one: (one.interval, one.track.track_id, one.cause)))


def not_recorded(recording: Recording, timeline: tuple[TimelineNode, ...], track: Track) -> tuple[Interval, ...]:
    """Where something was said or shown during a node, and lost: long enough to have held a phrase."""
    lost = merge((part for cause in NOT_RECORDED for part in _of(recording, track, cause)), _JOIN_MS)
    return tuple(part for part in intersect(lost, performed(recording, timeline)) if part.duration_ms >= _PHRASE_MS)


def with_edges(gaps: tuple[Gap, ...], tracks: Iterable[Track], duration_ms: int) -> tuple[Gap, ...]:
    """A live track that begins late or ends early was AWAY there, whether the recorder told so or not."""
    told = list(gaps)
    for track in tracks:
        known = [gap.interval for gap in gaps if gap.track_id == track.track_id]
        edges = subtract((Interval(0, duration_ms),), (track.interval, *known))
        told.extend(Gap(track.track_id, part, GapCause.AWAY) for part in edges)
    return tuple(told)


def _lossy(track: Track, lost: tuple[Interval, ...], nodes: Iterable[Interval], limit_ms: int) -> list[JudgedGap]:
    """Nodes in which the short losses come to too much; longer ones are told by themselves."""
    short = [part for part in lost if part.duration_ms <= limit_ms]
    found: list[JudgedGap] = []
    for span in nodes:
        gone = total_ms(intersect(short, [span]))
        if gone > max(limit_ms, _LOSSY_SHARE * span.duration_ms):
            found.append(JudgedGap(track, span, GapCause.LOST, Outcome.UNSURE, gone))
    return found


def _of(recording: Recording, track: Track, cause: GapCause) -> tuple[Interval, ...]:
    return merge(gap.interval for gap in recording.gaps if gap.track_id == track.track_id and gap.cause is cause)
