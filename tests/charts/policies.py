"""Rules for rendered objects. Each takes a render and gives what breaks it, as `component: words`."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.charts.rendering import WORKLOADS, Object, Render, component_of, containers_of, pod_of

Rule = Callable[[Render], Iterator[str]]

# The Pod Security level "restricted" lets a pod use these kinds of volumes.
RESTRICTED_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
# Janus takes UDP ports of its node, which "restricted" does not allow; the chart's README says why.
HOST_PORTS_FOR = frozenset({"media"})
USER = 10001


def workloads(render: Render) -> Iterator[tuple[str, Object]]:
    """Every workload with the name of its component."""
    for item in render.of(*WORKLOADS):
        yield component_of(item), item


def running(render: Render) -> Iterator[tuple[str, Object]]:
    """Those that stay: no jobs."""
    for component, item in workloads(render):
        if item["kind"] != "Job":
            yield component, item


def each_container(render: Render) -> Iterator[tuple[str, Object]]:
    """Every container, as component/container."""
    for component, item in workloads(render):
        for container in containers_of(item):
            yield f"{component}/{container['name']}", container


def restricted(render: Render) -> Iterator[str]:
    """Pod Security "restricted", to the letter, but for host ports of the media pods."""
    for component, item in workloads(render):
        spec = pod_of(item)["spec"]
        security = spec.get("securityContext", {})
        if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{component}: takes a namespace of its node"
        if security.get("runAsNonRoot") is not True or security.get("runAsUser") != USER:
            yield f"{component}: does not run as {USER}"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{component}: no seccomp profile"
        for volume in spec.get("volumes", []):
            kinds = set(volume) - {"name"}
            if kinds - RESTRICTED_VOLUMES:
                yield f"{component}: volume {volume['name']} is {kinds}"
        for container in containers_of(item):
            yield from (f"{component}/{container['name']}: {fault}" for fault in _unrestricted(container))
            if component not in HOST_PORTS_FOR and any("hostPort" in port for port in container.get("ports", [])):
                yield f"{component}/{container['name']}: host port"


def _unrestricted(container: Object) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield "may gain privileges"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "may write its root"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if security.get("runAsUser", USER) != USER or security.get("runAsNonRoot") is False:
        yield f"does not run as {USER}"


def no_tokens(render: Render) -> Iterator[str]:
    """No token of the cluster's API is mounted, and each component has an account of its own."""
    accounts = {item["metadata"]["name"]: item for item in render.of("ServiceAccount")}
    for component, item in workloads(render):
        spec = pod_of(item)["spec"]
        account = accounts.get(spec.get("serviceAccountName", "default"))
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{component}: mounts a token"
        if account is None or account.get("automountServiceAccountToken") is not False:
            yield f"{component}: no account without a token"


def probes(render: Render) -> Iterator[str]:
    """Alive, ready and started are asked of every container that stays; alive never asks for what others do."""
    for component, item in running(render):
        for container in pod_of(item)["spec"]["containers"]:
            name = f"{component}/{container['name']}"
            yield from (
                f"{name}: no {kind}"
                for kind in ("livenessProbe", "readinessProbe", "startupProbe")
                if kind not in container
            )
            alive = container.get("livenessProbe", {}).get("httpGet", {}).get("path", "/healthz")
            if alive != "/healthz":
                yield f"{name}: livenessProbe asks {alive}"


def resources(render: Render) -> Iterator[str]:
    """Requests of processor and memory, and a limit of memory at or above its request."""
    for name, container in each_container(render):
        wanted = container.get("resources", {})
        yield from (
            f"{name}: no request of {kind}" for kind in ("cpu", "memory") if kind not in wanted.get("requests", {})
        )
        if "memory" not in wanted.get("limits", {}):
            yield f"{name}: no limit of memory"
        elif quantity(wanted["limits"]["memory"]) < quantity(wanted.get("requests", {}).get("memory", 0)):
            yield f"{name}: limit below request"


