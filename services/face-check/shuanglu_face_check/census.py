"""How many face templates the store holds that have not expired: a report is due before 100,000 persons are stored.

(人脸识别技术应用安全管理办法, art. 15.) Walking through all sessions would cost too much: each template is noted in a
bucket of the bus, which forgets it when it expires. What is noted is a hash that tells nothing.
"""

import asyncio
import hashlib
from contextlib import suppress

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import BucketNotFoundError
from nats.js.kv import KeyValue

from shuanglu_common.bus.bus import BusUnavailable
from shuanglu_face_check.metrics import STORED_FACES

BUCKET = "face-templates"
STREAM = f"KV_{BUCKET}"
LOOK_EVERY_S = 15.0

log = structlog.get_logger()


class Census:
    """Notes templates and counts them. The same template counts once."""

    def __init__(self, client: Client, ttl_s: int, replicas: int) -> None:
        """`ttl_s`: how long a template lives."""
        self._jetstream = client.jetstream()
        self._ttl_s, self._replicas = ttl_s, replicas
        self._bucket: KeyValue | None = None

    async def note(self, tenant: str, session_id: str, name: str) -> None:
        """A template that is about to be stored. Raises BusUnavailable."""
        key = hashlib.sha256(f"{tenant}/{session_id}/{name}".encode()).hexdigest()
        try:
            bucket = await self.bucket()
            await bucket.put(key, b"")
        except (NatsError, OSError, TimeoutError) as error:
            raise BusUnavailable(f"a template cannot be noted: {type(error).__name__}") from error

    async def bucket(self) -> KeyValue:
        """Made if it is missing; what it forgets follows the setting. Raises errors of NATS."""
        if self._bucket is None:
            try:
                self._bucket = await self._jetstream.key_value(BUCKET)
            except BucketNotFoundError:
                config = KeyValueConfig(
                    bucket=BUCKET, history=1, ttl=self._ttl_s, storage=StorageType.FILE, replicas=self._replicas
                )
                self._bucket = await self._jetstream.create_key_value(config)
            config_now = (await self._jetstream.stream_info(STREAM)).config
            if config_now.max_age != self._ttl_s:
                await self._jetstream.update_stream(config_now.evolve(max_age=self._ttl_s))
        return self._bucket

    async def watch(self, stopping: asyncio.Event) -> None:
        """Keep the metric until stop."""
        while not stopping.is_set():
            try:
                await self.bucket()
                STORED_FACES.set((await self._jetstream.stream_info(STREAM)).state.messages)
            except (NatsError, OSError, TimeoutError) as error:
                self._bucket = None
                log.warning("census.waiting", error=error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_EVERY_S)
