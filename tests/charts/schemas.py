"""Objects against the definitions of Kubernetes and of the operators; a kind that none of them knows is a fault."""

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate

# The newest that kubernetes_validate has, and the oldest that the chart says it runs on, which it also has.
VERSIONS = ("1.35", "1.28")
FOLDER = Path(__file__).parent / "schemas"


@functools.cache
def _custom(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((FOLDER / f"{kind}.json").read_text()))


@functools.cache
def _faults(text: str) -> tuple[str, ...]:
    item: dict[str, Any] = json.loads(text)
    if (FOLDER / f"{item['kind']}.json").exists():
        errors = _custom(item["kind"]).iter_errors(item)
        return tuple(f"{'.'.join(map(str, error.path))}: {error.message[:300]}" for error in errors)
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(item, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            found.append(f"no schema of {item['apiVersion']} {item['kind']} in Kubernetes {version}")
        except kubernetes_validate.ValidationError as error:
            found.append(f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message[:300]}")
    return tuple(found)


def faults(item: dict[str, Any]) -> list[str]:
    """What is wrong with one object, each with its kind and name."""
    name = f"{item.get('kind')}/{item.get('metadata', {}).get('name')}"
    return [f"{name}: {fault}" for fault in _faults(json.dumps(item, sort_keys=True))]
