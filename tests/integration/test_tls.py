"""The bus behind TLS by an authority of its own: a real server, the product's own connection."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from tests.integration.servers import is_open, running

from shuanglu_common.bus.connection import connect_once
from shuanglu_common.settings import ServiceSettings
from shuanglu_common.start import NotReady, look_at_bus
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
