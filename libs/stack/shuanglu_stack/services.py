"""The services of shuanglu, as processes of the stack."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shuanglu_stack.development_keys import AUDIENCE, ISSUER, DevelopmentKeys
from shuanglu_stack.janus_server import MediaNode, janus_name
from shuanglu_stack.nats_server import nats_url
from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.postgres_server import database_url
from shuanglu_stack.process import Command
from shuanglu_stack.s3_gateway import BUCKET


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a service needs from the stack."""

    name: str
    grpc: bool = False
    http: bool = False
    migrates: bool = False
    module: str = ""  # What Python runs; empty: the package of the service's name.
    restart_pauses_s: tuple[float, ...] = ()

    @property
    def package(self) -> str:
        """Python package that runs it."""
        return self.module or "shuanglu_" + self.name.replace("-", "_")


LIVE = "media-ingest-live"
# One beside each Janus. What Janus writes meanwhile waits on disk, but the proof of the recording waits too.
RECORDER = ServiceSpec(LIVE, grpc=True, module="shuanglu_media_ingest.live", restart_pauses_s=(0.1, 0.5, 1.0))
SERVICES = (
    RECORDER,
    ServiceSpec("signaling", grpc=True, http=True, migrates=True),
    ServiceSpec("media-ingest", grpc=True, http=True, migrates=True),
    ServiceSpec("face-check"),
    ServiceSpec("asr"),
    ServiceSpec("quality", grpc=True, migrates=True),
    ServiceSpec("report", grpc=True, http=True, migrates=True),
)
INFRASTRUCTURE_PORTS = (
    "nats",
    "nats-monitor",
    "postgres",
    "s3",
    "gateway",
    "envoy-admin",
    "envoy-ops",
    "gateway-check",
    "coturn",
)


def process_names(spec: ServiceSpec, replicas: Mapping[str, int]) -> Iterator[str]:
    """`face-check`, `face-check-2`, …: the first one keeps the service's name."""
    for number in range(1, replicas.get(spec.name, 1) + 1):
        yield spec.name if number == 1 else f"{spec.name}-{number}"


def port_names(replicas: Mapping[str, int]) -> list[str]:
    """All TCP ports that the stack listens on, by name."""
    names = [*INFRASTRUCTURE_PORTS, *(janus_name(number) for number in range(1, replicas.get(LIVE, 1) + 1))]
    for spec in SERVICES:
        for process in process_names(spec, replicas):
            names += [f"{process}-{kind}" for kind in ("ops", "grpc", "http") if kind == "ops" or getattr(spec, kind)]
    return names


def shared_environment(
    data_dir: Path, models_dir: Path, ports: Mapping[str, int], keys: DevelopmentKeys
) -> dict[str, str]:
    """Settings that all services have in common."""
    return {
        "SHUANGLU_NATS_URL": nats_url(ports["nats"], keys.nats_password),
        "SHUANGLU_S3_ENDPOINT": f"http://{LOOPBACK}:{ports['s3']}",
        "SHUANGLU_S3_BUCKET": BUCKET,
        "SHUANGLU_S3_ACCESS_KEY": keys.s3_access_key,
        "SHUANGLU_S3_SECRET_KEY": keys.s3_secret_key,
        "SHUANGLU_DATABASE_URL": database_url(ports["postgres"], keys.postgres_password),
        "SHUANGLU_MASTER_KEY_FILE": str(keys.master_key),
        "SHUANGLU_JWKS_FILE": str(keys.jwks),
        "SHUANGLU_SESSION_JWKS_FILE": str(keys.session_jwks),
        "SHUANGLU_JWT_ISSUER": ISSUER,
        "SHUANGLU_JWT_AUDIENCE": AUDIENCE,
        "SHUANGLU_INTERNAL_KEY_FILE": str(keys.internal_key),
        "SHUANGLU_MODELS_DIR": str(models_dir),
        "SHUANGLU_SPOOL_DIR": str(data_dir / "spool"),
        "SHUANGLU_SIGNALING_TARGET": f"{LOOPBACK}:{ports['signaling-grpc']}",
        "SHUANGLU_QUALITY_TARGET": f"{LOOPBACK}:{ports['quality-grpc']}",
        # glibc keeps an arena for each thread; two are enough here and keep resident memory down.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
    }


def signaling_environment(
    nodes: Sequence[MediaNode], ports: Mapping[str, int], keys: DevelopmentKeys, media_host: str
) -> dict[str, str]:
    """What signaling alone is told: where the media nodes are, and the secrets of what it alone speaks to."""
    places = [
        {
            "name": node.name,
            "janus": f"ws://{LOOPBACK}:{node.api_port}",
            "recorder": f"{LOOPBACK}:{ports[recorder_name(node.number) + '-grpc']}",
        }
        for node in nodes
    ]
    return {
        "SHUANGLU_MEDIA_NODES": json.dumps(places),
        "SHUANGLU_JANUS_SECRET": keys.janus_secret,
        "SHUANGLU_TURN_URLS": json.dumps([f"turn:{media_host}:{ports['coturn']}?transport=udp"]),
        "SHUANGLU_TURN_SECRET": keys.turn_secret,
        "SHUANGLU_SESSION_KEY_FILE": str(keys.session_key),
    }


def recorder_name(number: int) -> str:
    """Process of the recorder beside a Janus."""
    return LIVE if number == 1 else f"{LIVE}-{number}"


def service_command(
    spec: ServiceSpec, name: str, ports: Mapping[str, int], env: Mapping[str, str], logs_dir: Path, root: Path
) -> Command:
    """How to start one process of a service."""
    own = {
        f"SHUANGLU_{kind.upper()}_PORT": str(ports[f"{name}-{kind}"])
        for kind in ("ops", "grpc", "http")
        if f"{name}-{kind}" in ports
    }
    argv = (sys.executable, "-m", spec.package)
    log_file = logs_dir / f"{name}.log"
    return Command(name, argv, log_file, root, env={**env, **own}, restart_pauses_s=spec.restart_pauses_s)


def migration_command(spec: ServiceSpec, env: Mapping[str, str], logs_dir: Path, root: Path) -> Command:
    """How to bring a service's schema up to date."""
    argv = (sys.executable, "-m", spec.package, "migrate")
    return Command(f"{spec.name} migrations", argv, logs_dir / f"{spec.name}-migrate.log", root, env=env)
