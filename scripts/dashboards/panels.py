"""The words that dashboards are written in. Nothing here knows of Grafana, which grafana.py writes for.

In expressions `@` stands for the chosen namespace and `@tenant` for namespace and tenant, as label matchers.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

COLUMNS = 24
NAMESPACE = 'namespace=~"$namespace"'
# Labels `job` of the chart's pods.
JOBS = "gateway|signaling|media|media-ingest|face-check-.+|asr-.+|quality|report"
TENANT = f'{NAMESPACE}, tenant=~"$tenant"'


class Kind(StrEnum):
    """How a panel shows its numbers."""

    NUMBER = "stat"
    LINES = "timeseries"
    BARS = "bargauge"


class Mood(StrEnum):
    """What a number means; the colours are those of the product's pages on dark ground."""

    GOOD = "#5fcf8d"
    DOUBT = "#f2c14e"
    BAD = "#ff8a80"
    PLAIN = "#7fb0ff"


@dataclass(frozen=True, slots=True)
class Query:
    """`empty`: why it may have nothing to say although everything is well; a test asks all others for data."""

    expr: str
    legend: str = ""
    empty: str = ""

    @property
    def promql(self) -> str:
        """With the dashboard's variables in it."""
        return self.expr.replace("@tenant", TENANT).replace("@", NAMESPACE)


@dataclass(frozen=True, slots=True)
class Panel:
    """One question and its answer.

    `none` is what stands there without data, in few words; `steps` are the mood below and from each number on;
    `runbook` names the alert whose page says what to do.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    none: str
    kind: Kind = Kind.LINES
    width: int = 12
    height: int = 8
    start: Mood = Mood.PLAIN
    steps: tuple[tuple[float, Mood], ...] = ()
    runbook: str = ""
    decimals: int | None = None
    stacked: bool = False
    most: float | None = None
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands on the grid of 24 columns."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page. `uid` is its address and its file's name."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All of them."""
        return tuple(panel for row in self.rows for panel in row.panels)

    def placed(self) -> Iterator[tuple[int, Row, tuple[tuple[Panel, Place], ...]]]:
        """Each row's line and its panels' places."""
        y = 0
        for row in self.rows:
            heading, y = y, y + 1
            placed = []
            x = tall = 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y, tall = 0, y + tall, 0
                placed.append((panel, Place(x, y, panel.width, panel.height)))
                x, tall = x + panel.width, max(tall, panel.height)
            y += tall
            yield heading, row, tuple(placed)


def lines(title: str, description: str, unit: str, *queries: Query, none: str, **more: object) -> Panel:
    """Numbers over time."""
    return Panel(title, description, unit, queries, none, Kind.LINES, **more)  # type: ignore[arg-type]


def number(title: str, description: str, unit: str, query: Query, *, none: str, **more: object) -> Panel:
    """One number, coloured by what it means."""
    shape = {"width": 4, "height": 4, **more}
    return Panel(title, description, unit, (query,), none, Kind.NUMBER, **shape)  # type: ignore[arg-type]


def bars(title: str, description: str, unit: str, *queries: Query, none: str, **more: object) -> Panel:
    """One bar for each series, as it is now."""
    return Panel(title, description, unit, queries, none, Kind.BARS, **more)  # type: ignore[arg-type]


def quantile(share: float, metric: str, by: str = "", where: str = "@", window: str = "$__rate_interval") -> str:
    """A quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{where}}}[{window}])))"


def rate(metric: str, by: str = "", where: str = "@") -> str:
    """How much a second."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def increase(metric: str, by: str = "", where: str = "@") -> str:
    """How much in the time that is looked at."""
    return f"sum by ({by}) (increase({metric}{{{where}}}[$__range]))"


def told(metric: str, by: str = "", where: str = "@") -> str:
    """A gauge that every replica tells of the whole: the highest, so that replicas do not add up."""
    labels = f"namespace, {by}" if by else "namespace"
    return f"sum by ({by}) (max by ({labels}) ({metric}{{{where}}}))"


METRIC = re.compile(r"\b(?:shuanglu|envoy|process|up|ALERTS)[a-zA-Z0-9_:]*\b")
QUOTED = re.compile(r'"[^"]*"')
MATCHERS = re.compile(r"\{[^}]*\}")


def metrics_of(expr: str) -> set[str]:
    """Names of the series that an expression reads."""
    return set(METRIC.findall(MATCHERS.sub("", QUOTED.sub('""', expr))))
