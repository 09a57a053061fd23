"""Before a service works: what it needs is looked at and told in one clear line, again and again until it is there.

The lines stand in /readyz and in the log; they name the setting to look at and never what is secret in it.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import structlog
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError
from sqlalchemy import Select, column, select, table
from sqlalchemy.exc import DBAPIError

from shuanglu_common.bus.connection import hang_up, open_bus
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.bus.subjects import STREAMS
from shuanglu_common.database import Database, sqlstate
from shuanglu_common.errors import DependencyError
from shuanglu_common.s3_store import S3ObjectStore
from shuanglu_common.settings import ServiceSettings

Need = Callable[[], Awaitable[None]]
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0
REMIND_S = 60.0
LOOK_TIMEOUT_S = 30.0
STORE_KNOWN_S = 10.0
HEALTH = "health/"
PASSWORD_WRONG = ("28P01", "28000")
NO_DATABASE = "3D000"
NO_TABLE = ("42P01", "3F000")
FORBIDDEN = "42501"
UNTRUSTED = "shows a certificate that is not trusted: {} must hold its authority"

log = structlog.get_logger()


class NotReady(DependencyError):
    """Something that the service needs is missing or refuses it; the text says which, and what to do."""

    reason = "NOT_READY"


class Patience:
    """Looks again until what is needed is there; knows what it waits for."""

    def __init__(self) -> None:
        """Nothing has been looked at."""
        self.fault, self.over = "starting", False
        self._told_at = 0.0

    async def is_over(self) -> bool:
        """For /readyz. Raises NotReady with what is waited for."""
        if not self.over:
            raise NotReady(self.fault)
        return True

    async def until(self, need: Need) -> None:
        """Returns when the need is met; pauses grow to `LONGEST_PAUSE_S`."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with asyncio.timeout(LOOK_TIMEOUT_S):
                    await need()
            except (DependencyError, NatsError, OSError, TimeoutError) as error:
                self.tell(str(error) if isinstance(error, DependencyError) else type(error).__name__)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                return

    def tell(self, fault: str) -> None:
        """Into the log: once, and every minute while it stays so."""
        now = time.monotonic()
        if fault != self.fault or now - self._told_at > REMIND_S:
            log.warning("start.waiting", fault=fault)
            self._told_at = now
        self.fault = fault


async def look_at_bus(settings: ServiceSettings) -> None:
    """Raises NotReady unless the bus takes us and has JetStream."""
    where = place_of(settings.nats_url)
    faults: list[Exception] = []
    client = Client()
    try:
        await open_bus(settings, client, attempts=1, told=faults.append)
        await client.jetstream().account_info()
    except (ServiceUnavailableError, NoRespondersError, APIError) as error:
        raise NotReady(f"bus: {where} has no JetStream for us: nats-server needs -js, the account a share") from error
    except (NatsError, OSError, TimeoutError) as error:
        raise NotReady(f"bus: {where} {words_of_bus([error, *faults])}") from error
    finally:
        await hang_up(client)


def words_of_bus(faults: list[Exception]) -> str:
    """What a person should do about them."""
    if any(isinstance(fault, ssl.SSLError) for fault in faults):
        return UNTRUSTED.format("SHUANGLU_NATS_CA_FILE")
    if any("authorization" in str(fault).lower() for fault in faults):
        return "refuses us: look at SHUANGLU_NATS_CREDENTIALS_FILE, or at user and password in SHUANGLU_NATS_URL"
    return f"{silent(faults[-1])}: look at SHUANGLU_NATS_URL"


def silent(error: Exception) -> str:
    """Of a server that nobody reached."""
    return f"does not answer ({type(error).__name__})"


async def look_at_streams(settings: ServiceSettings, jetstream: JetStreamContext) -> None:
    """Raises NotReady unless the streams are there; makes them where that is the service's task."""
    try:
        if settings.nats_declare_streams:
            await ensure_streams(jetstream, settings.nats_replicas)
            return
        for spec in STREAMS:
            await jetstream.stream_info(spec.stream)
    except NotFoundError as error:
        raise NotReady("bus: streams are missing: run `python -m shuanglu_common.streams_job`") from error
    except APIError as error:
        raise NotReady(f"bus: streams cannot be made: {error.description}") from error
    except (NatsError, OSError, TimeoutError) as error:
        raise NotReady(f"bus: streams: {type(error).__name__}") from error


