"""When files with keys and certificates expire, as a metric: an alert then comes weeks before, not with the outage."""

import asyncio
import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog
from cryptography import x509

from shuanglu_common.metrics import KEY_EXPIRY
from shuanglu_common.settings import ServiceSettings

EVERY_S = 3600.0
NEVER = math.inf
JWT = re.compile(rb"-----BEGIN NATS USER JWT-----\s+([\w.-]+)\s")

log = structlog.get_logger()
Expiry = Callable[[bytes], float]


def certificates_expiry(data: bytes) -> float:
    """When the first of some certificates (PEM) expires, seconds since the epoch. Raises ValueError."""
    return min(each.not_valid_after_utc.timestamp() for each in x509.load_pem_x509_certificates(data))


def credentials_expiry(data: bytes) -> float:
    """When NATS credentials expire (claim `exp` of the user's JWT, RFC 7519); NEVER without it. Raises ValueError."""
    found = JWT.search(data)
    if found is None:
        raise ValueError("no NATS user JWT")
    payload = found[1].split(b".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    return float(claims.get("exp") or NEVER)


def key_files(settings: ServiceSettings) -> Mapping[str, tuple[Path | None, Expiry]]:
    """The files of a service that may expire, by their name in the metric."""
    return {
        "nats_credentials": (settings.nats_credentials_file, credentials_expiry),
        "nats_ca": (settings.nats_ca_file, certificates_expiry),
        "s3_ca": (settings.s3_ca_file, certificates_expiry),
        "database_ca": (settings.database_ca_file, certificates_expiry),
    }


def show(files: Mapping[str, tuple[Path | None, Expiry]]) -> None:
    """Look at the files; one that cannot be read keeps what was last known of it."""
    for name, (path, expiry) in files.items():
        known = KEY_EXPIRY.labels(name)
        if path is None:
            known.set(NEVER)
            continue
        try:
            known.set(expiry(path.read_bytes()))
        except (OSError, ValueError, IndexError) as error:
            log.warning("keys.unreadable", key=name, error=error)


async def watch(settings: ServiceSettings, stopping: asyncio.Event) -> None:
    """Look now and every hour: secrets that are mounted change under a running service."""
    while not stopping.is_set():
        show(key_files(settings))
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), EVERY_S)
