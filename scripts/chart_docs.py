"""README and values.schema.json of the charts, made of the comments and the shape of their values.yaml.

`python scripts/chart_docs.py` writes them, `--check` fails if one differs. Every value needs a comment above it; what
is not in values.yaml is refused by the schema, so that a typo never installs.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
CHARTS = ("shuanglu", "shuanglu-dev")
BEGIN, END = "<!-- values -->", "<!-- /values -->"
# What a value may be, where its default does not tell. `free`: whatever Kubernetes takes there.
CHOICES = {
    "image.pullPolicy": ["Always", "IfNotPresent", "Never"],
    "models.from": ["image", "volume"],
    "media.expose": ["hostPort", "loadBalancer"],
    "gateway.serviceType": ["LoadBalancer", "NodePort", "ClusterIP"],
    "faceCheck.provider": ["cpu", "cuda"],
    "asr.device": ["cpu", "cuda"],
    "logLevel": ["DEBUG", "INFO", "WARNING", "ERROR"],
    "secrets.externalSecrets.storeKind": ["SecretStore", "ClusterSecretStore"],
    "tls.certManager.issuerKind": ["Issuer", "ClusterIssuer"],
}
PATTERNS = {
    "host": r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^$",
    "nats.url": r"^(nats|tls)://",
    "s3.endpoint": r"^https?://",
    "oidc.issuer": r"^https?://",
    "tracing.endpoint": r"^(http://[A-Za-z0-9.-]+:[0-9]+)?$",
}
FREE = re.compile(r"(^|\.)(nodeSelector|labels|serviceAnnotations|annotations)$")
RESOURCES = re.compile(r"(^|\.)\w*[rR]esources$")
NUMBERS = {"secondsPerEvent", "targetLatencySeconds"}
SHARES = {"sampleRatio"}
KINDS: dict[type, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": 0},
    list: {"type": "array"},
    dict: {"type": "object"},
}
# What changes under one's feet is no version.
TAG = {"type": "string", "not": {"const": "latest"}}
AMOUNTS = {
    "type": "object",
    "propertyNames": {"pattern": "^(cpu|memory|ephemeral-storage|hugepages-.+|[a-z0-9.-]+/.+)$"},
    "additionalProperties": {"type": ["string", "number"]},
}
DIGEST = {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"}


def known_by_name(path: str) -> dict[str, Any] | None:
    """Schema of a value whose name says what it may be."""
    if path in CHOICES:
        return {"enum": CHOICES[path]}
    if path == "extraEnv":
        return {"type": "object", "propertyNames": {"pattern": "^SHUANGLU_[A-Z0-9_]+$"}}
    if RESOURCES.search(path):
        return {"type": "object", "additionalProperties": False, "properties": {"requests": AMOUNTS, "limits": AMOUNTS}}
    if path.endswith((".digest", ".tag")):
        return dict(DIGEST if path.endswith(".digest") else TAG)
    return None


def schema_of(value: Any, path: str) -> dict[str, Any]:
    """JSON schema of what may stand in place of a default."""
    if (known := known_by_name(path)) is not None:
        return known
    if isinstance(value, dict) and not FREE.search(path):
        inner = {key: schema_of(one, f"{path}.{key}" if path else key) for key, one in value.items()}
        return {"type": "object", "additionalProperties": False, "properties": inner}
    if path.rpartition(".")[2] in NUMBERS:
        return {"type": "number", "exclusiveMinimum": 0}
    if path.rpartition(".")[2] in SHARES:
        return {"type": "number", "minimum": 0, "maximum": 1}
    if isinstance(value, str):
        return {"type": "string", **({"pattern": PATTERNS[path]} if path in PATTERNS else {})}
    return dict(KINDS[type(value)])


def schema_text(chart: Path) -> str:
    """The chart's values.schema.json."""
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    whole = schema_of(values, "")
    # Helm itself hands these down.
    whole["properties"] |= {"global": {"type": "object"}, "shuanglu-service": {"type": "object"}}
    return json.dumps({"$schema": "https://json-schema.org/draft-07/schema#", **whole}, indent=2) + "\n"


def rows(chart: Path) -> list[tuple[str, str, str]]:
    """Path, default and comment of each value. Raises ValueError for one without a comment."""
    found: list[tuple[str, str, str]] = []
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in (chart / "values.yaml").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"^\s*# ?(.*)$", line):
            comment.append(match[1])
            continue
        match = re.match(r"^(\s*)([\w-]+):(?: (.*))?$", line)
        if match is None:
            comment = comment if line.strip() else []
            continue
        depth, key, value = len(match[1]), match[2], (match[3] or "").strip()
        while path and path[-1][0] >= depth:
            path.pop()
        path.append((depth, key))
        if comment or value:
            found.append((".".join(name for _, name in path), value, " ".join(comment)))
        comment = []
    bare = [name for name, value, text in found if value and not text and not covered(name, found)]
    if bare:
        raise ValueError(f"{chart.name}/values.yaml: no comment above {', '.join(bare)}")
    return found


def covered(name: str, found: list[tuple[str, str, str]]) -> bool:
    """Whether the value's group has a comment that speaks for all in it."""
    group = name.rpartition(".")[0]
    return any(path == group and text for path, _, text in found)


def readme_text(chart: Path) -> str:
    """The chart's README with its table of values made anew."""
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for name, value, text in rows(chart):
        default = f"`{value}`" if value else ""
        lines.append(f"| `{name}` | {default} | {text} |".replace("||", "| |"))
    whole = (chart / "README.md").read_text(encoding="utf-8")
    before, _, rest = whole.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{chr(10).join(lines)}\n{END}{after}"


def main() -> None:
    """Exit code 1 if --check finds a difference or a value has no comment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something differs")
    check = parser.parse_args().check
    for name in CHARTS:
        chart = ROOT / "charts" / name
        if not (chart / "values.yaml").exists():
            continue
        made = {chart / "README.md": readme_text(chart), chart / "values.schema.json": schema_text(chart)}
        for file, text in made.items():
            if not check:
                file.write_text(text, encoding="utf-8")
            elif not file.exists() or file.read_text(encoding="utf-8") != text:
                where = file.relative_to(ROOT)
                sys.stderr.write(f"{where} differs from values.yaml: run python scripts/chart_docs.py\n")
                raise SystemExit(1)


if __name__ == "__main__":
    main()
