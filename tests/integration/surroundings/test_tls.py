"""Bus, database and store behind TLS by an authority of their own: real servers, the product's own connections."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from tests.integration.surroundings.place import Place
from tests.integration.surroundings.servers import is_open, running
from tests.integration.surroundings.tls_door import Door, behind_tls

from shuanglu_common.bus.connection import connect_once, trusting
from shuanglu_common.clock import SystemClock
from shuanglu_common.database import Database
from shuanglu_common.s3_store import S3ObjectStore
from shuanglu_common.settings import ServiceSettings
from shuanglu_common.start import NotReady, look_at_bus, look_at_database, look_at_store
from shuanglu_gateway.certificate import make_development_certificate
from shuanglu_stack.nats_server import nats_command, nats_url
from shuanglu_stack.ports import LOOPBACK, choose_ports

pytestmark = pytest.mark.integration
PASSWORD = "0123abcd"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Authority, certificate and key of the servers."""
    return make_development_certificate(tmp_path_factory.mktemp("tls"), [LOOPBACK], dt.datetime.now(dt.UTC))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of the same name that signed nothing of ours."""
    return make_development_certificate(tmp_path_factory.mktemp("other"), [LOOPBACK], dt.datetime.now(dt.UTC))[0]


@pytest.fixture(scope="module")
def bus_url(tmp_path_factory: pytest.TempPathFactory, ours: tuple[Path, Path, Path]) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nats")
    ports = choose_ports(["bus", "monitor"], "free", 0, 0)
    command = nats_command(folder, folder, ports["bus"], ports["monitor"], PASSWORD)
    file = folder / "nats" / "nats.conf"
    tls = {"cert_file": str(ours[1]), "key_file": str(ours[2])}
    file.write_text(json.dumps({**json.loads(file.read_text()), "tls": tls}))
    with running(command, lambda: is_open(ports["bus"])):
        yield nats_url(ports["bus"], PASSWORD).replace("nats://", "tls://")


async def test_the_bus_is_reached_over_tls_by_its_own_authority(bus_url: str, ours: tuple[Path, Path, Path]) -> None:
    client = Client()
    await connect_once(ServiceSettings(nats_url=bus_url, nats_ca_file=ours[0]), client)
    assert (await client.jetstream().account_info()).streams == 0
    await client.close()


async def test_a_bus_of_another_authority_is_refused(bus_url: str, stranger: Path) -> None:
    with pytest.raises(NotReady, match="SHUANGLU_NATS_CA_FILE"):
        await look_at_bus(ServiceSettings(nats_url=bus_url, nats_ca_file=stranger))


@pytest.fixture(scope="module")
def secure_database(place: Place, postgres: str, ours: tuple[Path, Path, Path]) -> Iterator[tuple[str, Door]]:
    """Address of the database behind TLS, and the door."""
    door = Door(place.ports["postgres"], ours[1], ours[2], postgres=True)
    with behind_tls(door) as port:
        yield postgres.replace(f":{place.ports['postgres']}/", f":{port}/"), door


def database_by(url: str, authority: Path) -> Database:
    return Database(url, "quality", SystemClock(), "test", trusting(authority))


async def test_the_database_is_reached_over_tls_by_its_own_authority(
    secure_database: tuple[str, Door], ours: tuple[Path, Path, Path]
) -> None:
    url, door = secure_database
    database = database_by(url, ours[0])
    assert await database.ping()
    await database.close()
    assert door.encrypted == 1


async def test_a_database_of_another_authority_is_refused(secure_database: tuple[str, Door], stranger: Path) -> None:
    url, _ = secure_database
    database = database_by(url, stranger)
    with pytest.raises(NotReady, match="SHUANGLU_DATABASE_CA_FILE"):
        await look_at_database(database, url, "shuanglu_quality")
    await database.close()


async def test_a_database_without_tls_is_refused(place: Place, postgres: str, ours: tuple[Path, Path, Path]) -> None:
    """Nobody between us and the database can talk us out of TLS."""
    database = database_by(postgres, ours[0])
    with pytest.raises(NotReady, match="offers no TLS"):
        await look_at_database(database, postgres, "shuanglu_quality")
    await database.close()


@pytest.fixture(scope="module")
def secure_store(store: ServiceSettings, place: Place, ours: tuple[Path, Path, Path]) -> Iterator[ServiceSettings]:
    with behind_tls(Door(place.ports["s3"], ours[1], ours[2], postgres=False)) as port:
        yield store.model_copy(update={"s3_endpoint": f"https://{LOOPBACK}:{port}", "s3_ca_file": ours[0]})


async def test_the_store_is_reached_over_tls_by_its_own_authority(secure_store: ServiceSettings) -> None:
    await look_at_store(S3ObjectStore(secure_store), secure_store, "test")


async def test_a_store_of_another_authority_is_refused(secure_store: ServiceSettings, stranger: Path) -> None:
    wrong = secure_store.model_copy(update={"s3_ca_file": stranger})
    with pytest.raises(NotReady, match="SHUANGLU_S3_CA_FILE"):
        await look_at_store(S3ObjectStore(wrong), wrong, "test")
