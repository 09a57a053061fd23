"""How much waits for the workers, asked of JetStream: twice a second, and when what was told since fills the room."""

import asyncio
import time
from collections.abc import Mapping

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shuanglu_common.bus.subjects import Stream
from shuanglu_media_ingest import metrics
from shuanglu_media_ingest.domain.pressure import Gate, Judge, Lag

ASK_EVERY_S = 0.5
TRICKLE_S = 0.2
# A worker that was never started has no consumer; then there is nothing to be behind with.
SEGMENTS = "face-check-offline"
CONSUMERS: Mapping[str, Stream] = {
    SEGMENTS: Stream.MEDIA,
    "asr-tracks-offline": Stream.MEDIA,
    "asr-windows-offline": Stream.OBSERVATIONS,
}

log = structlog.get_logger()


class JetStreamPressure:
    """The port `Pressure` of importing.py and worker.py."""

    def __init__(self, jetstream: JetStreamContext, limits: Mapping[str, int]) -> None:
        """`limits`: messages that may wait, for each of CONSUMERS."""
        self._jetstream, self._judge, self._limits = jetstream, Judge(limits), limits
        self._gate, self._asked_s = Gate.OPEN, float("-inf")
        # Segments that may be told before it must be asked again.
        self._room = 0
        self._asking = asyncio.Lock()

    async def admits(self) -> bool:
        """See Pressure."""
        return await self._now() is not Gate.CLOSED

    async def wait(self) -> None:
        """See Pressure."""
        while True:
            gate = await self._now()
            if gate is Gate.OPEN:
                self._room -= 1
                return
            if gate is Gate.TRICKLE:
                await asyncio.sleep(TRICKLE_S)
                return
            metrics.HELD_UP_SECONDS.inc(ASK_EVERY_S)
            await asyncio.sleep(ASK_EVERY_S)

    async def _now(self) -> Gate:
        async with self._asking:
            full = self._gate is Gate.OPEN and self._room <= 0
            if full or time.monotonic() - self._asked_s >= ASK_EVERY_S:
                await self._ask()
                self._asked_s = time.monotonic()
        return self._gate

    async def _ask(self) -> None:
        try:
            lags = [lag for name in CONSUMERS if (lag := await self._lag(name)) is not None]
        except (NatsError, TimeoutError, OSError) as error:
            # Telling will fail by itself if the bus is away.
            log.warning("pressure.unknown", error=error)
            self._room = min(self._limits.values())
            return
        gate = self._judge.judge(lags, time.monotonic())
        if gate is not self._gate:
            log.info("pressure.changed", gate=gate.value, waiting={lag.consumer: lag.waiting for lag in lags})
        self._gate = gate
        segments = [self._limits[lag.consumer] - lag.waiting for lag in lags if lag.consumer == SEGMENTS]
        self._room = max(1, *segments) if segments else self._limits[SEGMENTS]
        for lag in lags:
            metrics.WORKERS_WAITING.labels(lag.consumer).set(lag.waiting)

    async def _lag(self, consumer: str) -> Lag | None:
        try:
            info = await self._jetstream.consumer_info(CONSUMERS[consumer], consumer)
        except NotFoundError:
            return None
        delivered = info.delivered.consumer_seq if info.delivered else 0
        return Lag(consumer, (info.num_pending or 0) + (info.num_ack_pending or 0), delivered)
