"""CallService as its callers meet it: real gRPC with tokens, a real PostgreSQL, recorders over gRPC, replicas."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from call_doubles import HandMedia
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.rpc import error_details_pb2, status_pb2
from real_database import free_port
from recorder_double import RecorderDouble
from sqlalchemy import select

from shuanglu.bus.v1.envelope_pb2 import Envelope
from shuanglu.session.v1 import call_pb2
from shuanglu.session.v1 import call_service_pb2 as pb
from shuanglu.session.v1.call_service_pb2_grpc import CallServiceStub, add_CallServiceServicer_to_server
from shuanglu_common.auth import TokenVerifier
from shuanglu_common.clock import SystemClock
from shuanglu_common.database import Database
from shuanglu_common.grpc_server import start_server
from shuanglu_common.ids import new_id
from shuanglu_signaling.call_keeper import CallKeeper
from shuanglu_signaling.call_news import CallNews
from shuanglu_signaling.call_rpc import CallRpc
from shuanglu_signaling.domain.call_desk import CallDesk
from shuanglu_signaling.domain.call_ports import IceServer
from shuanglu_signaling.domain.call_watch import Limits
from shuanglu_signaling.domain.seat_desk import SeatDesk
from shuanglu_signaling.domain.words import SessionState
from shuanglu_signaling.postgres import PostgresSessions
from shuanglu_signaling.postgres_calls import PostgresCalls
from shuanglu_signaling.recorders import GrpcRecorders
from shuanglu_signaling.settings import SignalingSettings
from shuanglu_signaling.tokens import SessionTokens

S = 1_000_000
SESSION = "session-0001"
OFFSET_US = 3600 * S  # The recorder's clock is an hour before ours.
PATIENCE_S = 20


class OneIceServer:
    def servers(self, name: str) -> tuple[IceServer, ...]:
        return (IceServer(("turn:127.0.0.1:3478?transport=udp",), f"1:{name}", "secret"),)


class SilentBus:
    """No bus: a watcher must find out by itself what another replica has changed."""

    async def subscribe(self, subject: str, cb: Any) -> None:
        return

    async def publish(self, subject: str) -> None:
        return


@dataclass
class Keys:
    """Who signs tokens: the bank and the service itself."""

    bank: ec.EllipticCurvePrivateKey
    session: ec.EllipticCurvePrivateKey
    settings: SignalingSettings

    def token(self, **claims: Any) -> str:
        base = {
            "iss": self.settings.jwt_issuer,
            "aud": self.settings.jwt_audience,
            "sub": "x",
            "tenant": "demo",
            "roles": ["agent"],
            "exp": int(time.time()) + 60,
        }
        return jwt.encode(base | claims, self.bank, "ES256", {"kid": "bank"})


def make_keys(folder: Path) -> Keys:
    bank, session = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    for kid, key in (("bank", bank), ("shuanglu-session", session)):
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) | {"kid": kid, "alg": "ES256"}
        (folder / f"{kid}.json").write_text(json.dumps({"keys": [public]}))
    pem = session.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "session.pem").write_bytes(pem)
    settings = SignalingSettings(
        jwks_file=folder / "bank.json",
        session_jwks_file=folder / "shuanglu-session.json",
        session_key_file=folder / "session.pem",
    )
    return Keys(bank, session, settings)


@dataclass
class Replica:
    """One signaling: door, desks and keeper."""

    stub: Any
    seats: SeatDesk
    recorders: GrpcRecorders
    keys: Keys

    async def call(self, name: str, request: Any, token: str | None = None, **claims: Any) -> Any:
        metadata = (("authorization", f"Bearer {token or self.keys.token(**claims)}"),)
        return await getattr(self.stub, name)(request, metadata=metadata, timeout=10)

    async def refusal(self, name: str, request: Any, token: str | None = None, **claims: Any) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(name, request, token, **claims)
        return reason_of(caught.value)

    async def accept(self, code: str, cookie: str = "") -> tuple[pb.AcceptInvitationResponse, str]:
        """Without a token; also the cookie that comes back."""
        metadata = (("cookie", f"other=1; {cookie}"),) if cookie else ()
        call = self.stub.AcceptInvitation(pb.AcceptInvitationRequest(code=code), metadata=metadata, timeout=10)
        answer = await call
        headers = dict(await call.initial_metadata())
        return answer, headers["set-cookie"]

    def watch(self, token: str | None = None, **claims: Any) -> Any:
        metadata = (("authorization", f"Bearer {token or self.keys.token(**claims)}"),)
        return self.stub.WatchSession(pb.WatchSessionRequest(session_id=SESSION), metadata=metadata, timeout=60)

    async def live(self, who: str) -> None:
        """Joined, and media arrives."""
        await self.call("JoinCall", pb.JoinCallRequest(session_id=SESSION, participant_id=who))
        await self.seats.media_up(await self.seats.publisher("demo", SESSION, who))


def reason_of(error: grpc.aio.AioRpcError) -> str:
    info = error_details_pb2.ErrorInfo()
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    return str(info.reason)


@dataclass
class House:
    """What the replicas share, and how to have another one."""

    database: Database
    recorder: RecorderDouble
    recorder_port: int
    media: HandMedia
    keys: Keys
    stack: AsyncExitStack
    limits: Limits
    sessions: PostgresSessions
    built: list[Replica] = field(default_factory=list)

    async def replica(self, url: str) -> Replica:
        database = Database(url, "signaling", SystemClock(), "signaling")
        self.stack.push_async_callback(database.close)
        news = CallNews(SilentBus())  # type: ignore[arg-type]
        store = PostgresCalls(database, SystemClock(), news.tell)
        recorders = GrpcRecorders(
            {"media-1": f"127.0.0.1:{self.recorder_port}"}, grpc.aio.insecure_channel, lambda _: (), SystemClock()
        )
        seats = SeatDesk(store, recorders, self.media, self.limits.grace_us)
        tokens = SessionTokens(self.keys.session, self.keys.settings.jwt_audience, SystemClock())
        secret: Callable[[], str] = iter_secret()
        desk = CallDesk(PostgresSessions(database), store, recorders, self.media, tokens, new_id, secret)
        rpc = CallRpc(desk, news, OneIceServer(), SystemClock(), 800_000)
        port, stopping = free_port(), asyncio.Event()
        register: Callable[[grpc.aio.Server], None] = lambda server: add_CallServiceServicer_to_server(rpc, server)  # noqa: E731
        server = await start_server(f"127.0.0.1:{port}", TokenVerifier(self.keys.settings), [register])
        keeper = CallKeeper(store, recorders, self.media, self.limits, news.any, seats.catch_up)
        work = [
            asyncio.create_task(keeper.run(stopping)),
            asyncio.create_task(recorders.watch(recorders.nodes["media-1"], stopping)),
        ]

        async def stop() -> None:
            stopping.set()
            await server.stop(None)
            await asyncio.gather(*work)

        self.stack.push_async_callback(stop)
        channel = await self.stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        return Replica(CallServiceStub(channel), seats, recorders, self.keys)

    async def events(self) -> list[str]:
        """Names of what waits in the outbox, oldest first."""
        table = self.database.outbox.table
        async with self.database.transaction() as connection:
            rows = (await connection.execute(select(table.c.message).order_by(table.c.id))).all()
        return [Envelope.FromString(row.message).schema.rsplit(".", 1)[1] for row in rows]

    async def state(self) -> tuple[SessionState, str]:
        session = await self.sessions.get("demo", SESSION)
        assert session is not None
        return session.progress.state, session.progress.failure_reason


def iter_secret() -> Callable[[], str]:
    import secrets

    return lambda: secrets.token_urlsafe(24)


async def soon(holds: Callable[[], Any]) -> None:
    """Wait for something that others do."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = holds()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.05)


async def invited(replica: Replica, **wanted: Any) -> tuple[call_pb2.Invitation, pb.AcceptInvitationResponse, str]:
    """An invitation, what accepting it gave, and the cookie's header."""
    answer = await replica.call("CreateInvitation", pb.CreateInvitationRequest(session_id=SESSION, **wanted))
    accepted, cookie = await replica.accept(answer.invitation.code)
    return answer.invitation, accepted, cookie
