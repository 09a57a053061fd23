"""Small pieces of SVG in the house's colours. Colour never stands alone: every outcome has its sign."""

from html import escape

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu_report.page.words import outcome_of

INK = "#14181f"
INK_2 = "#566070"
PAPER = "#ffffff"
PAPER_2 = "#f5f6f8"
LINE = "#dfe3e8"
ACCENT = "#1f5fbf"
PASS = "#1b7a43"  # noqa: S105 - a colour
FAIL = "#b3261e"
UNSURE = "#8a5a00"
FONT = "Noto Sans CJK SC"
_LAST_NARROW = 0x2E7F  # Ideographs and their punctuation come behind.
_LATIN_EM = 0.54

_COLOURS = {Outcome.OUTCOME_PASS: PASS, Outcome.OUTCOME_FAIL: FAIL, Outcome.OUTCOME_UNSURE: UNSURE}
# Drawn, not written: the report's font has no ✕. Within a circle of radius 1 around the origin.
_SIGNS = {
    Outcome.OUTCOME_PASS: "M-.45 .02 L-.12 .36 L.48 -.34",
    Outcome.OUTCOME_FAIL: "M-.36 -.36 L.36 .36 M.36 -.36 L-.36 .36",
    Outcome.OUTCOME_UNSURE: "M-.27 -.2 C-.27 -.62 .3 -.62 .3 -.2 C.3 .06 0 .04 0 .26 M0 .55 L0 .56",
}


def colour(outcome: int) -> str:
    """The outcome's colour; an unknown outcome has the one of UNSURE."""
    return _COLOURS[outcome_of(outcome)]


def rect(x: float, y: float, width: float, height: float, fill: str, extra: str = "") -> str:
    """A rectangle; never narrower than half a unit, so that nothing that happened is invisible."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" fill="{fill}" {extra}/>'


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 0.7) -> str:
    """A straight line."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" stroke-width="{width:.1f}"/>'
    )


def text(x: float, y: float, words: str, size: float, fill: str = INK, extra: str = "") -> str:
    """Text whose base line starts at x, y."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{FONT}" font-size="{size:.1f}" fill="{fill}" {extra}>'
        f"{escape(words)}</text>"
    )


def sign(outcome: int, x: float, y: float, radius: float) -> str:
    """✓, ✕ or ? in a disc of the outcome's colour, centred on x, y."""
    known = outcome_of(outcome)
    return (
        f'<g transform="translate({x:.1f} {y:.1f}) scale({radius:.2f})"><circle r="1" fill="{_COLOURS[known]}"/>'
        f'<path d="{_SIGNS[known]}" fill="none" stroke="{PAPER}" stroke-width=".24" stroke-linecap="round" '
        f'stroke-linejoin="round"/></g>'
    )


def sign_picture(outcome: int) -> str:
    """The sign as a picture of its own, 24 units in square."""
    return document(24, 24, [sign(outcome, 12, 12, 12)])


def document(width: float, height: float, parts: list[str]) -> str:
    """A complete SVG."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
    return f'{head}width="{width:.0f}" height="{height:.0f}">{"".join(parts)}</svg>'


def width_of(words: str, size: float) -> float:
    """About how wide the text will be: Chinese is one em, Latin a little more than half."""
    return sum(size if ord(character) > _LAST_NARROW else size * _LATIN_EM for character in words)


def fitted(words: str, size: float, room: float) -> str:
    """The text, cut with an ellipsis to fit; empty if not even two characters fit."""
    if width_of(words, size) <= room:
        return words
    kept = words
    while kept and width_of(kept + "…", size) > room:
        kept = kept[:-1]
    return f"{kept.rstrip()}…" if len(kept) > 1 else ""
