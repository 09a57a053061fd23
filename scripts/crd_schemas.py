"""Writes the schemas of the custom resources that the charts use into tests/charts/schemas, one file a kind.

They are made of the models of cloudcoil (Apache-2.0), which are made of the operators' own definitions. The models let
unknown fields pass; here every object with known properties is closed, so that a misspelt field is found. Run it again
when a newer operator is supported:

    python3 -m venv build/cloudcoil
    build/cloudcoil/bin/pip install cloudcoil-models-keda==2.16.1.0 \
        cloudcoil-models-prometheus-operator==0.80.1.0 cloudcoil-models-cert-manager==1.17.1.0
    build/cloudcoil/bin/python scripts/crd_schemas.py

ExternalSecret has no such package: tests/charts/schemas/ExternalSecret.json is written by hand, with the fields in use.
"""

import importlib
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "tests" / "charts" / "schemas"
KINDS = {
    "cloudcoil.models.keda.v1alpha1": ("ScaledObject", "TriggerAuthentication"),
    "cloudcoil.models.prometheus_operator.v1": ("PodMonitor", "ServiceMonitor", "PrometheusRule"),
    "cloudcoil.models.cert_manager.v1": ("Certificate", "Issuer"),
}
# Texts for people make the files ten times as large.
PROSE = frozenset({"description", "title", "examples", "default"})


def closed(node: Any) -> Any:
    """The schema without prose; objects with known properties take no others."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    for name, value in node.items():
        if name in {"properties", "$defs"}:
            made[name] = {key: closed(item) for key, item in value.items()}
        elif name not in PROSE or not isinstance(value, str | int | float | bool | list | type(None)):
            made[name] = closed(value)
    if "properties" in made:
        made["additionalProperties"] = False
    return made


def main() -> None:
    """Writes every kind; metadata is Kubernetes' own, checked for any object alike."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for module, kinds in KINDS.items():
        models = importlib.import_module(module)
        for kind in kinds:
            schema = closed(getattr(models, kind).model_json_schema(by_alias=True))
            text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
            (FOLDER / f"{kind}.json").write_text(f"{text}\n")
            print(f"{kind}: {len(text) // 1024} KiB")


if __name__ == "__main__":
    main()
