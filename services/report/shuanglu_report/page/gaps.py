"""Gaps: how each cause is named and drawn, and what is said of them in the proof.

A gap is never drawn as one thing: who was away, what the network lost and where our own recorder was down are told
apart by pattern and letter, not by colour alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shuanglu.media.v1.track_pb2 import Gap, GapCause, Track
from shuanglu_report.domain.positions import stretch
from shuanglu_report.domain.scale import Scale
from shuanglu_report.page import svg
from shuanglu_report.page.words import Said

_LISTED_MS = 1000
_MOST_LISTED = 12
_LETTER_ROOM = 20.0


@dataclass(frozen=True, slots=True)
class Look:
    """A cause in words, its mark inside the bar, and its fill and stroke."""

    said: Said
    mark: str
    fill: str
    stroke: str


_DASHED = 'stroke-width="1" stroke-dasharray="2 2"'
_MISSING = Look(Said("未录制", "not recorded"), "", svg.PAPER, f'stroke="{svg.INK_2}" {_DASHED}')
LOOKS: dict[int, Look] = {
    GapCause.GAP_CAUSE_MISSING: _MISSING,
    GapCause.GAP_CAUSE_DAMAGED: Look(Said("损坏", "damaged"), "损", "url(#doubt)", f'stroke="{svg.UNSURE}" {_DASHED}'),
    GapCause.GAP_CAUSE_DISCONTINUITY: Look(
        Said("时间跳变", "clock jumps"), "跳", "url(#doubt)", f'stroke="{svg.UNSURE}" {_DASHED}'
    ),
    GapCause.GAP_CAUSE_AWAY: Look(Said("离线", "away"), "离", svg.PAPER, f'stroke="{svg.INK_2}" {_DASHED}'),
    GapCause.GAP_CAUSE_MUTED: Look(
        Said("关闭", "switched off"), "关", "url(#muted)", f'stroke="{svg.INK_2}" stroke-width="0.6"'
    ),
    GapCause.GAP_CAUSE_HELD: Look(
        Said("保持", "on hold"), "保", "url(#held)", f'stroke="{svg.INK_2}" stroke-width="0.6"'
    ),
    GapCause.GAP_CAUSE_LOST: Look(
        Said("网络丢失", "lost on the network"), "丢", "url(#lost)", f'stroke="{svg.UNSURE}" {_DASHED}'
    ),
    GapCause.GAP_CAUSE_RECORDER: Look(
        Said("录制服务中断", "our recorder was down"), "断", "url(#recorder)", f'stroke="{svg.FAIL}" {_DASHED}'
    ),
}


def _pattern(name: str, drawing: str, turned: int = 0) -> str:
    turn = f' patternTransform="rotate({turned})"' if turned else ""
    return (
        f'<pattern id="{name}" width="5" height="5" patternUnits="userSpaceOnUse"{turn}>'
        f'<rect width="5" height="5" fill="{svg.PAPER}"/>{drawing}</pattern>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="1"/>'


PATTERNS = "".join(
    (
        _pattern("muted", _line(0, 2.5, 5, 2.5, svg.INK_2)),
        _pattern("held", _line(1.5, 0, 1.5, 5, svg.INK_2) + _line(3.5, 0, 3.5, 5, svg.INK_2)),
        _pattern("lost", _line(0, 0, 0, 5, svg.UNSURE), -45),
        _pattern("recorder", _line(0, 0, 0, 5, svg.FAIL) + _line(0, 0, 5, 0, svg.FAIL), 45),
        _pattern("doubt", _line(0, 0, 0, 5, svg.UNSURE) + _line(0, 0, 5, 0, svg.UNSURE), 45),
    )
)


def look_of(cause: int) -> Look:
    """How a cause is said and drawn; one that is not known is a stretch that was not recorded."""
    return LOOKS.get(cause, _MISSING)


def bar(scale: Scale, gap: Gap) -> str:
    """The gap in its lane, with its letter where there is room."""
    look = look_of(gap.cause)
    x, end = scale.x(gap.start_ms), scale.x(gap.end_ms)
    drawn = svg.rect(x, 4, end - x, 13, look.fill, look.stroke)
    if not look.mark or end - x < _LETTER_ROOM:
        return drawn
    middle = (x + end) / 2
    return (
        drawn
        + svg.rect(middle - 6.5, 5, 13, 11, svg.PAPER)
        + svg.text(middle, 14, look.mark, 9.5, svg.INK, 'text-anchor="middle"')
    )


def legend(gaps: Iterable[Gap]) -> list[tuple[str, str]]:
    """Sample and words of each look that the picture shows, in the order of the causes."""
    shown = sorted({gap.cause for gap in gaps if look_of(gap.cause) is not _MISSING})
    return [
        (svg.rect(0, -7, 12, 8, look.fill, look.stroke), f"{look.mark} {look.said.zh} {look.said.en}")
        for look in (look_of(cause) for cause in shown)
    ]


def told(track: Track, gaps: Sequence[Gap]) -> dict[str, list[str]]:
    """A track's gaps for the proof: how often and how long by cause, and where those of a second or more are."""
    own = sorted((gap for gap in gaps if gap.track_id == track.track_id), key=lambda gap: (gap.start_ms, gap.end_ms))
    sums = []
    for cause in sorted({gap.cause for gap in own}):
        of_cause = [gap.end_ms - gap.start_ms for gap in own if gap.cause == cause]
        sums.append(f"{look_of(cause).said.both} {len(of_cause)} × · {sum(of_cause) / 1000:.1f} s")
    long = [gap for gap in own if gap.end_ms - gap.start_ms >= _LISTED_MS]
    listed = [f"{look_of(gap.cause).said.zh} {stretch(gap.start_ms, gap.end_ms)}" for gap in long[:_MOST_LISTED]]
    if len(long) > _MOST_LISTED:
        listed.append(f"… +{len(long) - _MOST_LISTED}")
    return {"sums": sums, "listed": listed}
