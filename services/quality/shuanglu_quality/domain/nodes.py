"""Finding the nodes of a script in what the agent said, when nobody marked them.

Every node has anchors: the clauses of its prompt, its must-say phrases, and anchors that the strategy names. Each
anchor is looked for in the agent's words by sound; overlapping hits are settled in favour of the better one;
neighbouring hits of one node make a take. The script's order is not used, so nodes in the wrong order are found where
they are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.matching import find, phrase_sounds
from shuanglu_quality.domain.observations import Said, TimelineNode
from shuanglu_quality.domain.strategy import Node
from shuanglu_quality.domain.transcript import Line, line_of, not_customer, speaks_as
from shuanglu_quality.domain.words import Role

CLAUSE_BORDER = re.compile(r"[，。！？；：、,.!?;:\s]+")
_SHORTEST_ANCHOR = 4
_LEAST_SCORE = 0.7
# A node is there if its hits are worth this many well-heard syllables, or this share of its script.
_ENOUGH_SYLLABLES = 5.0
_ENOUGH_SHARE = 0.3
_NAMED_BONUS = 1.5


@dataclass(frozen=True, slots=True)
class _Hit:
    node_id: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class _Group:
    node_id: str
    start: int
    weight: float


def anchors_of(node: Node) -> dict[str, float]:
    """Clauses that tell the node, with their weight per syllable; what is named weighs more than prose."""
    anchors = {
        clause: 1.0 for clause in CLAUSE_BORDER.split(node.prompt) if len(phrase_sounds(clause)) >= _SHORTEST_ANCHOR
    }
    for phrase in node.must_say:
        if len(phrase_sounds(phrase.text)) >= _SHORTEST_ANCHOR:
            anchors[phrase.text] = _NAMED_BONUS
    for anchor in node.anchors:
        anchors[anchor] = _NAMED_BONUS
    return anchors


def find_nodes(nodes: Iterable[Node], utterances: Iterable[Said], end_ms: int) -> tuple[TimelineNode, ...]:
    """Takes of nodes in time order. Each lasts until the next begins; the last until `end_ms`.

    Nothing said, nothing found.
    """
    said = tuple(utterances)
    script = tuple(nodes)
    starts: list[tuple[int, str]] = []
    for role in sorted({node.read_by for node in script}):
        line = line_of(said, not_customer if role is Role.AGENT else speaks_as(role))
        read = [node for node in script if node.read_by is role]
        starts.extend((_start_of(line, group), group.node_id) for group in _groups(read, line))
    starts.sort()
    merged = [start for at, start in enumerate(starts) if at == 0 or starts[at - 1][1] != start[1]]
    return _with_takes(merged, end_ms)


def _groups(nodes: list[Node], line: Line) -> list[_Group]:
    totals: dict[str, float] = {}
    hits: list[_Hit] = []
    for node in nodes:
        for anchor, weight in anchors_of(node).items():
            length = len(phrase_sounds(anchor))
            totals[node.node_id] = totals.get(node.node_id, 0.0) + length * weight
            hits.extend(
                _Hit(node.node_id, match.start, match.end, length * match.score**2 * weight)
                for match in find(anchor, line.heard, _LEAST_SCORE)
            )
    groups = _joined(_settled(hits))
    while True:
        kept = [group for group in groups if _enough(group, totals)]
        rejoined = _joined([_Hit(group.node_id, group.start, group.start, group.weight) for group in kept])
        if len(rejoined) == len(groups):
            return rejoined
        groups = rejoined


def _enough(group: _Group, totals: dict[str, float]) -> bool:
    return group.weight >= min(_ENOUGH_SYLLABLES, _ENOUGH_SHARE * totals[group.node_id])


def _settled(hits: list[_Hit]) -> list[_Hit]:
    """Where hits of different nodes overlap the heavier stays; hits of one node may overlap, the heavier counts."""
    kept: list[_Hit] = []
    for hit in sorted(hits, key=lambda one: (-one.weight, one.start, one.node_id)):
        if all(hit.end <= other.start or hit.start >= other.end for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda one: one.start)


def _joined(hits: list[_Hit]) -> list[_Group]:
    groups: list[_Group] = []
    for hit in hits:
        if groups and groups[-1].node_id == hit.node_id:
            groups[-1] = _Group(hit.node_id, groups[-1].start, groups[-1].weight + hit.weight)
        else:
            groups.append(_Group(hit.node_id, hit.start, hit.weight))
    return groups


def _start_of(line: Line, group: _Group) -> int:
    """A node starts with the clause of its first hit, or with the utterance if little stands before it."""
    owner = line.owners[group.start]
    first = line.owners.index(owner)
    clause = group.start
    while clause > first and not line.heard.text[clause].after_break:
        clause -= 1
    before = clause - first
    if before < _SHORTEST_ANCHOR * 3:
        clause = first
    return line.times[clause].start_ms if clause > first else line.utterances[owner].interval.start_ms


def _with_takes(starts: list[tuple[int, str]], end_ms: int) -> tuple[TimelineNode, ...]:
    takes: dict[str, int] = {}
    timeline: list[TimelineNode] = []
    borders = [*(start for start, _ in starts), max([end_ms, *(start for start, _ in starts)])]
    for (_, node_id), (start, end) in zip(starts, pairwise(borders), strict=True):
        takes[node_id] = takes.get(node_id, 0) + 1
        timeline.append(TimelineNode(node_id, Interval(start, end), takes[node_id]))
    return tuple(timeline)