async def look_at_database(database: Database, url: str, package: str) -> None:
    """Raises NotReady unless the database takes us and the schema is as new as the code."""
    where = f"{place_of(url)}{urlsplit(url).path}"
    there = ""
    try:
        async with database.engine.connect() as connection:
            query: Select[tuple[str]] = select(column("version_num")).select_from(
                table("alembic_version", schema=database.schema)
            )
            there = str((await connection.execute(query)).scalar_one_or_none() or "")
    except (DBAPIError, asyncpg.PostgresError) as error:
        if sqlstate(error) not in NO_TABLE:
            raise NotReady(f"database: {where} {words_of_database(sqlstate(error))}") from error
    except ssl.SSLError as error:
        known = UNTRUSTED.format("SHUANGLU_DATABASE_CA_FILE")
        raise NotReady(f"database: {where} {known}") from error
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        # What asyncpg raises when the server says no to TLS; one that does not answer has errors of a narrower kind.
        plain = type(error) is ConnectionError
        words = "offers no TLS, which SHUANGLU_DATABASE_CA_FILE asks for" if plain else silent(error)
        raise NotReady(f"database: {where} {words}: look at SHUANGLU_DATABASE_URL") from error
    wanted = newest_revision(package)
    if there < wanted:
        state = f"is at {there}, this version needs {wanted}" if there else "is not migrated"
        raise NotReady(f"database: schema {database.schema} of {where} {state}: run `python -m {package} migrate`")


def words_of_database(state: str) -> str:
    """What a person should do about an SQLSTATE."""
    if state in PASSWORD_WRONG:
        return "refuses us: look at user and password in SHUANGLU_DATABASE_URL"
    if state == NO_DATABASE:
        return "does not exist: make it, or name another one in SHUANGLU_DATABASE_URL"
    if state == FORBIDDEN:
        return "does not let us use our schema: the user must own it"
    return f"cannot do it now ({state or 'connection lost'})"


def newest_revision(package: str) -> str:
    """Of the code's migrations. Revisions are numbers; a newer schema serves older code too, as an upgrade needs."""
    return max(numbers(package), default="")


def numbers(package: str) -> Iterator[str]:
    """Revisions, by the names of their files."""
    for path in (resources.files(package) / "migrations" / "versions").iterdir():
        if found := re.match(r"(\d{4})_\w+\.py$", path.name):
            yield found.group(1)


async def look_at_store(store: S3ObjectStore, settings: ServiceSettings, service: str) -> None:
    """Raises NotReady unless the bucket lets us read and write. An upload is begun and given up: nothing is left."""
    await asyncio.get_running_loop().run_in_executor(store.threads, tried, store, settings, f"{HEALTH}{service}")


def tried(store: S3ObjectStore, settings: ServiceSettings, key: str) -> None:
    """Raises NotReady."""
    where = f"store: {place_of(settings.s3_endpoint)}"
    try:
        store.client.list_objects_v2(Bucket=store.bucket, Prefix=key, MaxKeys=1)
        upload = store.client.create_multipart_upload(Bucket=store.bucket, Key=key)
        store.client.abort_multipart_upload(Bucket=store.bucket, Key=key, UploadId=upload["UploadId"])
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise NotReady(f"{where} {words_of_store(code, store.bucket)}") from error
    except SSLError as error:
        raise NotReady(f"{where} {UNTRUSTED.format('SHUANGLU_S3_CA_FILE')}") from error
    except (BotoCoreError, OSError) as error:
        raise NotReady(f"{where} {silent(error)}: look at SHUANGLU_S3_ENDPOINT") from error


def reachable(store: S3ObjectStore) -> Callable[[], Awaitable[bool]]:
    """For /readyz, which is asked often: whether the bucket answered within the last `STORE_KNOWN_S`."""
    known_until = 0.0

    async def answers() -> bool:
        nonlocal known_until
        if time.monotonic() > known_until:
            await store.call(
                "list", lambda: store.client.list_objects_v2(Bucket=store.bucket, Prefix=HEALTH, MaxKeys=1)
            )
            known_until = time.monotonic() + STORE_KNOWN_S
        return True

    return answers


def words_of_store(code: str, bucket: str) -> str:
    """What a person should do about an error of S3."""
    if code == "NoSuchBucket":
        return f"has no bucket {bucket}: make it, or name another one in SHUANGLU_S3_BUCKET"
    if code in {"InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return f"refuses us ({code}): look at SHUANGLU_S3_ACCESS_KEY and SHUANGLU_S3_SECRET_KEY"
    if code in {"AccessDenied", "AllAccessDisabled", "403"}:
        return f"gives us no right to bucket {bucket} ({code}): the key must list, read and write there"
    return f"answered {code}"


def place_of(url: str) -> str:
    """Scheme, host and port: what is not secret in an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
