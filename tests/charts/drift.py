"""What a chart says of a container against the code that runs in it: settings, ports, addresses, ends."""

import inspect
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings
from tests.charts.network import inside, outside
from tests.charts.policies import each_container, selects, workloads
from tests.charts.rendering import ROOT, Object, Render, component_of, containers_of, pod_of

from shuanglu_asr.settings import AsrSettings
from shuanglu_common import settings as common
from shuanglu_common.settings import ServiceSettings
from shuanglu_face_check.settings import FaceCheckSettings
from shuanglu_gateway.settings import CheckSettings, GatewaySettings
from shuanglu_media_ingest.live.settings import LiveSettings
from shuanglu_media_ingest.settings import MediaIngestSettings
from shuanglu_quality.settings import QualitySettings
from shuanglu_report.settings import ReportSettings
from shuanglu_signaling.settings import SignalingSettings

# What runs, by the end of its command line; the longest that fits counts.
SETTINGS: dict[tuple[str, ...], type[BaseSettings]] = {
    ("shuanglu-gateway",): GatewaySettings,
    ("shuanglu_gateway",): GatewaySettings,
    ("shuanglu_gateway", "check"): CheckSettings,
    ("shuanglu_signaling",): SignalingSettings,
    ("shuanglu_media_ingest",): MediaIngestSettings,
    ("shuanglu_media_ingest.live",): LiveSettings,
    ("shuanglu_face_check",): FaceCheckSettings,
    ("shuanglu_asr",): AsrSettings,
    ("shuanglu_quality",): QualitySettings,
    ("shuanglu_report",): ReportSettings,
    ("shuanglu_common.streams_job",): ServiceSettings,
}
# What is no program of ours in Python: the file that reads its variables, or none where it reads none.
SCRIPTS: dict[str, Path | None] = {
    "janus-start": ROOT / "deploy" / "images" / "janus-start.sh",
    "cp": None,
}
# What an image starts by itself, where the chart names no command.
ENTRYPOINTS = {"janus": "janus-start", "gateway": "shuanglu-gateway", "media-ingest": "shuanglu_media_ingest"}
# Files that a service cannot do its work without although the field may be empty, for the trial on one machine.
NEEDED = ("master_key_file", "internal_key_file", "jwks_file", "session_jwks_file", "session_key_file")
# Whom nobody calls checks no tokens.
TOKENS = ("internal_key_file", "jwks_file", "session_jwks_file")
# Known by its name alone: load_settings reads it before there are settings.
FOLDER_OF_SECRETS = "SHUANGLU_SECRETS_DIR"


def settings_of(container: Object) -> type[BaseSettings] | None:
    """The settings class of the program of a container; none for scripts."""
    words = program(container)
    for end in range(len(words), 0, -1):
        if tuple(words[:end]) in SETTINGS:
            return SETTINGS[tuple(words[:end])]
    if words[0] in SCRIPTS:
        return None
    raise AssertionError(f"{container['name']}: no settings are known of {words}")


def program(container: Object) -> list[str]:
    """The command line of a container, without the interpreter; the image's own where none is given."""
    words = [*container.get("command", []), *container.get("args", [])]
    if not container.get("command"):
        image = container["image"].partition("@")[0].rpartition("/")[2].partition(":")[0]
        words = [ENTRYPOINTS.get(image, f"shuanglu_{image.replace('-', '_')}"), *words]
    return [Path(words[0]).name, *words[1:]] if words[0] not in {"python", "-m"} else words[2:]


def variables(settings: type[BaseSettings]) -> dict[str, str]:
    """Every variable that a settings class reads, with its field."""
    prefix = settings.model_config.get("env_prefix", "")
    found = {}
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        choices = getattr(alias, "choices", None) or [f"{prefix}{name}".upper()]
        found |= {str(choice): name for choice in choices}
    return found


