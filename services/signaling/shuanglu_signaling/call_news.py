"""Who watches a call is woken when it changes, whichever replica changed it.

A message of the bus's core, without data and without any promise: who missed it looks by itself every two seconds.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

PREFIX = "call.changed"
SUBJECT_PARTS = 4

log = structlog.get_logger()


class CallNews:
    """Tells of changes and wakes those who wait for them."""

    def __init__(self, client: Client) -> None:
        """`client`: connected to the bus."""
        self.client = client
        self.waiting: dict[tuple[str, str], set[asyncio.Event]] = {}
        self.any = asyncio.Event()
        """Set at every change; who waits for it clears it."""

    async def start(self) -> None:
        """Listen to all replicas."""
        await self.client.subscribe(f"{PREFIX}.*.*", cb=self.heard)

    async def heard(self, message: Msg) -> None:
        """A change somewhere."""
        parts = message.subject.split(".")
        if len(parts) == SUBJECT_PARTS:
            self.wake(parts[2], parts[3])

    def wake(self, tenant: str, session_id: str) -> None:
        """Wake those who wait here."""
        self.any.set()
        for event in self.waiting.get((tenant, session_id), ()):
            event.set()

    async def tell(self, tenant: str, session_id: str) -> None:
        """Wake those who wait here and elsewhere; never fails."""
        self.wake(tenant, session_id)
        with suppress(NatsError, OSError, TimeoutError, ValueError):
            await self.client.publish(f"{PREFIX}.{tenant}.{session_id}")

    @asynccontextmanager
    async def listening(self, tenant: str, session_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set at every change of one session."""
        event, key = asyncio.Event(), (tenant, session_id)
        self.waiting.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            self.waiting[key].discard(event)
            if not self.waiting[key]:
                del self.waiting[key]
