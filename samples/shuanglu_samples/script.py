"""What is said in the sample session: a personal loan by video, five nodes.

The agent's lines carry the phrases that the strategy `personal-loan` demands, word for word. Two
wordings exist: the full one of the clean sample, and a compact one that keeps variants short.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """Who speaks; the value is the role's name in the API."""

    CUSTOMER = "CUSTOMER"
    AGENT = "AGENT"


class Delivery(StrEnum):
    """How a line is spoken."""

    CLEAR = "clear"
    MUMBLED = "mumbled"


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance and the pause after it in milliseconds.

    `understudy` marks a customer's line that another person says, who took the seat.
    """

    role: Role
    text: str
    pause_ms: int = 750
    delivery: Delivery = Delivery.CLEAR
    understudy: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the session, by its id in the strategy."""

    node_id: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A whole session.

    `speed` is the factor of the speaking rate, 1 is the voice's own; `pause_factor` that of all pauses.
    """

    nodes: tuple[Node, ...]
    speed: float = 1.0
    pause_factor: float = 1.0

    def with_node(self, node_id: str, change: Callable[[tuple[Line, ...]], tuple[Line, ...]]) -> "Script":
        """The same script with the lines of one node changed."""
        nodes = tuple(
            replace(node, lines=change(node.lines)) if node.node_id == node_id else node for node in self.nodes
        )
        return replace(self, nodes=nodes)


MUST_SAY: Final[dict[str, tuple[str, ...]]] = {
    "terms": ("贷款年利率", "期限", "等额本息"),
    "risk": ("贷款不得用于购房", "逾期将影响您的征信"),
}
MUST_NOT_SAY: Final = ("保证通过", "无需还款")
BETWEEN_NODES_MS: Final = 1000


def _agent(text: str) -> Line:
    return Line(Role.AGENT, text)


def _customer(text: str) -> Line:
    return Line(Role.CUSTOMER, text)


FULL: Final = Script(
    speed=0.92,
    nodes=(
        Node(
            "consent",
            (
                _agent("您好，我是客户经理。为保护您的权益，本次业务办理将全程录音录像，请问您是否同意？"),
                _customer("同意。"),
            ),
        ),
        Node(
            "identity",
            (
                _agent("现在核对您的身份，请您正对摄像头。"),
                _agent("请问您是本人自愿申请这笔个人贷款吗？"),
                _customer("是的，是我本人自愿申请。"),
            ),
        ),
        Node(
            "terms",
            (
                _agent(
                    "您申请的个人消费贷款金额为八万元，期限二十四个月，贷款年利率为百分之四点五，按月等额本息还款。"
                ),
                _agent("请问您清楚了吗？"),
                _customer("清楚了。"),
            ),
        ),
        Node(
            "risk",
            (
                _agent("请您注意，贷款不得用于购房和投资。"),
                _agent("如果您逾期还款，逾期将影响您的征信，并会产生罚息。"),
                _agent("请问您是否了解以上风险？"),
                _customer("是的，我清楚了。"),
            ),
        ),
        Node(
            "confirm",
            (
                _agent("请问您确认签署这份借款合同吗？"),
                _customer("我确认签署。"),
                _agent("好的，合同文本稍后发送到您的手机，请妥善保管。"),
                _agent("本次业务办理到此结束，感谢您的配合。"),
            ),
        ),
    ),
)

COMPACT: Final = Script(
    pause_factor=0.8,
    nodes=(
        Node(
            "consent",
            (
                _agent("为保护您的权益，本次业务办理将全程录音录像，请问您是否同意？"),
                _customer("同意。"),
            ),
        ),
        Node(
            "identity",
            (
                _agent("请问您是本人自愿申请这笔个人贷款吗？"),
                _customer("是的，是我本人。"),
            ),
        ),
        Node(
            "terms",
            (
                _agent("贷款年利率为百分之四点五，期限二十四个月，采用等额本息方式还款。"),
                _agent("您清楚了吗？"),
                _customer("清楚了。"),
            ),
        ),
        Node(
            "risk",
            (
                _agent("贷款不得用于购房。"),
                _agent("如果您逾期还款，逾期将影响您的征信记录。"),
                _agent("请问您是否了解以上风险？"),
                _customer("是的，我清楚了。"),
            ),
        ),
        Node(
            "confirm",
            (
                _agent("请问您确认签署这份借款合同吗？"),
                _customer("我确认签署。"),
            ),
        ),
    ),
)
