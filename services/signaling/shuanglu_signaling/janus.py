"""Janus' WebSocket API: one connection to one media node, requests with timeouts, events, and coming back.

A request is answered at once (`ask`), or, for most messages to a plugin, by an event that bears its transaction
(`converse`). Sessions belong to the connection that made them; after a break they are claimed by the new one.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from shuanglu_common.errors import DependencyError
from shuanglu_signaling.errors import RecorderUnavailable

PROTOCOL = "janus-protocol"
CONNECT_TIMEOUT_S = 2.0
REQUEST_TIMEOUT_S = 5.0
RECONNECT_PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)
# Requests that wait for their answer at the same time.
MAX_PENDING = 500
MAX_MESSAGE_BYTES = 1 << 20
# Codes of Janus' errors (apierror.h, janus_videoroom.c).
SESSION_NOT_FOUND = 458
HANDLE_NOT_FOUND = 459
NO_SUCH_ROOM = 426
ROOM_EXISTS = 427
NO_SUCH_FEED = 428

Message = dict[str, Any]
log = structlog.get_logger()


class JanusError(Exception):
    """Janus refused a request. `code` is its own number, `text` its own words."""

    def __init__(self, code: int, text: str) -> None:
        """As Janus said."""
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Janus:
    """One media node's Janus. `run` keeps the connection; all else may be called at any time."""

    def __init__(self, name: str, url: str, secret: str) -> None:
        """`secret`: Janus' `api_secret`."""
        self.name = name
        self.url = url
        self.secret = secret
        self.on_event: Callable[[Message], None] = lambda _: None
        # Runs after each connect before `connected` is set; if it fails, the connection is given up and made anew.
        self.on_connect: Callable[[], Awaitable[None]] = _nothing
        self.connected = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._events: dict[str, asyncio.Future[Message]] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Connect, read, and connect again, until told to stop."""
        stop = asyncio.create_task(stopping.wait())
        failures = 0
        try:
            while not stopping.is_set():
                lived = asyncio.create_task(self._live())
                await asyncio.wait([lived, stop], return_when=asyncio.FIRST_COMPLETED)
                if not lived.done():
                    lived.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    failures = 0 if await lived else failures + 1
                pause = RECONNECT_PAUSES_S[min(failures, len(RECONNECT_PAUSES_S) - 1)]
                await asyncio.wait([stop], timeout=pause)
        finally:
            stop.cancel()

    async def _live(self) -> bool:
        """One connection from its beginning to its end; whether it was good for anything."""
        was_well = False
        try:
            async with connect(
                self.url,
                subprotocols=[PROTOCOL],  # type: ignore[list-item]
                open_timeout=CONNECT_TIMEOUT_S,
                close_timeout=0.5,
                ping_interval=5,
                ping_timeout=5,
                max_size=MAX_MESSAGE_BYTES,
                compression=None,
                proxy=None,
            ) as socket:
                self._socket = socket
                reading = asyncio.create_task(self._read(socket))
                try:
                    await asyncio.wait_for(self.on_connect(), 4 * REQUEST_TIMEOUT_S)
                    self.connected.set()
                    was_well = True
                    log.info("janus.connected", node=self.name)
                    await reading
                finally:
                    reading.cancel()
        except (OSError, TimeoutError, WebSocketException, DependencyError, JanusError) as error:
            log.warning("janus.away", node=self.name, error=error)
        finally:
            self.connected.clear()
            self._socket = None
            self._fail_all()
        return was_well

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            message: Message = json.loads(text)
            kind, transaction = message.get("janus"), message.get("transaction", "")
            if kind in {"event", "error"} and transaction in self._events:
                _settle(self._events.pop(transaction), message)
            elif transaction in self._answers:
                _settle(self._answers.pop(transaction), message)
            elif kind != "ack":
                self.on_event(message)

    def _fail_all(self) -> None:
        for waiting in (self._answers, self._events):
            for future in waiting.values():
                if not future.done():
                    future.set_exception(RecorderUnavailable("the media server is away"))
                    future.exception()  # Whoever gave up waiting does not need to hear of it.
            waiting.clear()

    async def ask(self, request: Message) -> Message:
        """What Janus answers at once. Raises JanusError, RecorderUnavailable."""
        transaction = secrets.token_hex(8)
        return await self._send(request, transaction, self._answers)

    async def converse(self, request: Message) -> Message:
        """The event that answers a message to a plugin. Raises JanusError, RecorderUnavailable."""
        transaction = secrets.token_hex(8)
        return _checked(await self._send(request, transaction, self._events))

    async def _send(self, request: Message, transaction: str, table: dict[str, asyncio.Future[Message]]) -> Message:
        socket = self._socket
        if socket is None:
            raise RecorderUnavailable("the media server is away")
        if len(table) >= MAX_PENDING:
            raise RecorderUnavailable("the media server is too busy")
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        table[transaction] = future
        body = {**request, "transaction": transaction, "apisecret": self.secret}
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await socket.send(json.dumps(body))
                answer = await future
        except (OSError, TimeoutError, WebSocketException) as error:
            raise RecorderUnavailable("the media server does not answer") from error
        finally:
            table.pop(transaction, None)
        if answer.get("janus") == "error":
            refusal = answer["error"]
            raise JanusError(int(refusal["code"]), str(refusal.get("reason", "")))
        return answer

    # Sessions and handles.

    async def create(self) -> int:
        """A new session."""
        return int((await self.ask({"janus": "create"}))["data"]["id"])

    async def attach(self, session: int) -> int:
        """A new handle of VideoRoom in a session."""
        answer = await self.ask({"janus": "attach", "session_id": session, "plugin": "janus.plugin.videoroom"})
        return int(answer["data"]["id"])

    async def claim(self, session: int) -> bool:
        """Have a session's events come here; False if there is no such session any more."""
        return await self._lives({"janus": "claim", "session_id": session})

    async def keep_alive(self, session: int) -> bool:
        """False if there is no such session any more."""
        return await self._lives({"janus": "keepalive", "session_id": session})

    async def destroy(self, session: int) -> None:
        """End a session with all its handles; one that is gone is none the worse."""
        await self._lives({"janus": "destroy", "session_id": session})

    async def trickle(self, session: int, handle: int, candidates: list[Message]) -> None:
        """Candidates of the other side; `{"completed": True}` is the last."""
        await self.ask({"janus": "trickle", "session_id": session, "handle_id": handle, "candidates": candidates})

    async def request(self, session: int, handle: int, body: Message) -> Message:
        """A request to the plugin that it answers at once; its data. Raises JanusError."""
        answer = await self.ask({"janus": "message", "session_id": session, "handle_id": handle, "body": body})
        data = _checked(answer).get("plugindata", {}).get("data", {})
        return dict(data)

    async def message(self, session: int, handle: int, body: Message, jsep: Message | None = None) -> Message:
        """A message to the plugin that an event answers; the event. Raises JanusError."""
        request: Message = {"janus": "message", "session_id": session, "handle_id": handle, "body": body}
        if jsep is not None:
            request["jsep"] = jsep
        return await self.converse(request)

    async def _lives(self, request: Message) -> bool:
        try:
            await self.ask(request)
        except JanusError as error:
            if error.code in {SESSION_NOT_FOUND, HANDLE_NOT_FOUND}:
                return False
            raise
        return True


async def _nothing() -> None:
    return


def _settle(future: asyncio.Future[Message], message: Message) -> None:
    if not future.done():
        future.set_result(message)


def _checked(answer: Message) -> Message:
    """Errors of a plugin come as data."""
    data = answer.get("plugindata", {}).get("data", {})
    if "error_code" in data:
        raise JanusError(int(data["error_code"]), str(data.get("error", "")))
    return answer
