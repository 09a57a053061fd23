"""A small Janus of the tests' own: sessions, rooms and events over a real WebSocket, and what goes wrong with them."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve

OFFERS = Path(__file__).parent / "offers"
SECRET = "between us"
Message = dict[str, Any]


@dataclass
class JanusDouble:
    """Keeps what Janus keeps; `silent` answers nothing, `refuse` names requests that fail."""

    numbers: Any = field(default_factory=lambda: itertools.count(100))
    sessions: dict[int, ServerConnection] = field(default_factory=dict)
    handles: dict[int, int] = field(default_factory=dict)
    rooms: dict[str, dict[str, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    trickled: list[Message] = field(default_factory=list)
    silent: bool = False
    refuse: dict[str, int] = field(default_factory=dict)
    port: int = 0
    server: Server | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def serve_one(self, socket: ServerConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            self.asked.append(message.get("body", {}).get("request", message["janus"]))
            if not self.silent:
                for answer in self.answers(socket, message):
                    await socket.send(json.dumps({**answer, "transaction": message["transaction"]}))

    def answers(self, socket: ServerConnection, message: Message) -> list[Message]:  # noqa: PLR0911 - a table of verbs
        if message.get("apisecret") != SECRET:
            return [error(403, "Unauthorized")]
        kind, session = message["janus"], message.get("session_id", 0)
        if kind in self.refuse:
            return [error(self.refuse[kind], "refused")]
        if kind == "create":
            number = next(self.numbers)
            self.sessions[number] = socket
            return [{"janus": "success", "data": {"id": number}}]
        if session not in self.sessions:
            return [error(458, "No such session")]
        if kind == "claim":
            self.sessions[session] = socket
        elif kind == "destroy":
            self.end(session)
        elif kind == "attach":
            self.handles[session] = next(self.numbers)
            return [{"janus": "success", "data": {"id": self.handles[session]}}]
        elif kind == "trickle":
            self.trickled += message["candidates"]
        elif kind == "message":
            return self.plugin(session, message["body"])
        return [{"janus": "success"}]

    def plugin(self, session: int, body: Message) -> list[Message]:  # noqa: C901, PLR0911 - a table of verbs
        """VideoRoom."""
        verb, room = body["request"], body.get("room", "")
        if verb in self.refuse:
            failed = {"videoroom": "event", "error_code": self.refuse[verb], "error": "refused"}
            if verb in {"joinandconfigure", "join", "configure", "start"}:
                return [{"janus": "ack"}, {**event(session, ""), "plugindata": {"data": failed}}]
            return [data(failed)]
        if verb == "create":
            self.rooms[room] = {}
        elif verb == "destroy":
            self.rooms.pop(room, None)
        elif verb == "exists":
            return [data({"exists": room in self.rooms})]
        elif verb == "list":
            return [data({"list": list(self.rooms)})]
        elif verb == "listparticipants":
            return [data({"participants": [{"id": feed, "publisher": True} for feed in self.rooms.get(room, {})]})]
        elif verb == "joinandconfigure":
            self.rooms[room][body["id"]] = session
            return [{"janus": "ack"}, event(session, "chromium-publish")]
        elif verb in {"join", "configure"}:
            return [{"janus": "ack"}, event(session, "janus-watch")]
        elif verb == "start":
            return [{"janus": "ack"}, event(session, "")]
        return [data({"videoroom": "success"})]

    def end(self, session: int) -> None:
        self.sessions.pop(session, None)
        for feeds in self.rooms.values():
            for feed in [name for name, owner in feeds.items() if owner == session]:
                del feeds[feed]

    async def tell(self, session: int, kind: str, **more: Any) -> None:
        """An event about a session, to whoever has it."""
        await self.sessions[session].send(json.dumps({"janus": kind, "session_id": session, **more}))

    async def restart(self) -> None:
        """As after `kill -9`: nothing is known any more."""
        assert self.server is not None
        self.sessions.clear()
        self.rooms.clear()
        for socket in list(self.server.connections):
            await socket.close()


def error(code: int, text: str) -> Message:
    return {"janus": "error", "error": {"code": code, "reason": text}}


def data(content: Message) -> Message:
    return {"janus": "success", "plugindata": {"plugin": "janus.plugin.videoroom", "data": content}}


def event(session: int, description: str) -> Message:
    told: Message = {"janus": "event", "session_id": session, "plugindata": {"data": {"videoroom": "event"}}}
    if description:
        text = (OFFERS / f"{description}.sdp").read_text()
        told["jsep"] = {"type": "offer", "sdp": text.replace("a=sendonly", "a=recvonly")}
    return told


@asynccontextmanager
async def running_janus() -> AsyncIterator[JanusDouble]:
    double = JanusDouble()
    async with serve(double.serve_one, "127.0.0.1", 0, subprotocols=["janus-protocol"]) as server:  # type: ignore[list-item]
        double.server = server
        double.port = next(iter(server.sockets)).getsockname()[1]
        yield double
        await asyncio.sleep(0)
