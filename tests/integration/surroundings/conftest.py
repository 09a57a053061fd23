"""One store and one database, as the stack starts them."""

from collections.abc import Iterator

import pytest
from tests.integration.surroundings.place import Place
from tests.integration.surroundings.servers import running

from shuanglu_common.settings import ServiceSettings
from shuanglu_stack.development_keys import ensure_keys
from shuanglu_stack.ports import LOOPBACK, choose_ports
from shuanglu_stack.postgres_server import database_url, ensure_database, is_ready, postgres_command
from shuanglu_stack.readiness import http_ok
from shuanglu_stack.s3_gateway import s3_command
from shuanglu_stack.services import shared_environment

NAMES = ["nats", "nats-monitor", "postgres", "s3", "ops", "grpc", "http", "signaling-grpc", "quality-grpc"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("start")
    ports = choose_ports(NAMES, "free", 0, 0)
    keys = ensure_keys(folder / "secrets")
    environment = shared_environment(folder, folder, ports, keys) | {
        "PATH": "/usr/bin:/bin",
        "SHUANGLU_OPS_PORT": str(ports["ops"]),
        "SHUANGLU_GRPC_PORT": str(ports["grpc"]),
        "SHUANGLU_HTTP_PORT": str(ports["http"]),
    }
    return Place(folder, ports, keys, environment)


@pytest.fixture(scope="module")
def store(place: Place) -> Iterator[ServiceSettings]:
    keys = place.keys
    command = s3_command(place.folder, place.folder, place.ports["s3"], keys.s3_access_key, keys.s3_secret_key)
    with running(command, http_ok(place.ports["s3"], "/minio/health/ready")):
        yield ServiceSettings(
            s3_endpoint=f"http://{LOOPBACK}:{place.ports['s3']}",
            s3_access_key=keys.s3_access_key,
            s3_secret_key=keys.s3_secret_key,
        )


@pytest.fixture(scope="module")
def postgres(place: Place) -> Iterator[str]:
    with running(
        postgres_command(place.folder, place.folder, place.ports["postgres"], place.keys.postgres_password),
        lambda: is_ready(place.ports["postgres"]),
    ):
        ensure_database(place.ports["postgres"], place.keys.postgres_password)
        yield database_url(place.ports["postgres"], place.keys.postgres_password)