def quantity(text: Any) -> float:
    """A Kubernetes quantity as a number."""
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
    text = str(text)
    unit = next((unit for unit in units if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * units.get(unit, 1)


def disruption(render: Render) -> Iterator[str]:
    """Each workload that stays has one budget, which lets a node be drained."""
    budgets = render.of("PodDisruptionBudget")
    for component, item in running(render):
        labels = pod_of(item)["metadata"]["labels"]
        mine = [budget for budget in budgets if selects(budget["spec"]["selector"], labels)]
        if len(mine) != 1:
            yield f"{component}: {len(mine)} disruption budgets"
        elif mine[0]["spec"].get("maxUnavailable") != 1:
            yield f"{component}: its budget is {mine[0]['spec']}"


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector means a pod."""
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


def images(render: Render) -> Iterator[str]:
    """A tag that is not `latest`, or a digest."""
    for name, container in each_container(render):
        image = container["image"]
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and tag in {"", "latest"}:
            yield f"{name}: image {image}"


def no_secret_variables(render: Render) -> Iterator[str]:
    """What is secret is a file: no variable takes it from a Secret, and none is named like one and holds a value."""
    for name, container in each_container(render):
        if container.get("envFrom"):
            yield f"{name}: envFrom"
        for variable in container.get("env", []):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                yield f"{name}: {variable['name']} comes from a secret"
            words = set(variable["name"].split("_"))
            value = variable.get("value", "")
            if words & {"SECRET", "PASSWORD", "KEY", "TOKEN"} and value and not value.startswith("/"):
                yield f"{name}: {variable['name']} holds a value"


def spread(render: Render) -> Iterator[str]:
    """Pods of a workload are spread over zones and nodes."""
    for component, item in running(render):
        keys = {rule["topologyKey"] for rule in pod_of(item)["spec"].get("topologySpreadConstraints", [])}
        if keys != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
            yield f"{component}: spread over {keys}"


def priorities(render: Render) -> Iterator[str]:
    """Media stands above inference wherever the chart makes classes."""
    classes = {item["metadata"]["name"]: item["value"] for item in render.of("PriorityClass")}
    named = {component: pod_of(item)["spec"].get("priorityClassName") for component, item in running(render)}
    if not classes:
        yield from (f"{component}: class {name} that nobody makes" for component, name in named.items() if name)
        return
    for component, name in named.items():
        if name not in classes:
            yield f"{component}: class {name}"
        elif component.partition("-l")[0].partition("-o")[0] in {"asr", "face-check"} and (
            classes[name] >= classes[str(named["media"])]
        ):
            yield f"{component}: not below media"


def unique(render: Render) -> Iterator[str]:
    """No object stands twice."""
    names = [(item["apiVersion"], item["kind"], item["metadata"]["name"]) for item in render.objects]
    yield from (f"{name} stands twice" for name in sorted({name for name in names if names.count(name) > 1}))


def mounts(render: Render) -> Iterator[str]:
    """Every mount has its volume, every volume its mount; a folder that is written is not read-only."""
    for component, item in workloads(render):
        spec = pod_of(item)["spec"]
        claims = {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", [])}
        there = {volume["name"] for volume in spec.get("volumes", [])} | claims
        used = {mount["name"] for container in containers_of(item) for mount in container.get("volumeMounts", [])}
        yield from (f"{component}: mount {name} without a volume" for name in sorted(used - there))
        yield from (f"{component}: volume {name} that nobody mounts" for name in sorted(there - used))


RULES: tuple[Rule, ...] = (
    restricted, no_tokens, probes, resources, disruption, images, no_secret_variables, spread, priorities, unique,
    mounts,
)  # fmt: skip
# The trial chart has one copy of everything, so that budgets, spreading and classes mean nothing there.
TRIAL_RULES: tuple[Rule, ...] = (
    restricted, no_tokens, probes, resources, images, no_secret_variables, unique, mounts,
)  # fmt: skip
