"""The timeline picture: one lane for each track, speech, nodes with their takes, and findings at their time."""

from collections.abc import Iterable, Sequence

from shuanglu.common.v1.types_pb2 import Outcome, ParticipantRole, TrackKind
from shuanglu.media.v1.track_pb2 import TimelineNode, Track
from shuanglu.quality.v1.finding_pb2 import Finding, InspectionResult
from shuanglu_report.domain.positions import position
from shuanglu_report.domain.scale import Scale, Stretch, without
from shuanglu_report.page import gaps, svg
from shuanglu_report.page.words import outcome_of, role_words

WIDTH = 760.0
LEFT = 118.0
RIGHT = WIDTH - 6.0
_AXIS = 20.0
_LANE = 24.0
_MARK = 7.0
_SIGN_ROOM = 13.0
_WORST = {Outcome.OUTCOME_FAIL: 2, Outcome.OUTCOME_UNSURE: 1, Outcome.OUTCOME_PASS: 0}
_PATTERN = (
    '<defs><pattern id="absent" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="5" height="5" fill="{svg.PAPER_2}"/><line x1="0" y1="0" x2="0" y2="5" stroke="#9aa3b0" '
    f'stroke-width="1.6"/></pattern>{gaps.PATTERNS}</defs>'
)


def node_outcome(findings: Iterable[Finding], node: TimelineNode) -> Outcome.ValueType:
    """The worst outcome of a take: FAIL over UNSURE over PASS."""
    own = [outcome_of(item.outcome) for item in findings if item.node_id == node.node_id and item.take == node.take]
    return max(own, key=lambda outcome: _WORST[outcome], default=Outcome.OUTCOME_PASS)


def timeline_picture(result: InspectionResult) -> str:
    """The picture as SVG, WIDTH units wide and as high as it needs."""
    length_ms = max(result.duration_ms, max((track.end_ms for track in result.tracks), default=0), 1)
    scale = Scale(length_ms, LEFT, RIGHT)
    lanes: list[str] = []
    y = _AXIS
    for lane in (*_video_lanes(result, scale), *_speech_lanes(result, scale)):
        lanes.append(f'<g transform="translate(0 {y:.1f})">{lane}</g>')
        y += _LANE
    lanes.append(f'<g transform="translate(0 {y:.1f})">{_nodes_lane(result, scale)}</g>')
    y += 38
    marks, marks_height = _findings_lane(result.findings, scale)
    lanes.append(f'<g transform="translate(0 {y:.1f})">{marks}</g>')
    bottom = y + marks_height
    parts = [_PATTERN, _axis(scale, bottom), *_bands(result.findings, scale, bottom), *lanes]
    rows = [*_rows(_LEGEND), *_rows(gaps.legend(result.gaps))]
    parts += [_legend(row, bottom + 14 * number) for number, row in enumerate(rows, start=1)]
    return svg.document(WIDTH, bottom + 8 + 14 * len(rows), parts)


def _axis(scale: Scale, bottom: float) -> str:
    parts = []
    for tick in scale.ticks():
        x = scale.x(tick)
        parts.append(svg.line(x, _AXIS - 5, x, bottom, svg.LINE))
        anchor = "middle" if x < RIGHT - 14 else "end"
        parts.append(svg.text(x, 10, position(tick)[:-2], 9.5, svg.INK_2, f'text-anchor="{anchor}"'))
    return "".join(parts)


def _label(zh: str, en: str) -> str:
    """Name of a lane, Chinese over English, at the left edge."""
    return svg.text(0, 10, svg.fitted(zh, 10.5, LEFT - 8), 10.5) + svg.text(
        0, 20, svg.fitted(en, 8.5, LEFT - 8), 8.5, svg.INK_2
    )


def _video_lanes(result: InspectionResult, scale: Scale) -> list[str]:
    return [
        _video_lane(result, scale, track, role)
        for track in result.tracks
        if track.kind == TrackKind.TRACK_KIND_VIDEO
        for role in dict.fromkeys(person.role for person in track.participants)
    ]


