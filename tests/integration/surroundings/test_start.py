"""A service whose surroundings are not right: alive, not ready, one line that says what to do; then mended."""

import asyncio
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import boto3
import pytest
from tests.integration.surroundings.place import Place
from tests.integration.surroundings.servers import is_open, running

from shuanglu_common.clock import SystemClock
from shuanglu_common.database import Database
from shuanglu_common.s3_store import S3ObjectStore
from shuanglu_common.settings import ServiceSettings
from shuanglu_common.start import NotReady, look_at_bus, look_at_database, look_at_store
from shuanglu_stack.nats_server import nats_url
from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.process import Command
from shuanglu_stack.readiness import http_ok

pytestmark = pytest.mark.integration


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("store", "postgres")
def test_a_service_says_what_it_waits_for_and_goes_on_when_it_is_there(place: Place) -> None:
    quality = Command("quality", (sys.executable, "-m", "shuanglu_quality"), place.folder / "quality.log", place.folder)
    quality = replace(quality, env=place.environment)
    with running(quality, http_ok(place.ports["ops"], "/healthz")), ExitStack() as bus:
        place.told("bus: ", "does not answer", "SHUANGLU_NATS_URL")
        with running(place.bus(jetstream=False), lambda: is_open(place.ports["nats"])):
            place.told("has no JetStream")
        bus.enter_context(running(place.bus(), lambda: is_open(place.ports["nats"])))
        place.told("schema quality", "is not migrated", "python -m shuanglu_quality migrate")
        argv = (sys.executable, "-m", "shuanglu_quality", "migrate")
        subprocess.run(argv, env=place.environment, check=True, timeout=60)
        place.ready()
        bus.close()
        place.told("not yet")
        with running(place.bus(), lambda: is_open(place.ports["nats"])):
            place.ready()
    log = (place.folder / "quality.log").read_text()
    assert "Traceback" not in log
    for secret in (place.keys.nats_password, place.keys.postgres_password, place.keys.s3_secret_key):
        assert secret not in log


def fault(look: Any) -> str:
    with pytest.raises(NotReady) as caught:
        asyncio.run(look)
    return str(caught.value)


def test_a_bus_that_refuses_us_is_told_by_its_setting(place: Place) -> None:
    with running(place.bus(), lambda: is_open(place.ports["nats"])):
        said = fault(look_at_bus(ServiceSettings(nats_url=nats_url(place.ports["nats"], "5ec12e7"))))
    assert "refuses us" in said
    assert "SHUANGLU_NATS_CREDENTIALS_FILE" in said
    assert "5ec12e7" not in said


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (":{password}@", ":5ec12e7@", "user and password in SHUANGLU_DATABASE_URL"),
        (":{port}/{database}", ":{port}/nothing", "does not exist"),
        (":{port}/", ":1/", "does not answer"),
    ],
)
def test_a_database_that_is_not_right_is_told_by_its_setting(
    place: Place, postgres: str, before: str, after: str, words: str
) -> None:
    known = {
        "password": place.keys.postgres_password,
        "database": postgres.rpartition("/")[2],
        "port": place.ports["postgres"],
    }
    wrong = postgres.replace(before.format(**known), after.format(**known))
    assert wrong != postgres

    async def look() -> None:
        database = Database(wrong, "quality", SystemClock(), "test")
        try:
            await look_at_database(database, wrong, "shuanglu_quality")
        finally:
            await database.close()

    said = fault(look())
    assert words in said
    assert "5ec12e7" not in said
    assert place.keys.postgres_password not in said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"s3_secret_key": "5ec12e7"}, "SHUANGLU_S3_SECRET_KEY"),
        ({"s3_access_key": "nobody"}, "SHUANGLU_S3_ACCESS_KEY"),
        ({"s3_bucket": "another"}, "has no bucket another"),
        ({"s3_endpoint": f"http://{LOOPBACK}:1"}, "does not answer"),
    ],
)
def test_a_store_that_is_not_right_is_told_by_its_setting(
    store: ServiceSettings, changed: dict[str, str], words: str
) -> None:
    wrong = ServiceSettings(**{**store.model_dump(), **changed})
    said = fault(look_at_store(S3ObjectStore(wrong), wrong, "test"))
    assert words in said
    assert "5ec12e7" not in said


def test_looking_at_a_store_leaves_nothing_there(store: ServiceSettings) -> None:
    adapter = S3ObjectStore(store)
    asyncio.run(look_at_store(adapter, store, "test"))
    client: Any = boto3.client(
        "s3",
        endpoint_url=store.s3_endpoint,
        aws_access_key_id=store.s3_access_key,
        aws_secret_access_key=store.s3_secret_key.get_secret_value(),
        region_name="us-east-1",
    )
    assert client.list_objects_v2(Bucket=store.s3_bucket).get("KeyCount", 0) == 0
    assert not client.list_multipart_uploads(Bucket=store.s3_bucket).get("Uploads")
