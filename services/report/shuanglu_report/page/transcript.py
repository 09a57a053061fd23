"""The transcript as a report shows it: by node, with the phrases marked that a rule required or forbade."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.media.v1.track_pb2 import TimelineNode
from shuanglu.observation.v1.observations_pb2 import Utterance
from shuanglu.quality.v1.finding_pb2 import InspectionResult, Quote
from shuanglu_report.domain.positions import position, stretch
from shuanglu_report.page.timeline import node_outcome
from shuanglu_report.page.words import OUTCOMES, outcome_of, role_words

# Below this mean word probability a reader is told to listen for himself.
UNCERTAIN = 0.5
_NAMES = {Outcome.OUTCOME_PASS: "passed", Outcome.OUTCOME_FAIL: "failed", Outcome.OUTCOME_UNSURE: "unsure"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A part of an utterance, from and to in characters, that a finding is about."""

    start: int
    end: int
    outcome: Outcome.ValueType


def spoken_nodes(result: InspectionResult) -> list[dict[str, Any]]:
    """Groups of utterances in time order: each take of a node, and what was said outside of them."""
    groups: list[dict[str, Any]] = []
    nodes = sorted(result.timeline, key=lambda node: (node.start_ms, node.end_ms))
    current: object = ()
    for utterance in sorted(result.utterances, key=lambda item: (item.start_ms, item.end_ms)):
        node = node_at(nodes, (utterance.start_ms + utterance.end_ms) // 2)
        if not groups or node is not current:
            groups.append(_heading(result, node))
            current = node
        groups[-1]["lines"].append(_line(result, utterance))
    return groups


def node_at(nodes: Sequence[TimelineNode], at_ms: int) -> TimelineNode | None:
    """The node that was performed at a position; the later one where two overlap."""
    return next((node for node in reversed(nodes) if node.start_ms <= at_ms < node.end_ms), None)


def marks(utterance: Utterance, quoted: Sequence[tuple[Quote, Outcome.ValueType]]) -> list[Mark]:
    """Where the quotes' matched words stand in the utterance; sorted, overlaps are cut to the first."""
    found = []
    for quote, outcome in quoted:
        same = quote.role == utterance.role and quote.start_ms < utterance.end_ms and quote.end_ms > utterance.start_ms
        start = utterance.text.find(quote.matched) if same and quote.matched else -1
        if start >= 0:
            found.append(Mark(start, start + len(quote.matched), outcome))
    kept: list[Mark] = []
    for mark in sorted(found, key=lambda item: (item.start, -item.end, item.outcome)):
        if not kept or mark.start >= kept[-1].end:
            kept.append(mark)
    return kept


def _heading(result: InspectionResult, node: TimelineNode | None) -> dict[str, Any]:
    if node is None:
        return {"zh": "环节之外", "en": "Outside of nodes", "time": "", "outcome": None, "lines": []}
    title = next((item for item in result.nodes if item.node_id == node.node_id), None)
    zh = (title.title_zh if title else "") or node.node_id
    en = (title.title_en if title else "") or node.node_id
    outcome = node_outcome(result.findings, node)
    return {
        "zh": f"{zh}（第 {node.take} 次）" if node.take > 1 else zh,
        "en": f"{en}, take {node.take}" if node.take > 1 else en,
        "time": stretch(node.start_ms, node.end_ms),
        "outcome": {"name": _NAMES[outcome], "zh": OUTCOMES[outcome].zh, "en": OUTCOMES[outcome].en},
        "lines": [],
    }


def _line(result: InspectionResult, utterance: Utterance) -> dict[str, Any]:
    quoted = [(quote, outcome_of(item.outcome)) for item in result.findings for quote in item.quotes]
    who = role_words(utterance.role)
    return {
        "time": position(utterance.start_ms),
        "role": {"zh": who.zh, "en": who.en} if utterance.role else {"zh": "未辨明", "en": "Unknown"},
        "parts": _parts(utterance.text, marks(utterance, quoted)),
        "uncertain": bool(utterance.text) and utterance.confidence < UNCERTAIN,
    }


def _parts(text: str, found: Sequence[Mark]) -> list[dict[str, str]]:
    """The text cut at its marks; `mark` is empty for what lies between. No text gives no parts."""
    parts, at = [], 0
    for mark in found:
        parts.append({"text": text[at : mark.start], "mark": ""})
        parts.append({"text": text[mark.start : mark.end], "mark": _NAMES[mark.outcome]})
        at = mark.end
    parts.append({"text": text[at:], "mark": ""})
    return [part for part in parts if part["text"]]
