"""InspectionFeed on the bus: plain subscriptions for what comes, the streams' last messages for what was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import structlog
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested
from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_common.bus.bus import BusUnavailable
from shuanglu_common.bus.events import PoisonEvent, decode
from shuanglu_common.bus.subjects import event_type, subject
from shuanglu_report.errors import SessionNotFound
from shuanglu_report.ports import InspectionNews, LastNews

_KINDS: tuple[type[InspectionNews], ...] = (ImportRequested, ImportFailed, InspectionProgressed, ReportReady)
_TIMEOUT_S = 3.0
# A caller that does not read loses the oldest news; the next look at the state makes up for it.
_MOST_WAITING = 64

log = structlog.get_logger()


def _subject(kind: type[InspectionNews], tenant: str, session_id: str) -> str:
    """Raises SessionNotFound for an id that cannot be one: it must not widen the subject."""
    try:
        return subject(event_type(kind), tenant, session_id)
    except ValueError as error:
        raise SessionNotFound("there is no such session") from error


class QueuedNews:
    """See NewsStream."""

    def __init__(self) -> None:
        """Empty."""
        self._queue: asyncio.Queue[InspectionNews] = asyncio.Queue()

    async def take(self, message: Msg) -> None:
        """Callback of the subscriptions."""
        try:
            payload = decode(message.data).payload
        except PoisonEvent as error:
            log.warning("news.unreadable", reason=error.reason)
            return
        if isinstance(payload, _KINDS):
            while self._queue.qsize() >= _MOST_WAITING:
                self._queue.get_nowait()
            self._queue.put_nowait(payload)

    async def next(self, timeout_s: float) -> InspectionNews | None:
        """See NewsStream."""
        try:
            return await asyncio.wait_for(self._queue.get(), timeout_s)
        except TimeoutError:
            return None


class BusInspectionFeed:
    """See InspectionFeed."""

    def __init__(self, client: Client) -> None:
        """`client`: connected to the bus."""
        self._client = client

    @asynccontextmanager
    async def follow(self, tenant: str, session_id: str) -> AsyncIterator[QueuedNews]:
        """See InspectionFeed."""
        news = QueuedNews()
        subjects = [_subject(kind, tenant, session_id) for kind in _KINDS]
        subscriptions: list[Subscription] = []
        try:
            try:
                for name in subjects:
                    subscriptions.append(await self._client.subscribe(name, cb=news.take))  # noqa: PERF401
                # The server has the subscriptions once it has answered: nothing published from here on is missed.
                await self._client.flush(timeout=int(_TIMEOUT_S))
            except (NatsError, TimeoutError, OSError) as error:
                raise BusUnavailable(f"cannot listen: {type(error).__name__}") from error
            yield news
        finally:
            for subscription in subscriptions:
                with suppress(NatsError, OSError):
                    await subscription.unsubscribe()

    async def last(self, tenant: str, session_id: str) -> LastNews:
        """See InspectionFeed."""
        _, progress = await self._last(InspectionProgressed, tenant, session_id)
        failed_at, failure = await self._last(ImportFailed, tenant, session_id)
        requested_at, _ = await self._last(ImportRequested, tenant, session_id)
        return LastNews(
            progress=cast("InspectionProgressed | None", progress),
            failure=cast("ImportFailed | None", failure) if failed_at > requested_at else None,
            requested=requested_at > 0,
        )

    async def _last(self, kind: type[InspectionNews], tenant: str, session_id: str) -> tuple[int, Message | None]:
        """The last news of a kind with its place in the stream, from 1; 0 and None if there are none."""
        stream, name = event_type(kind).stream, _subject(kind, tenant, session_id)
        try:
            message = await self._client.jetstream(timeout=_TIMEOUT_S).get_last_msg(stream, name)
            return message.seq or 0, decode(message.data or b"").payload
        except NotFoundError:
            return 0, None
        except PoisonEvent as error:
            log.warning("news.unreadable", reason=error.reason)
            return 0, None
        except (NatsError, TimeoutError, OSError) as error:
            raise BusUnavailable(f"the bus does not answer: {type(error).__name__}") from error
