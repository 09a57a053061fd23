"""Wires the parts of calls together; `__main__.py` builds what they stand on."""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial

from shuanglu.session.v1.call_service_pb2_grpc import add_CallServiceServicer_to_server
from shuanglu_common.app import App
from shuanglu_common.database import Database
from shuanglu_common.ids import new_id
from shuanglu_common.settings import WrongSetting
from shuanglu_signaling.call_keeper import CallKeeper
from shuanglu_signaling.call_news import CallNews
from shuanglu_signaling.call_rpc import CallRpc
from shuanglu_signaling.domain.call_desk import CallDesk
from shuanglu_signaling.domain.call_ports import IceServers, MediaPlane
from shuanglu_signaling.domain.call_watch import Limits
from shuanglu_signaling.domain.invitations import SECRET_BYTES
from shuanglu_signaling.domain.ports import SessionStore
from shuanglu_signaling.domain.seat_desk import SeatDesk
from shuanglu_signaling.postgres_calls import PostgresCalls
from shuanglu_signaling.recorders import GrpcRecorders
from shuanglu_signaling.settings import SignalingSettings
from shuanglu_signaling.tokens import SessionTokens, read_session_key

US = 1_000_000


async def wire_calls(
    app: App[SignalingSettings], database: Database, sessions: SessionStore, media: MediaPlane, ice: IceServers
) -> tuple[SeatDesk, PostgresCalls, GrpcRecorders]:
    """CallService, what looks after calls, what the WHIP and WHEP door asks, and the recorders, none yet.

    Raises WrongSetting.
    """
    settings, clock = app.settings, app.clock
    limits = Limits(int(settings.call_grace_s * US), int(settings.call_abandon_s * US), int(settings.call_max_s * US))
    news = CallNews(app.nats)
    await news.start()
    calls = PostgresCalls(database, clock, news.tell)
    recorders = GrpcRecorders({}, app.channel, app.internal_metadata, clock)
    seats = SeatDesk(calls, recorders, media, limits.grace_us)
    new_secret: Callable[[], str] = partial(secrets.token_urlsafe, SECRET_BYTES)
    desk = CallDesk(sessions, calls, recorders, media, session_tokens(app), new_id, new_secret)
    rpc = CallRpc(desk, news, ice, clock, settings.video_bitrate)
    app.serve_grpc(lambda server: add_CallServiceServicer_to_server(rpc, server))
    keeper = CallKeeper(calls, recorders, media, limits, news.any, seats.catch_up)

    async def keep(stopping: asyncio.Event) -> None:
        await keeper.run(stopping)

    app.background("calls", keep)
    return seats, calls, recorders


def session_tokens(app: App[SignalingSettings]) -> SessionTokens:
    """Raises WrongSetting if the key file cannot be read."""
    try:
        key = read_session_key(app.settings.session_key_file)
    except (OSError, ValueError) as error:
        raise WrongSetting(f"wrong setting SHUANGLU_SESSION_KEY_FILE: {error}") from error
    return SessionTokens(key, app.settings.jwt_audience, app.clock)
