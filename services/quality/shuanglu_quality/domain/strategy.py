"""A strategy: the script of a session, its checks and its conditions.

Immutable; its version is the hash of its content.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shuanglu_quality.domain.words import Role, Severity, Text

NO_TEXT = Text("", "")
FieldValue = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that must or must not be said.

    Each of `must_have` has to be heard exactly; the rest may be a little off.
    """

    text: str
    must_have: tuple[str, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that a node wants. Time runs from the end of the question."""

    role: Role
    expect: str
    within_ms: int
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the script."""

    node_id: str
    title: Text
    read_by: Role = Role.AGENT
    prompt: str = ""
    anchors: tuple[str, ...] = ()
    must_say: tuple[Phrase, ...] = ()
    must_not_say: tuple[Phrase, ...] = ()
    answer: Answer | None = None
    min_ms: int | None = None
    max_ms: int | None = None
    checks: tuple[str, ...] = ()
    rule: str = ""

    @property
    def reading(self) -> str:
        """What its reader is shown: the prompt, else the phrases that must be said."""
        return self.prompt or "；".join(phrase.text for phrase in self.must_say)


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check as the strategy sets it. Fields that are not given have the kind's own defaults."""

    kind: str
    severity: Severity
    rule: str = ""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        """A limit."""
        value = self.fields.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def word(self, name: str, default: str) -> str:
        """A choice."""
        value = self.fields.get(name, default)
        return value if isinstance(value, str) else default

    def words(self, name: str) -> tuple[str, ...]:
        """A list of phrases; empty if there is none."""
        value = self.fields.get(name, ())
        return value if isinstance(value, tuple) else ()

    def roles(self, default: tuple[Role, ...]) -> tuple[Role, ...]:
        """Whom the check is about."""
        names = self.words("roles")
        return tuple(Role(name) for name in names) if names else default


@dataclass(frozen=True, slots=True)
class Admission:
    """Which orders may be signed here. `condition` is CEL; empty admits all."""

    condition: str = ""
    rule: str = ""
    refusal: Text = NO_TEXT


class StallAction(StrEnum):
    """What happens to a call whose recording stops growing."""

    WARN = "warn"  # the parties are told
    HOLD = "hold"  # no node is started or finished until it grows again
    END = "end"  # ended, if it does not grow again in time


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """What is asked of a live recording. No required roles: everybody whom the session was made with."""

    required_roles: tuple[Role, ...] = ()
    on_stall: StallAction = StallAction.HOLD
    stall_patience_s: int = 30


@dataclass(frozen=True, slots=True)
class Strategy:
    """One immutable version."""

    strategy_id: str
    version: str
    title: Text
    nodes: tuple[Node, ...]
    checks: tuple[CheckSpec, ...]
    verdict: str
    applies_when: str = ""
    admission: Admission = Admission()
    face_fps: float = 2.0
    languages: tuple[str, ...] = ("zh",)
    recording: RecordingRules = RecordingRules()

    def node(self, node_id: str) -> Node | None:
        """The node of that id."""
        return next((node for node in self.nodes if node.node_id == node_id), None)

    def judged_nodes(self, kind: str) -> frozenset[str]:
        """Nodes that a check is limited to; empty means the whole recording."""
        return frozenset(node.node_id for node in self.nodes if kind in node.checks)
