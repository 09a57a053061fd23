"""Conditions of strategies in CEL (as in Kubernetes and Envoy): type-checked when saved, bounded when run.

Orders and findings are declared as protobuf messages, so that a misspelt field is an error of the strategy and not of
a session.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from cel_expr_python import cel
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from shuanglu_quality.domain.findings import Finding

MAX_LENGTH = 2000
# Each comprehension inside another multiplies the work by the number of findings.
MAX_COMPREHENSIONS = 4
_COMPREHENSION = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
_ORDER_FIELDS = ("product", "amount_fen", "purpose", "term_months")
_FINDING_FIELDS = ("severity", "outcome", "check", "node", "role", "reason")
_INTEGERS = ("amount_fen", "term_months")


class BadCondition(ValueError):
    """The expression does not compile, is of a wrong type, or is too expensive. The text says what and where."""


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What conditions may look at; no personal data."""

    product: str
    amount_fen: int
    purpose: str
    term_months: int


@cache
def _pool() -> DescriptorPool:
    file = FileDescriptorProto(name="shuanglu/strategy/facts.proto", package="shuanglu.strategy", syntax="proto3")
    for name, fields in (("Order", _ORDER_FIELDS), ("Finding", _FINDING_FIELDS)):
        message = file.message_type.add(name=name)
        for number, field in enumerate(fields, 1):
            kind = FieldDescriptorProto.TYPE_INT64 if field in _INTEGERS else FieldDescriptorProto.TYPE_STRING
            message.field.add(name=field, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _message(name: str, **values: str | int) -> Message:
    return GetMessageClass(_pool().FindMessageTypeByName(f"shuanglu.strategy.{name}"))(**values)


@cache
def _order_env() -> Any:
    return cel.NewEnv(_pool(), variables={"order": cel.Type("shuanglu.strategy.Order"), "channel": cel.Type.STRING})


@cache
def _verdict_env() -> Any:
    findings = cel.Type.List(cel.Type("shuanglu.strategy.Finding"))
    return cel.NewEnv(_pool(), variables={"findings": findings})


def _compile(environment: Any, expression: str) -> Any:
    if len(expression) > MAX_LENGTH:
        raise BadCondition(f"the condition has {len(expression)} characters; at most {MAX_LENGTH} are allowed")
    if len(_COMPREHENSION.findall(expression)) > MAX_COMPREHENSIONS:
        raise BadCondition(f"the condition has more than {MAX_COMPREHENSIONS} of all, exists, exists_one, map, filter")
    try:
        compiled = environment.compile(expression)
    except RuntimeError as error:
        raise BadCondition(_readable(str(error))) from error
    if compiled.return_type() != cel.Type.BOOL:
        raise BadCondition(f"the condition must be bool, it is {compiled.return_type()}".lower())
    return compiled


def _readable(message: str) -> str:
    lines = [line for line in message.splitlines() if "ERROR:" in line] or message.splitlines()[:1]
    texts = [re.sub(r"^.*ERROR: <input>:(\d+):(\d+): ", r"column \2: ", line) for line in lines]
    cleaned = (text.replace("shuanglu.strategy.", "").replace(" (in container '')", "") for text in texts)
    return "; ".join(text.replace(" [INVALID_ARGUMENT]", "") for text in cleaned)


def _truth(compiled: Any, data: dict[str, Any]) -> bool | None:
    try:
        value = compiled.eval(data=data)
    except RuntimeError:
        return None
    return value.value() if value.type() == cel.Type.BOOL else None


class OrderCondition:
    """`applies_when` and `admit_when`: over `order` and `channel`."""

    def __init__(self, expression: str) -> None:
        """Raises BadCondition. An empty expression always holds."""
        self._compiled = _compile(_order_env(), expression) if expression else None

    def holds(self, order: OrderFacts, channel: str) -> bool | None:
        """None if it came to an error, such as a division by zero."""
        if self._compiled is None:
            return True
        facts = _message(
            "Order",
            product=order.product,
            amount_fen=order.amount_fen,
            purpose=order.purpose,
            term_months=order.term_months,
        )
        return _truth(self._compiled, {"order": facts, "channel": channel})


class FindingsCondition:
    """`verdict`: over `findings`, each with severity, outcome, check, node, role and reason."""

    def __init__(self, expression: str) -> None:
        """Raises BadCondition."""
        self._compiled = _compile(_verdict_env(), expression)

    def holds(self, findings: Iterable[Finding]) -> bool | None:
        """None if it came to an error."""
        facts = [
            _message(
                "Finding",
                severity=one.severity.value,
                outcome=one.outcome.value,
                check=one.check,
                node=one.node,
                role=one.role.value if one.role else "",
                reason=one.reason,
            )
            for one in findings
        ]
        return _truth(self._compiled, {"findings": facts})
