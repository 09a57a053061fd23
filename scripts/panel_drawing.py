"""Panels of a dashboard as HTML and SVG, at the places that they have in Grafana, in the product's dark colours."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from scripts.dashboards.panels import Dashboard, Kind, Mood, Panel, Place
from scripts.watching import STEP_S, Series

WIDTH, MARGIN, GAP, UNIT_HEIGHT = 1600, 20, 8, 30
CELL = (WIDTH - 2 * MARGIN + GAP) / 24
Points = tuple[tuple[float, float], ...]
PALETTE = ("#7fb0ff", "#5fcf8d", "#f2c14e", "#c59bff", "#5fd3d8", "#ffa45c", "#ff8a80", "#9fb4c7")
STYLE = """
*{box-sizing:border-box;margin:0}
body{background:#12151a;color:#eef1f5;font:13px/1.35 system-ui,"DejaVu Sans","Noto Sans CJK SC",sans-serif;
 font-variant-numeric:tabular-nums;width:1600px}
header{padding:16px 20px 12px;display:flex;align-items:baseline;gap:16px;border-bottom:1px solid #2d333d}
h1{font-size:20px;font-weight:600}
header p{color:#a3adba}
header time{margin-left:auto;color:#a3adba}
main{position:relative}
main>*{position:absolute}
h2{font-size:15px;font-weight:600;line-height:30px}
section{background:#1a1e25;border:1px solid #2d333d;border-radius:4px;padding:7px 10px;overflow:hidden}
h3{font-size:13px;font-weight:600;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.big{position:absolute;left:0;right:0;top:34px;text-align:center;font-size:40px;font-weight:600;line-height:52px}
.none{color:#a3adba;font-size:22px;font-weight:400}
svg{position:absolute;left:0;bottom:0;display:block}
svg text{fill:#a3adba;font-size:11px}
ul{position:absolute;left:10px;right:10px;bottom:7px;list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:2px 14px;
 max-height:36px;overflow:hidden;font-size:12px;color:#c9d1da}
li i{display:inline-block;width:12px;height:3px;border-radius:2px;margin-right:5px;vertical-align:middle}
table{position:absolute;left:10px;right:10px;top:34px;bottom:8px;width:calc(100% - 20px);border-spacing:0 3px}
td{vertical-align:middle;white-space:nowrap;font-size:12px}
td:first-child{padding-right:10px;color:#c9d1da;width:1px}
td:last-child{padding-left:8px;text-align:right;width:1px;font-weight:600}
td div{height:14px;border-radius:2px}
td:nth-child(2){background:linear-gradient(#262b34,#262b34) center/100% 14px no-repeat}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query of a panel gave, with the name of each series."""

    series: Sequence[tuple[str, Series]]


def page_html(page: Dashboard, answers: Mapping[str, Sequence[Answer]], begin: float, end: float) -> str:
    """The whole page; `answers` by panel title."""
    bodies, bottom = [], 0
    for line, row, placed in page.placed():
        bodies.append(f'<h2 style="{spot(Place(0, line, 24, 1))}">{escape(row.title)}</h2>')
        for panel, place in placed:
            bodies.append(drawn(panel, place, answers[panel.title], begin, end))
            bottom = max(bottom, place.y + place.height)
    height = bottom * (UNIT_HEIGHT + GAP) + MARGIN
    span = f"{clock(begin)} – {clock(end)} UTC"
    return (
        f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style><header><h1>{escape(page.title)}</h1>'
        f"<p>{escape(page.description)}</p><time>{span}</time></header>"
        f'<main style="height:{height}px">{"".join(bodies)}</main>'
    )


def spot(place: Place) -> str:
    """Left, top, width and height on the page, in pixels."""
    left, top = MARGIN + place.x * CELL, GAP + place.y * (UNIT_HEIGHT + GAP)
    return f"left:{left:.1f}px;top:{top}px;width:{wide(place):.1f}px;height:{tall(place)}px"


def wide(place: Place) -> float:
    """Pixels."""
    return place.width * CELL - GAP


def tall(place: Place) -> int:
    """Pixels."""
    return place.height * (UNIT_HEIGHT + GAP) - GAP


def drawn(panel: Panel, place: Place, answers: Sequence[Answer], begin: float, end: float) -> str:
    """One panel in its place."""
    series = [one for answer in answers for one in answer.series]
    if not series:
        body = f'<div class="big none">{escape(panel.none)}</div>'
    elif panel.kind is Kind.NUMBER:
        body = number_body(panel, place, series[0][1], begin, end)
    elif panel.kind is Kind.BARS:
        body = bars_body(panel, series)
    else:
        body = lines_body(panel, place, series, begin, end)
    return f'<section style="{spot(place)}"><h3>{escape(panel.title)}</h3>{body}</section>'


def number_body(panel: Panel, place: Place, series: Series, begin: float, end: float) -> str:
    """The newest number on its colour, with its way there."""
    value = series.points[-1][1]
    colour = mood_of(panel, value).value
    width, height = wide(place) - 2, 44.0
    highest = max([1e-9, *(number for _, number in series.points)]) * 1.1
    spots = [
        ((moment - begin) / (end - begin) * width, height - number / highest * (height - 4))
        for moment, number in series.points
    ]
    area = path([(spots[0][0], height), *spots, (spots[-1][0], height)])
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}"><path d="{area}Z" fill="{colour}" opacity=".14"/>'
        f'<path d="{path(spots)}" fill="none" stroke="{colour}" stroke-width="1.2" opacity=".7"/></svg>'
        f'<div class="big" style="color:{colour}">{escape(told(panel, value))}</div>'
    )


def lines_body(panel: Panel, place: Place, series: Sequence[tuple[str, Series]], begin: float, end: float) -> str:
    """Lines, or areas that add up, with axes and legend."""
    left, right, top, bottom = 52.0, wide(place) - 16, 34.0, tall(place) - 70.0
    layers = list(stacked(series)) if panel.stacked else [(name, one.points, ()) for name, one in series]
    highest = max((number for _, points, _ in layers for _, number in points), default=0)
    limits = [number for number, _ in panel.steps if number <= 1.6 * highest]
    top_number, step = nice(max([highest, *limits, 1e-9]) * 1.05)

    def at(moment: float, number: float) -> tuple[float, float]:
        x = left + (moment - begin) / (end - begin) * (right - left)
        return x, bottom - number / top_number * (bottom - top)

    parts = []
    for index in range(round(top_number / step) + 1):
        _, y = at(begin, index * step)
        parts.append(f'<line x1="{left}" x2="{right:.0f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#2d333d"/>')
        label = told(panel, index * step, axis=True)
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>')
    for moment in ticks(begin, end):
        x, _ = at(moment, 0)
        parts.append(f'<text x="{x:.0f}" y="{bottom + 16:.0f}" text-anchor="middle">{clock(moment)}</text>')
    for number, mood in panel.steps:
        if number in limits:
            _, y = at(begin, number)
            ends = f'x1="{left}" x2="{right:.0f}" y1="{y:.1f}" y2="{y:.1f}"'
            parts.append(f'<line {ends} stroke="{mood.value}" stroke-dasharray="6 4"/>')
    legend = []
    for index, (name, points, ground) in enumerate(layers):
        colour = PALETTE[index % len(PALETTE)]
        opacity = 0.35 if panel.stacked else 0.08
        for run in [points] if panel.stacked else runs(points):
            line = [at(*point) for point in run]
            under = [at(*point) for point in reversed(ground)] or [(line[-1][0], bottom), (line[0][0], bottom)]
            parts.append(f'<path d="{path(line + under)}Z" fill="{colour}" opacity="{opacity}"/>')
            parts.append(f'<path d="{path(line)}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        legend.append(f'<li><i style="background:{colour}"></i>{escape(name)}</li>')
    size = f'width="{wide(place) - 2:.0f}" height="{tall(place) - 2}"'
    return f"<svg {size}>{''.join(parts)}</svg><ul>{''.join(legend)}</ul>"


def runs(points: Points) -> Iterator[Points]:
    """Where nothing was told for a while there is no line."""
    start = 0
    for index in range(1, len(points) + 1):
        if index == len(points) or points[index][0] - points[index - 1][0] > 2 * STEP_S:
            yield points[start:index]
            start = index


def stacked(series: Sequence[tuple[str, Series]]) -> Iterator[tuple[str, Points, Points]]:
    """Each on top of those before: its upper and its lower edge. What was nothing all the time is left out."""
    moments = sorted({moment for _, one in series for moment, _ in one.points})
    ground: Points = tuple((moment, 0.0) for moment in moments)
    for name, one in series:
        if not any(number for _, number in one.points):
            continue
        values = dict(one.points)
        upper = tuple((moment, low + values.get(moment, 0.0)) for moment, low in ground)
        yield name, upper, ground
        ground = upper


def bars_body(panel: Panel, series: Sequence[tuple[str, Series]]) -> str:
    """A bar for each series, longest first."""
    rows = sorted(((one.points[-1][1], name) for name, one in series), reverse=True)[:9]
    full = panel.most or max([1e-9, *(value for value, _ in rows)])
    return "<table>{}</table>".format(
        "".join(
            f'<tr><td>{escape(name)}</td><td><div style="width:{min(max(value / full, 0), 1):.1%};background:'
            f'{mood_of(panel, value).value}"></div></td><td>{escape(told(panel, value))}</td></tr>'
            for value, name in rows
        )
    )


def mood_of(panel: Panel, value: float) -> Mood:
    """By the panel's thresholds."""
    mood = panel.start
    for number, above in panel.steps:
        if value >= number:
            mood = above
    return mood


def told(panel: Panel, value: float, *, axis: bool = False) -> str:
    """A number with its unit, in the panel's words if it has some."""
    if not axis and (word := panel.words.get(f"{value:g}")):
        return word
    if panel.unit == "percentunit":
        return f"{value * 100:.{panel.decimals if panel.decimals and not axis else 0}f} %"
    text = f"{value:.3g}" if axis or panel.decimals is None else f"{value:.{panel.decimals}f}"
    return f"{text} s" if panel.unit == "s" else text


def nice(highest: float) -> tuple[float, float]:
    """A round number not below, and the step that divides it into three to six."""
    magnitude = 10.0 ** len(str(int(highest))) if highest >= 1 else 1.0
    while magnitude > highest:
        magnitude /= 10
    for factor, step in ((1, 0.25), (1.5, 0.5), (2, 0.5), (3, 1), (4, 1), (5, 1), (6, 2), (8, 2), (10, 2)):
        if highest <= factor * magnitude:
            return factor * magnitude, step * magnitude
    return 10 * magnitude, 2 * magnitude


def ticks(begin: float, end: float) -> Iterator[float]:
    """Whole half minutes or minutes, about eight of them."""
    step = 30 * max(1, round((end - begin) / 8 / 30))
    moment = (int(begin) // step + 1) * step
    while moment < end - step / 4:
        yield moment
        moment += step


def clock(moment: float) -> str:
    """Hours, minutes and seconds, UTC."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%H:%M:%S")


def path(spots: Sequence[tuple[float, float]]) -> str:
    """As SVG writes it."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
