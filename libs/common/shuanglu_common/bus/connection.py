"""The connection to the bus, and what is trusted behind TLS."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.settings import ServiceSettings, WrongSetting

CLOSE_TIMEOUT_S = 2.0

log = structlog.get_logger()


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """TLS as a client, that trusts these authorities or the system's. Raises WrongSetting."""
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:
        raise WrongSetting(f"{ca_file} has no certificates that can be read: {error}") from error


async def connect(settings: ServiceSettings, client: Client) -> None:
    """To the bus; keeps trying, and comes back after an outage. Raises WrongSetting."""
    await open_bus(settings, client, attempts=-1)


async def connect_once(settings: ServiceSettings, client: Client) -> None:
    """To the bus, or not at all. Raises NatsError, OSError, TimeoutError, WrongSetting."""
    await open_bus(settings, client, attempts=1)


def warned(error: Exception) -> None:
    """Into the log."""
    log.warning("bus.error", error=error)


async def open_bus(
    settings: ServiceSettings, client: Client, attempts: int, told: Callable[[Exception], None] = warned
) -> None:
    """`attempts`: of each reconnection; -1 for ever. `told` hears of what goes wrong on the way."""
    credentials = settings.nats_credentials_file

    async def quiet(error: Exception) -> None:
        told(error)

    await client.connect(
        settings.nats_url,
        user_credentials=str(credentials) if credentials else None,
        tls=trusting(settings.nats_ca_file) if settings.nats_url.startswith("tls://") else None,
        allow_reconnect=attempts != 1,
        max_reconnect_attempts=attempts,
        reconnect_time_wait=0.5,  # type: ignore[arg-type]  # seconds; only the annotation says int
        connect_timeout=3,
        ping_interval=10,
        max_outstanding_pings=2,
        error_cb=quiet,
    )


async def hang_up(client: Client) -> None:
    """Close, whatever state it is in: after a certificate that is not trusted, nats-py would wait for ever."""
    with suppress(NatsError, OSError, TimeoutError):
        await asyncio.wait_for(client.close(), CLOSE_TIMEOUT_S)


async def join_bus(settings: ServiceSettings, client: Client) -> None:
    """Connect, and make the streams agree with our table. Keeps trying."""
    await connect(settings, client)
    while settings.nats_declare_streams:
        try:
            await ensure_streams(client.jetstream(), settings.nats_replicas)
        except (NatsError, TimeoutError, OSError) as error:
            log.warning("streams.waiting", error=error)
            await asyncio.sleep(1)
        else:
            return
