"""Charts as Helm renders them, each combination of values once."""

import functools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "charts"
VALUES = ROOT / "deploy" / "helm"
RELEASE = "demo"
HOST = "signing.bank.example"
# Kinds with a pod in them, and where it is.
WORKLOADS = ("Deployment", "StatefulSet", "Job", "DaemonSet", "CronJob")

Object = dict[str, Any]


class Loader(yaml.CSafeLoader):
    """YAML as the Kubernetes API reads it: a key that stands twice is an error."""


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"stands twice: {sorted(twice)}", node.start_mark)
    return dict(zip(keys, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True))


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@dataclass(frozen=True, slots=True)
class Render:
    """What one set of values makes."""

    name: str
    objects: tuple[Object, ...]

    def of(self, *kinds: str) -> list[Object]:
        """Objects of these kinds."""
        return [item for item in self.objects if item["kind"] in kinds]

    def named(self, kind: str, name: str) -> Object:
        """The one object of this kind and name."""
        return next(item for item in self.of(kind) if item["metadata"]["name"] == name)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the pinned helm answers, whether right or wrong."""
    command = [str(ROOT / "scripts" / "helm.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@functools.cache
def chart(name: str) -> Path:
    """A copy of the chart with its library inside, so that neither a package of yesterday nor a network counts."""
    folder = Path(tempfile.mkdtemp(prefix="shuanglu-chart-")) / name
    shutil.copytree(CHARTS / name, folder, ignore=shutil.ignore_patterns("charts"))
    for dependency in yaml.safe_load((folder / "Chart.yaml").read_text()).get("dependencies", []):
        shutil.copytree(CHARTS / dependency["name"], folder / "charts" / dependency["name"])
    return folder


def objects_of(text: str) -> tuple[Object, ...]:
    """The objects of a manifest; a document of comments is none."""
    # Helm puts notes of ours between documents; the loader refuses what is not an object.
    return tuple(item for item in yaml.load_all(text, Loader=Loader) if item)


def template(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`helm template` of a chart of ours."""
    return helm("template", RELEASE, str(chart(name)), "--namespace", "signing", *arguments)


@functools.cache
def render(title: str, files: tuple[str, ...] = (), values: str = "{}", name: str = "shuanglu") -> Render:
    """Objects of a chart with values files of deploy/helm, and with more values as JSON on top."""
    arguments = [option for file in files for option in ("--values", str(VALUES / file))]
    merged = {**({"host": HOST} if name == "shuanglu" else {}), **json.loads(values)}
    done = template(name, *arguments, "--set-json", *_each(merged))
    if done.returncode:
        raise AssertionError(f"{title}: helm template says {done.stderr.strip()}")
    return Render(title, objects_of(done.stdout))


def _each(values: dict[str, Any]) -> Iterator[str]:
    yield json.dumps(values)


def profiles() -> list[Render]:
    """The chart as it comes, every values file, and the GPU file over the production file as its head says."""
    files = sorted(path.name for path in VALUES.glob("values-*.yaml"))
    made = [render("defaults"), *(render(file, (file,)) for file in files)]
    if "values-gpu.yaml" in files:
        made.append(render("values-production.yaml + values-gpu.yaml", ("values-production.yaml", "values-gpu.yaml")))
    return made


def pod_of(item: Object) -> Object:
    """The pod template of a workload."""
    spec = item["spec"]
    if item["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return dict(spec["template"])


def containers_of(item: Object) -> list[Object]:
    """All containers of a workload, those that only begin included."""
    spec = pod_of(item)["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def component_of(item: Object) -> str:
    """The part of the product that an object belongs to."""
    return str(item["metadata"].get("labels", {}).get("app.kubernetes.io/component", ""))