def environment(container: Object) -> dict[str, str]:
    """Variables of a container; what Kubernetes fills in has its field's path."""
    return {
        item["name"]: item.get("value", item.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", ""))
        for item in container.get("env", [])
    }


def unknown_variables(render: Render) -> Iterator[str]:
    """Each variable is a setting of the program that gets it, and stands once."""
    for name, container in each_container(render):
        names = [item["name"] for item in container.get("env", [])]
        yield from (f"{name}: {twice} stands twice" for twice in sorted({n for n in names if names.count(n) > 1}))
        settings = settings_of(container)
        if settings is not None:
            known = set(variables(settings))
            if FOLDER_OF_SECRETS in inspect.getsource(common):
                known.add(FOLDER_OF_SECRETS)
        else:
            script = SCRIPTS[program(container)[0]]
            text = script.read_text() if script else ""
            known = {name for name in names if name in text}
        yield from (f"{name}: {variable} is no setting" for variable in names if variable not in known)


def missing_variables(render: Render) -> Iterator[str]:
    """What has no default is set, and so is what has one for a developer's machine only."""
    for name, container in each_container(render):
        settings = settings_of(container)
        if settings is None:
            continue
        given = environment(container)
        told = {field for variable, field in variables(settings).items() if variable in given}
        for field, about in settings.model_fields.items():
            if field in TOKENS and "grpc_port" in settings.model_fields and "grpc_port" not in told:
                continue
            if field not in told and (about.is_required() or (_works(container) and _local(field, about.default))):
                yield f"{name}: {field} is not set"


def _works(container: Object) -> bool:
    """Whether it is a service at work; a job that only migrates or makes streams needs less."""
    return not {"migrate", "shuanglu_common.streams_job"} & set(program(container))


def _local(field: str, default: Any) -> bool:
    if field in NEEDED:
        return default is None
    if field == "models_dir":
        return False  # Workers' own rule: see models_are_there.
    if isinstance(default, Path):
        return not default.is_absolute()
    return isinstance(default, str) and "127.0.0.1" in default and field not in {"check_target", "ops_host"}


def wrong_values(render: Render) -> Iterator[str]:
    """The program takes its variables: types, ranges, patterns, JSON."""
    for name, container in each_container(render):
        settings = settings_of(container)
        if settings is None:
            continue
        with _environment(environment(container)):
            try:
                settings()
            except ValidationError as error:
                yield from (f"{name}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("SHUANGLU_")]:
        del os.environ[name]
    os.environ.update({name: value for name, value in values.items() if name != FOLDER_OF_SECRETS})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ports(render: Render) -> Iterator[str]:
    """A port that a container shows is one that its program is told to listen at; probes and services meet them."""
    for component, item in workloads(render):
        for container in containers_of(item):
            name = f"{component}/{container['name']}"
            told = {value for key, value in environment(container).items() if key.endswith("_PORT")}
            shown = {port["name"]: port for port in container.get("ports", [])}
            if settings_of(container) is not None:
                yield from (
                    f"{name}: port {label} {port['containerPort']} is not in its settings"
                    for label, port in shown.items()
                    if str(port["containerPort"]) not in told
                )
            for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
                probe = container.get(kind, {})
                port = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
                numbers = {port["containerPort"] for port in shown.values()} | {int(value) for value in told}
                if port is not None and port not in shown and port not in numbers:
                    yield f"{name}: {kind} asks port {port}"
    yield from _services(render)


def _services(render: Render) -> Iterator[str]:
    pods = {component: pod_of(item) for component, item in workloads(render)}
    for service in render.of("Service"):
        selector = {name: value for name, value in service["spec"]["selector"].items() if "pod-index" not in name}
        behind = [pod for pod in pods.values() if selects({"matchLabels": selector}, pod["metadata"]["labels"])]
        if not behind:
            yield f"service {service['metadata']['name']}: selects no pod"
        for pod in behind:
            shown = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
            names = {port["name"] for port in shown} | {port["containerPort"] for port in shown}
            for port in service["spec"]["ports"]:
                target = port.get("targetPort", port["port"])
                # A port of media is opened for each connection; behind a load balancer none is declared.
                if target not in names and port.get("protocol") != "UDP":
                    yield f"service {service['metadata']['name']}: target {target} is no port of its pods"


def addresses(render: Render) -> Iterator[str]:
    """Where a setting names a service of the release, that service has the port and the policies let it pass."""
    services = {item["metadata"]["name"]: item for item in render.of("Service")}
    allowed = inside(render)
    policies = bool(render.of("NetworkPolicy"))
    for component, item in workloads(render):
        for container in containers_of(item):
            for variable, value in environment(container).items():
                for host, port in _targets(variable, value):
                    service = services.get(host.partition(".")[2].partition(".")[0] or host) or services.get(host)
                    if service is None:
                        yield f"{component}: {variable} names {host}, which is no service of the release"
                        continue
                    # The name of a headless service is its pods': any port of theirs will do.
                    headless = service["spec"].get("clusterIP") == "None"
                    shown = {entry["port"] for entry in service["spec"]["ports"]}
                    if port not in (_ports_behind(render, service) if headless else shown):
                        yield f"{component}: {variable} names port {port} of {host}"
                    if policies and (component, component_of(service), f"{port}/TCP") not in allowed:
                        yield f"{component}: {variable} names {host}:{port}, which no policy lets it reach"


def _ports_behind(render: Render, service: Object) -> set[int]:
    return {
        port["containerPort"]
        for component, item in workloads(render)
        if component == component_of(service)
        for container in containers_of(item)
        for port in container.get("ports", [])
    }


def _targets(variable: str, value: str) -> Iterator[tuple[str, int]]:
    if variable.endswith("_TARGET") and not value.startswith("127."):
        host, _, port = value.rpartition(":")
        yield host, int(port)
    if variable == "SHUANGLU_MEDIA_NODES":
        for node in json.loads(value):
            for address in (node["janus"].partition("//")[2], node["recorder"]):
                host, _, port = address.rpartition(":")
                yield host, int(port)


def reachable(render: Render) -> Iterator[str]:
    """A service reaches the bus, the store and the database that it is told of."""
    if not render.of("NetworkPolicy"):
        return
    leaves = outside(render)
    for component, item in workloads(render):
        for container in containers_of(item):
            settings, given = settings_of(container), environment(container)
            wants = {
                name: _port(given[name])
                for name in ("SHUANGLU_NATS_URL", "SHUANGLU_S3_ENDPOINT", "SHUANGLU_OTLP_ENDPOINT")
                if given.get(name) and settings is not None and _uses(container, name)
            }
            for name, port in wants.items():
                if (component, f"{port}/TCP") not in leaves:
                    yield f"{component}: {name} is at port {port}, which no policy lets it reach"


def _uses(container: Object, variable: str) -> bool:
    # A job of migrations is given the bus' address with the rest, and does not go there.
    return "migrate" not in program(container) or variable not in {"SHUANGLU_NATS_URL", "SHUANGLU_OTLP_ENDPOINT"}


def _port(url: str) -> int:
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    if ":" in host:
        return int(host.rpartition(":")[2])
    return {"https": 443, "http": 80, "nats": 4222, "tls": 4222}[scheme]


def files(render: Render) -> Iterator[str]:
    """A file that a setting names lies in a folder that is mounted, or in the image."""
    for name, container in each_container(render):
        folders = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        for variable, value in environment(container).items():
            names_file = variable.endswith(("_FILE", "_DIR")) and value.startswith("/")
            in_image = value.startswith("/opt/shuanglu/")
            mounted = any(value == folder or value.startswith(f"{folder}/") for folder in folders)
            if names_file and not in_image and not mounted:
                yield f"{name}: {variable} is {value}, which nobody mounts"


def ends(render: Render) -> Iterator[str]:
    """Kubernetes waits longer than the program takes to end what it has in hand."""
    for component, item in workloads(render):
        if item["kind"] == "Job":
            continue
        grace = pod_of(item)["spec"]["terminationGracePeriodSeconds"]
        for container in pod_of(item)["spec"]["containers"]:
            given, settings = environment(container), settings_of(container)
            if settings is None or "stop_timeout_s" not in settings.model_fields:
                continue
            stop = float(given.get("SHUANGLU_STOP_TIMEOUT_S", settings.model_fields["stop_timeout_s"].default))
            drain = 0.0
            if "live_drain_s" in settings.model_fields:
                drain = float(given.get("SHUANGLU_LIVE_DRAIN_S", settings.model_fields["live_drain_s"].default))
            if grace < stop + drain + 5:
                yield f"{component}: ends after {grace} s, and needs {stop:.0f} s to stop and {drain:.0f} s to drain"


Rule = Callable[[Render], Iterator[str]]
RULES: tuple[Rule, ...] = (unknown_variables, missing_variables, wrong_values, ports, addresses, reachable, files, ends)