def _video_lane(result: InspectionResult, scale: Scale, track: Track, role: ParticipantRole.ValueType) -> str:
    own = [gap for gap in result.gaps if gap.track_id == track.track_id]
    holes = [(gap.start_ms, gap.end_ms) for gap in own]
    recorded = without([(track.start_ms, track.end_ms)], holes)
    seen = [
        (stretch.start_ms, stretch.end_ms)
        for item in result.presence
        if item.role == role and item.track_id == track.track_id
        for stretch in item.intervals
    ]
    who = role_words(role)
    parts = [_label(f"{who.zh} 画面", f"{who.en}, picture")]
    parts += [_bar(scale, stretch, "url(#absent)", f'stroke="{svg.LINE}"') for stretch in recorded]
    parts += [_bar(scale, stretch, svg.ACCENT) for stretch in without(seen, holes)]
    parts += [gaps.bar(scale, gap) for gap in own]
    return "".join(parts)


def _bar(scale: Scale, stretch: Stretch, fill: str, extra: str = "") -> str:
    x = scale.x(stretch[0])
    return svg.rect(x, 4, scale.x(stretch[1]) - x, 13, fill, extra)


def _speech_lanes(result: InspectionResult, scale: Scale) -> list[str]:
    roles = dict.fromkeys(
        person.role
        for track in result.tracks
        if track.kind == TrackKind.TRACK_KIND_AUDIO
        for person in track.participants
    )
    spoken = {**roles, **dict.fromkeys(utterance.role for utterance in result.utterances)}
    lanes = []
    for role in spoken:
        who = role_words(role)
        zh, en = (who.zh, who.en) if role else ("未辨明", "Not told apart")
        turns = [(turn.start_ms, turn.end_ms) for turn in result.utterances if turn.role == role]
        base = svg.line(LEFT, 10.5, RIGHT, 10.5, svg.LINE)
        holes = "".join(gaps.bar(scale, gap) for gap in result.gaps if gap.track_id in _heard_on(result, role))
        spoken_bars = "".join(_turn(scale, turn) for turn in turns)
        lanes.append(_label(f"{zh} 说话", f"{en}, speech") + base + holes + spoken_bars)
    return lanes


def _heard_on(result: InspectionResult, role: ParticipantRole.ValueType) -> set[str]:
    """Tracks that carry the role's voice."""
    return {
        track.track_id
        for track in result.tracks
        if track.kind == TrackKind.TRACK_KIND_AUDIO and any(person.role == role for person in track.participants)
    }


def _turn(scale: Scale, turn: Stretch) -> str:
    x = scale.x(turn[0])
    return svg.rect(x, 5, scale.x(turn[1]) - x, 11, svg.INK_2, 'rx="1.5"')


def _nodes_lane(result: InspectionResult, scale: Scale) -> str:
    titles = {item.node_id: item for item in result.nodes}
    parts = [_label("环节", "Nodes and takes")]
    for node in sorted(result.timeline, key=lambda item: (item.start_ms, item.end_ms)):
        title = titles.get(node.node_id)
        zh = (title.title_zh if title else "") or node.node_id
        en = (title.title_en if title else "") or node.node_id
        parts.append(_node_box(scale, node, zh, en, node_outcome(result.findings, node)))
    return "".join(parts)


def _node_box(scale: Scale, node: TimelineNode, zh: str, en: str, outcome: Outcome.ValueType) -> str:
    x = scale.x(node.start_ms)
    width = max(scale.x(node.end_ms) - x - 1.5, 1.0)
    parts = [svg.rect(x, 2, width, 29, svg.PAPER_2, f'rx="3" stroke="{svg.colour(outcome)}" stroke-width="1"')]
    if width >= _SIGN_ROOM:
        parts.append(svg.sign(outcome, x + 7.5, 10, 4.6))
    zh = f"{zh} 第{node.take}次" if node.take > 1 else zh
    en = f"{en} · take {node.take}" if node.take > 1 else en
    parts.append(svg.text(x + 15, 13.5, svg.fitted(zh, 10, width - 17), 10))
    parts.append(svg.text(x + 4, 26, svg.fitted(en, 8.5, width - 6), 8.5, svg.INK_2))
    return "".join(parts)


