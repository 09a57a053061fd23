"""The words that alerts are written in: each one brings the cases that it is tested with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

RUNBOOKS = "deploy/helm/runbooks"
NAMESPACE = "signing"


@dataclass(frozen=True, slots=True)
class Case:
    """Series of a test, as promtool writes them, by name and labels; the namespace is added.

    `at` is when the alert is looked at, `labels` what tells it from its sisters when it fires.
    """

    series: Mapping[str, str]
    at: str = "20m"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """`page` wakes somebody, `ticket` waits until the morning. `silent` is a case that looks alike and is well."""

    name: str
    severity: str
    expr: str
    hold: str
    summary: str
    description: str
    fires: Case
    silent: Case

    def rule(self) -> dict[str, object]:
        """As Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.hold,
            "labels": {"severity": self.severity, "product": "shuanglu"},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{RUNBOOKS}/{self.name}.md",
            },
        }

    @property
    def slow(self) -> bool:
        """Tested in steps of hours."""
        return self.fires.at.endswith("h")

    def expected(self, own: Mapping[str, str]) -> dict[str, object]:
        """What promtool must see when it fires with labels of its own."""
        labels = {"namespace": NAMESPACE, **own}
        told = {"summary": self.summary, "description": self.description}
        for name, value in labels.items():
            told = {key: text.replace(f"{{{{ $labels.{name} }}}}", value) for key, text in told.items()}
        return {
            "exp_labels": {"severity": self.severity, "product": "shuanglu", **labels},
            "exp_annotations": {**told, "runbook_url": f"{RUNBOOKS}/{self.name}.md"},
        }


def steady(value: float) -> str:
    """The same number all the time."""
    return f"{value:g}x180"


def growing(start: float, by: float) -> str:
    """More by so much every minute."""
    return f"{start:g}+{by:g}x180"


def falling(start: float, by: float) -> str:
    """Less by so much every minute."""
    return f"{start:g}-{by:g}x180"
