"""Before anything is made Helm looks whether the secrets are there: asked of an API server that knows secrets alone."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.rendering import HOST, RELEASE, chart, helm

Secrets = Mapping[str, Sequence[str]]
SETTINGS = ("shuanglu_database_url", "shuanglu_s3_access_key", "shuanglu_s3_secret_key", "shuanglu_janus_secret")
KEYS = ("master.key", "internal.pem", "jwks.json", "session.pem", "session-jwks.json")
ALL: Secrets = {"shuanglu-secrets": SETTINGS, "shuanglu-keys": KEYS, "shuanglu-tls": ("tls.crt", "tls.key")}
MISSING = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
# All is rendered; this server does not know the kinds of it.
GOES_ON = 'no matches for kind "NetworkPolicy"'
Ask = Callable[..., subprocess.CompletedProcess[str]]


def answers(secrets: Secrets) -> dict[str, Any]:
    """What Helm asks of a cluster before it renders, and the secrets of one namespace."""
    resource = {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["list"]}
    items = [{"metadata": {"name": name}, "data": dict.fromkeys(files, "eA==")} for name, files in secrets.items()]
    return {
        "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]},
        "/api/v1/namespaces/default/secrets": {
            "kind": "SecretList",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": "1"},
            "items": items,
        },
    }


@contextmanager
def cluster(secrets: Secrets, folder: Path) -> Iterator[Path]:
    """A kubeconfig of an API server with these secrets."""
    known = answers(secrets)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = known.get(self.path.partition("?")[0])
            body = json.dumps(
                found or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
            ).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
        "users": [{"name": "test", "user": {}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    try:
        yield file
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """What Helm says of an installation into a cluster with these secrets."""

    def install(secrets: Secrets, *more: str) -> subprocess.CompletedProcess[str]:
        with cluster(secrets, tmp_path) as config:
            folder = str(chart("shuanglu"))
            options = (
                "--dry-run=server",
                "--disable-openapi-validation",
                "--set",
                f"host={HOST}",
                "--show-only",
                "templates/components.yaml",
            )
            return helm("--kubeconfig", str(config), "template", RELEASE, folder, *options, *more)

    return install


@pytest.mark.parametrize("name", ALL)
def test_a_missing_secret_is_named_with_what_it_needs(ask: Ask, name: str) -> None:
    answer = ask({other: files for other, files in ALL.items() if other != name})
    assert answer.returncode != 0
    assert f"secret {name} is missing in namespace default; it needs: {', '.join(ALL[name])}" in answer.stderr


def test_a_missing_file_of_a_secret_is_named(ask: Ask) -> None:
    answer = ask({**ALL, "shuanglu-keys": [name for name in KEYS if name != "session.pem"]})
    assert answer.returncode != 0
    assert "secret shuanglu-keys in namespace default has no session.pem" in answer.stderr


def test_the_turn_secret_is_needed_where_clients_are_told_of_a_relay(ask: Ask) -> None:
    answer = ask(ALL, "--set", "turn.urls={turn:relay.bank.example:3478}")
    assert "has no shuanglu_turn_secret" in answer.stderr
    assert answer.returncode != 0


def test_with_all_secrets_there_helm_goes_on_to_the_objects(ask: Ask) -> None:
    answer = ask(ALL)
    assert GOES_ON in answer.stderr
    assert "secret shuanglu-" not in answer.stderr


def test_who_may_not_list_secrets_can_do_without_the_look(ask: Ask) -> None:
    answer = ask({}, "--set", "secrets.check=false")
    assert GOES_ON in answer.stderr
    assert "secret shuanglu-" not in answer.stderr
