"""What every image keeps to, and that one of each kind starts as its user and answers."""

import os
import re
import socket
from pathlib import Path

from tests.images.conftest import IMAGES
from tests.images.containers import ROOT, USER, Container, answer, wait_until

from shuanglu_stack import EmbeddedStack

# Where a service may write: Kubernetes mounts volumes over these.
WRITABLE = ("/tmp", "/spool", "/var/tmp", "/run/lock", "/dev", "/proc", "/sys")  # noqa: S108
COMPILERS = ("gcc", "cc", "g++", "make", "ld", "pip", "pip3", "git")
PLAIN = ("signaling", "quality")
PLAIN_LIMIT_MIB = 250
MIGRATED = ("signaling", "media-ingest", "quality", "report")


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def own_environment(stack: EmbeddedStack) -> dict[str, str]:
    """The stack's settings, with the paths that they have in a container."""
    folder = str(stack.keys.master_key.parent)
    ours = {name: value.replace(folder, "/run/keys") for name, value in stack.service_environment.items()}
    return ours | {
        "SHUANGLU_HOST": "127.0.0.1",
        "SHUANGLU_OPS_PORT": str(free_port()),
        "SHUANGLU_GRPC_PORT": "0",
        "SHUANGLU_HTTP_PORT": "0",
        "SHUANGLU_MODELS_DIR": "/models",
        "SHUANGLU_SPOOL_DIR": "/spool",
        "SHUANGLU_SESSION_KEY_FILE": "/run/keys/" + stack.keys.session_key.name,
    }


def test_the_user_is_a_number_and_the_labels_say_what_it_is(container: Container, image: str) -> None:
    assert container.config["User"] in (f"{USER}:{USER}", str(USER))
    labels = container.config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"shuanglu {image}"
    assert re.fullmatch(r"\d+\.\d+\.\d+", labels["org.opencontainers.image.version"])
    assert {"org.opencontainers.image.revision", "org.opencontainers.image.licenses"} <= labels.keys()
    assert container.run("id", "-u").strip() == str(USER)


def test_no_compiler_no_pip_and_no_cache_is_in_it(container: Container) -> None:
    places = ("usr/bin", "usr/local/bin", "bin", "opt/shuanglu/venv/bin")
    found = [tool for tool in COMPILERS for place in places if (container.root / place / tool).exists()]
    assert not found
    assert not [path for name in ("pip", "buildah-cache") for path in (container.root / "var/cache").glob(name)]
    assert not list((container.root / "var/lib/apt/lists").glob("*Packages*"))
    assert not (container.root / "src").exists()


def test_its_user_can_write_nothing_but_volumes(container: Container) -> None:
    # What it may not even look into counts as not writable.
    found = container.run("sh", "-c", "find / -xdev -writable '(' -type d -o -type f ')' -print 2>/dev/null || true")
    assert "/tmp" in found.splitlines()  # noqa: S108
    assert not [path for path in found.splitlines() if not path.startswith(WRITABLE)]


def test_nothing_else_of_the_repository_is_in_it(container: Container) -> None:
    packages = list(container.root.glob("opt/shuanglu/venv/lib/python3*/site-packages/shuanglu_*"))
    ours = {path.name for path in packages if not path.name.endswith(".dist-info")} - {"shuanglu_common"}
    assert len(ours) <= 1
    assert not list(container.root.glob("opt/shuanglu/**/tests/conftest.py"))


def test_plain_services_are_small(built: str) -> None:
    sizes = {name: int(mib) for name, mib in re.findall(r"shuanglu/([a-z-]+):\S+ +(\d+) MiB", built)}
    assert sizes.keys() == set(IMAGES)
    assert {name: sizes[name] for name in PLAIN if sizes.get(name, 0) > PLAIN_LIMIT_MIB} == {}