def _shown(findings: Iterable[Finding]) -> list[Finding]:
    """What failed or is unsure, by time."""
    bad = (item for item in findings if outcome_of(item.outcome) != Outcome.OUTCOME_PASS)
    return sorted(bad, key=lambda item: (item.interval.start_ms, item.interval.end_ms, item.finding_id))


def _bands(findings: Iterable[Finding], scale: Scale, bottom: float) -> list[str]:
    """A tint through all lanes where something failed or is unsure; not for what concerns most of the session."""
    bands = []
    for finding in _shown(findings):
        start, end = finding.interval.start_ms, finding.interval.end_ms
        if end - start <= scale.duration_ms / 2:
            x = scale.x(start)
            tint = 'fill-opacity="0.13"'
            bands.append(svg.rect(x, _AXIS, scale.x(end) - x, bottom - _AXIS, svg.colour(finding.outcome), tint))
    return bands


def _findings_lane(findings: Sequence[Finding], scale: Scale) -> tuple[str, float]:
    """Signs at the middle of each finding's stretch, in rows so that none touch; and the lane's height."""
    parts = [_label("质检结果", "Findings")]
    shown = _shown(findings)
    if not shown:
        parts.append(svg.text(LEFT, 13, "无不合格或存疑项 Nothing failed or unsure", 9.5, svg.INK_2))
    row_ends: list[float] = []
    for finding in shown:
        x = scale.x((finding.interval.start_ms + finding.interval.end_ms) // 2)
        row = next((index for index, end in enumerate(row_ends) if x - _MARK > end), len(row_ends))
        row_ends[row : row + 1] = [x + _MARK + 1]
        parts.append(svg.sign(finding.outcome, x, 11 + row * 16, _MARK))
    return "".join(parts), max(_LANE, 6 + 16.0 * len(row_ends))


_LEGEND = (
    (svg.rect(0, -7, 12, 8, svg.ACCENT), "人脸在画面内 face seen"),
    (svg.rect(0, -7, 12, 8, "url(#absent)"), "未见人脸 no face seen"),
    (svg.rect(0, -7, 12, 8, svg.PAPER, f'stroke="{svg.INK_2}" stroke-dasharray="2 2"'), "录制缺口 gap"),
    (svg.rect(0, -7, 12, 8, svg.INK_2, 'rx="1.5"'), "说话 speech"),
    (svg.sign(Outcome.OUTCOME_FAIL, 6, -3, 4.6), "不合格 fail"),
    (svg.sign(Outcome.OUTCOME_UNSURE, 6, -3, 4.6), "存疑 unsure"),
)


def _rows(items: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Items of the legend in rows that fit."""
    rows: list[list[tuple[str, str]]] = []
    room = 0.0
    for item in items:
        width = _item_width(item)
        if not rows or width > room:
            rows.append([])
            room = RIGHT - LEFT
        rows[-1].append(item)
        room -= width
    return rows


def _item_width(item: tuple[str, str]) -> float:
    return 16 + svg.width_of(item[1], 8.5) + 14


def _legend(items: Iterable[tuple[str, str]], y: float) -> str:
    """What fills and signs mean, in one row."""
    parts, x = [], LEFT
    for item in items:
        picture, words = item
        parts.append(f'<g transform="translate({x:.1f} {y:.1f})">{picture}{svg.text(16, 0, words, 8.5, svg.INK_2)}</g>')
        x += _item_width(item)
    return "".join(parts)
