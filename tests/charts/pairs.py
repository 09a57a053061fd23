"""Switches of a chart in all pairs: few renders in which every two settings of two switches meet."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Choice = bool | str
Row = dict[str, Choice]

# Two that the chart refuses together, in words: both would set the same replicas.
REFUSED = (("autoscaling.keda", True, "autoscaling.prometheusAdapter", True),)
# What a switch needs beside it; harmless where it is off.
COMPANIONS: dict[str, Any] = {
    "host": "signing.bank.example",
    "secrets": {"ca": "shuanglu-ca", "externalSecrets": {"storeName": "vault"}},
    "tls": {"certManager": {"issuerName": "bank-issuing-ca"}},
    "models": {"existingClaim": "models"},
    "media": {"publicAddress": "192.0.2.10,192.0.2.11", "rtpPorts": 20},
}


def switches(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, tuple[Choice, ...]]]:
    """Each boolean and each choice among names, with its settings, as a values.schema.json tells them."""
    if schema.get("type") == "boolean":
        yield path, (False, True)
    elif "enum" in schema:
        yield path, tuple(schema["enum"])
    for name, item in schema.get("properties", {}).items():
        yield from switches(item, f"{path}.{name}" if path else name)


def switches_of(chart: Path) -> dict[str, tuple[Choice, ...]]:
    """The switches of a chart."""
    return dict(switches(json.loads((chart / "values.schema.json").read_text())))


def refused(row: Row) -> bool:
    """Whether the chart says no to these settings."""
    return any(row.get(a) == x and row.get(b) == y for a, x, b, y in REFUSED)


def all_pairs(options: Mapping[str, Sequence[Choice]]) -> list[Row]:
    """Rows in which every allowed pair of settings stands at least once; greedy, and the same each time."""
    names = list(options)
    missing = {
        (a, x, b, y)
        for a, b in itertools.combinations(names, 2)
        for x in options[a]
        for y in options[b]
        if not refused({a: x, b: y})
    }
    rows = []
    while missing:
        a, x, b, y = min(missing, key=repr)
        row: Row = {a: x, b: y}
        for name in names:
            if name not in row:
                row[name] = max(
                    (value for value in options[name] if not refused({**row, name: value})),
                    key=lambda value, name=name: _gain(row, name, value, missing),  # type: ignore[misc]
                )
        missing -= set(_pairs(row, names))
        rows.append({name: row[name] for name in names})
    return rows


def _pairs(row: Row, names: Sequence[str]) -> Iterator[tuple[str, Choice, str, Choice]]:
    for a, b in itertools.combinations(names, 2):
        yield a, row[a], b, row[b]


def _gain(row: Row, name: str, value: Choice, missing: set[tuple[str, Choice, str, Choice]]) -> int:
    return sum(
        (other, setting, name, value) in missing or (name, value, other, setting) in missing
        for other, setting in row.items()
    )


def values_of(row: Row) -> dict[str, Any]:
    """A row as values of the chart, with what its switches need."""
    values: dict[str, Any] = json.loads(json.dumps(COMPANIONS))
    for path, value in row.items():
        place = values
        *folders, leaf = path.split(".")
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = value
    return values