def test_a_service_starts_as_its_user_answers_and_ends_on_sigterm(
    service: str, service_container: Container, behind: EmbeddedStack, keys: Path, tmp_path: Path
) -> None:
    env, log = own_environment(behind), tmp_path / "log"
    mounts = [f"{keys}:/run/keys:ro", f"{ROOT / 'build/models'}:/models:ro"]
    if service in MIGRATED:
        module = "shuanglu_" + service.replace("-", "_")
        service_container.run("python", "-m", module, "migrate", env=env, mounts=mounts)
    service_container.start(env, mounts, log)
    ops = f"http://127.0.0.1:{env['SHUANGLU_OPS_PORT']}"
    wait_until(lambda: answer(f"{ops}/healthz")[0] == 200, service_container, log)
    service_container.run("/opt/shuanglu/health", env=env)
    assert answer(f"{ops}/metrics")[0] == 200
    assert service_container.inside()
    service_container.stop()
    assert service_container.process is not None
    assert service_container.process.returncode == 0, log.read_text(errors="replace")[-3000:]


def test_the_gateway_starts_as_its_user_answers_and_ends_on_sigterm(
    built: str, behind: EmbeddedStack, keys: Path, tmp_path: Path
) -> None:
    own, port = behind.keys.master_key.parent, free_port()
    env = {
        "SHUANGLU_GATEWAY_PORT": str(free_port()),
        "SHUANGLU_GATEWAY_OPS_PORT": str(port),
        "SHUANGLU_GATEWAY_ADMIN_PORT": str(free_port()),
        "SHUANGLU_GATEWAY_TLS_CERT_FILE": f"/run/keys/{behind.keys.tls_certificate.relative_to(own)}",
        "SHUANGLU_GATEWAY_TLS_KEY_FILE": f"/run/keys/{behind.keys.tls_key.relative_to(own)}",
        "SHUANGLU_GATEWAY_JWKS_FILE": f"/run/keys/{behind.keys.jwks.relative_to(own)}",
        "SHUANGLU_GATEWAY_JWT_ISSUER": "https://id.bank.example",
        "SHUANGLU_GATEWAY_JWT_AUDIENCE": "shuanglu",
        "SHUANGLU_GATEWAY_DRAIN_S": "1",
    }
    log = tmp_path / "log"
    with Container("gateway") as gateway:
        gateway.start(env, [f"{keys}:/run/keys:ro"], log)
        wait_until(lambda: answer(f"http://127.0.0.1:{port}/healthz")[0] == 200, gateway, log)
        gateway.run("/opt/shuanglu/health", env=env)
        gateway.stop()
        assert gateway.process is not None
        assert gateway.process.returncode == 0, log.read_text(errors="replace")[-3000:]


def test_janus_starts_as_its_user_answers_and_ends_on_sigterm(built: str, tmp_path: Path) -> None:
    secret, spool = tmp_path / "secret", tmp_path / "spool"
    secret.write_text("not-a-secret-of-anything", encoding="utf-8")
    spool.mkdir()
    for path in (secret, spool):
        os.chown(path, USER, USER)
    env = {
        "SHUANGLU_JANUS_SECRET_FILE": "/run/janus-secret",
        "SHUANGLU_JANUS_POD_ADDRESS": "127.0.0.1",
        "SHUANGLU_JANUS_API_PORT": str(free_port()),
    }
    mounts, log = [f"{secret}:/run/janus-secret:ro", f"{spool}:/spool"], tmp_path / "log"
    with Container("janus") as janus:
        janus.start(env, mounts, log)
        wait_until(lambda: b"HTTP/1.1" in first_line(int(env["SHUANGLU_JANUS_API_PORT"])), janus, log)
        janus.run("/usr/local/bin/janus-health", env=env, mounts=mounts)
        janus.stop()
        assert janus.process is not None
        assert janus.process.returncode == 0, log.read_text(errors="replace")[-3000:]


def first_line(port: int) -> bytes:
    """What a port answers to a request without WebSocket."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: janus\r\nConnection: close\r\n\r\n")
            return connection.recv(64)
    except OSError:
        return b""
