"""What differs between a developer's stack, a test's and a benchmark's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shuanglu_stack.ports import PortMode
from shuanglu_stack.services import SERVICES
from shuanglu_stack.supervisor import PAUSES_S


@dataclass(frozen=True, slots=True)
class StackOptions:
    """Given to EmbeddedStack."""

    data_dir: Path
    root: Path = field(default_factory=Path.cwd)  # The repository: generated contracts and models are below build/.
    models_dir: Path | None = None  # Default: build/models of the repository.
    ports: PortMode = "free"
    gateway_port: int = 8443
    port_base: int = 18400
    services: Collection[str] = tuple(spec.name for spec in SERVICES)  # Which ones to run.
    unready: Collection[str] = ()  # Services that need only be alive, such as one whose model is missing on purpose.
    replicas: Mapping[str, int] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)  # For every service.
    service_env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # For one service, by name.
    gateway: Mapping[str, Any] = field(default_factory=dict)  # Settings of the gateway, such as `requests_per_10s`.
    # Ports that services are told instead of the real ones of `nats`, `postgres` or `s3`: a fault proxy listens there.
    detours: Mapping[str, int] = field(default_factory=dict)
    restart_pauses_s: tuple[float, ...] = PAUSES_S  # Before what ended by itself is started again: first, second, ….
    # Janus and coturn run if the service `media-ingest-live` does; its replicas are that many media nodes.
    media_host: str = ""  # Address at which clients reach Janus and coturn, no loopback; default: the machine's own.
    rtp_ports: int = 100  # UDP ports of each media node, and of the relay; every connection takes one.
    udp_base: int = 18600  # First of them with fixed ports.
