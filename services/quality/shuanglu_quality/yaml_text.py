"""YAML without its traps: no anchors or aliases (a small text can mean gigabytes), no repeated keys, no tags.

The text is first read as a stream of events that is left at the first one too many: what builds values, and what checks
them, never sees a text that is too deep, too long or made of numbers without end. Every value keeps its line, so that a
problem can be pointed at.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_VALUES = 20_000
MAX_ITEMS = 1000
MAX_KEY = 100
# 64-bit numbers need 20 characters; some spellings of larger ones take minutes to read.
MAX_NUMBER = 40
_PLAIN = {
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:null",
}
_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
# libyaml is ten times faster and comes with every wheel; without it the same texts are taken.
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (a path such as `checks.same_person`), what, and the line from 1 (0: unknown)."""

    path: str
    message: str
    line: int = 0


class BadText(ValueError):
    """The text is not YAML that is taken; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        """`problem`: what a person should mend."""
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class Parsed:
    """Plain values, and the line of every path."""

    content: Any
    lines: dict[str, int] = field(default_factory=dict)

    def line(self, path: str) -> int:
        """Line of a path, or of the nearest one above it."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0] if "." in path else ""
        return self.lines.get(path, 0)


def parse(text: str) -> Parsed:
    """Reads a text. Raises BadText."""
    if len(text.encode()) > MAX_BYTES:
        raise BadText(Problem("", f"the strategy has more than {MAX_BYTES // 1024} KiB; make it smaller"))
    try:
        _bounded(text)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise BadText(Problem("", f"not valid YAML: {error.problem or error.context}", line)) from error
    except yaml.YAMLError as error:
        raise BadText(Problem("", "not valid YAML: it holds characters that YAML does not allow")) from error
    if not isinstance(root, MappingNode):
        raise BadText(Problem("", "a strategy is a mapping with id, title, nodes and checks", 1))
    parsed = Parsed(None)
    parsed.content = _value(root, "", parsed.lines)
    return parsed


def _bounded(text: str) -> None:
    """Raises BadText at the first event too many, YAMLError."""
    depth = values = 0
    for event in yaml.parse(text, Loader=_LOADER):
        _no_reuse(event)
        values += isinstance(event, NodeEvent)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else 0
        if depth > MAX_DEPTH:
            raise BadText(Problem("", f"nested more than {MAX_DEPTH} deep", line))
        if values > MAX_VALUES:
            raise BadText(Problem("", f"more than {MAX_VALUES} values; make it smaller", line))


def _no_reuse(event: Any) -> None:
    if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
        line = event.start_mark.line + 1 if event.start_mark else 0
        raise BadText(Problem("", f"anchors and aliases are not allowed (`{event.anchor}`); write the value out", line))


def _value(node: Node, path: str, lines: dict[str, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if not isinstance(node, ScalarNode) and len(node.value) > MAX_ITEMS:
        raise BadText(Problem(path, f"more than {MAX_ITEMS} entries", line))
    if isinstance(node, MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, SequenceNode):
        return [_value(one, f"{path}[{at}]", lines) for at, one in enumerate(node.value)]
    return _scalar(node, path, line)


def _mapping(node: MappingNode, path: str, lines: dict[str, int]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            raise BadText(Problem(path, "keys must be plain words", line))
        name = str(key.value)
        if len(name) > MAX_KEY:
            raise BadText(Problem(path, f"keys have at most {MAX_KEY} characters", line))
        below = f"{path}.{name}" if path else name
        if name in values:
            raise BadText(Problem(below, f"`{name}` stands here twice; keep one", line))
        lines[below] = line
        values[name] = _value(value, below, lines)
    return values


def _scalar(node: Node, path: str, line: int) -> Any:
    truth = node.tag == "tag:yaml.org,2002:bool" and str(node.value).lower() in ("true", "false")
    if node.tag == "tag:yaml.org,2002:timestamp" or (node.tag == "tag:yaml.org,2002:bool" and not truth):
        return node.value  # YAML 1.2 has no dates, and yes, no, on and off are words there
    if node.tag not in _PLAIN:
        raise BadText(Problem(path, f"the tag `{node.tag.rpartition(':')[2]}` is not allowed", line))
    if node.tag in _NUMBERS and len(node.value) > MAX_NUMBER:
        raise BadText(Problem(path, f"numbers have at most {MAX_NUMBER} characters", line))
    try:
        value = SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ArithmeticError, LookupError, ValueError) as error:
        raise BadText(Problem(path, f"`{node.value[:MAX_KEY]}` cannot be read", line)) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise BadText(Problem(path, "numbers must be finite", line))
    return value
