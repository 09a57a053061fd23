"""Where every line and node stands on the session's timeline. Pure arithmetic, milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass

from shuanglu_samples.script import BETWEEN_NODES_MS, Line, Script

LEAD_IN_MS = 800
LEAD_OUT_MS = 900
FRAME_RATE = 15


@dataclass(frozen=True, slots=True)
class Utterance:
    """A line with its place; `end_ms` is exclusive."""

    node_id: str
    line: Line
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class NodeSpan:
    """The interval of one node; spans touch each other and cover the session."""

    node_id: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The laid out session. `duration_ms` is a whole number of frames, rounded down to a millisecond."""

    utterances: tuple[Utterance, ...]
    nodes: tuple[NodeSpan, ...]
    duration_ms: int

    @property
    def frames(self) -> int:
        """Pictures in the session at 15 a second."""
        return round(self.duration_ms * FRAME_RATE / 1000)

    def node(self, node_id: str) -> NodeSpan:
        """The span of a node; KeyError if the script does not have it."""
        for span in self.nodes:
            if span.node_id == node_id:
                return span
        raise KeyError(node_id)


def lay_out(script: Script, durations_ms: Mapping[Line, int]) -> Timeline:
    """Put the lines one after the other, with their pauses.

    `durations_ms` has the spoken length of every line. Nodes meet in the middle of the pause between
    them; the first begins at 0 and the last ends with the session, so every second belongs to a node.
    """
    utterances: list[Utterance] = []
    starts: list[int] = []
    between_ms = round(BETWEEN_NODES_MS * script.pause_factor)
    at = LEAD_IN_MS
    for position, node in enumerate(script.nodes):
        starts.append(at - between_ms // 2 if position else 0)
        for line in node.lines:
            end = at + durations_ms[line]
            utterances.append(Utterance(node.node_id, line, at, end))
            at = end + round(line.pause_ms * script.pause_factor)
        at = end + between_ms
    last = utterances[-1].end_ms
    frames = -(-(last + LEAD_OUT_MS) * FRAME_RATE // 1000)
    duration = frames * 1000 // FRAME_RATE
    ends = [*starts[1:], duration]
    spans = tuple(
        NodeSpan(node.node_id, start, end) for node, start, end in zip(script.nodes, starts, ends, strict=True)
    )
    return Timeline(tuple(utterances), spans, duration)
