"""The client of signaling against a server of the contract, over a real channel."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from shuanglu.common.v1.types_pb2 import Inspection, Participant, ParticipantRole
from shuanglu.session.v1.session_pb2 import Session, SessionState
from shuanglu.session.v1.session_service_pb2 import GetSessionResponse
from shuanglu.session.v1.session_service_pb2_grpc import SessionServiceServicer, add_SessionServiceServicer_to_server
from shuanglu_media_ingest.domain.imports import Person
from shuanglu_media_ingest.errors import SessionNotFound, SessionsUnavailable
from shuanglu_media_ingest.importing.sessions import SignalingSessions

TOKEN = (("authorization", "Bearer the-callers-own"),)
SESSION = Session(
    session_id="session-1",
    state=SessionState.SESSION_STATE_CREATED,
    participants=[Participant(participant_id="customer", role=ParticipantRole.PARTICIPANT_ROLE_CUSTOMER)],
    inspection=Inspection(face_frames_per_kilosecond=2000, languages=["zh", "en"]),
)


class Signaling(SessionServiceServicer):
    """Knows one session; answers others with the status that their id names."""

    async def GetSession(self, request: Any, context: Any) -> GetSessionResponse:  # noqa: N802 - the contract's name
        assert ("authorization", "Bearer the-callers-own") in tuple(context.invocation_metadata())
        if request.session_id == "session-1":
            return GetSessionResponse(session=SESSION)
        await context.abort(grpc.StatusCode[request.session_id], "no")
        raise AssertionError


@pytest.fixture
async def target() -> AsyncIterator[str]:
    server = grpc.aio.server()
    add_SessionServiceServicer_to_server(Signaling(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def test_a_session_is_read_with_the_callers_token(target: str):
    async with grpc.aio.insecure_channel(target) as channel:
        found = await SignalingSessions(channel, lambda: TOKEN).get("session-1")
    assert found.state == "CREATED"
    assert found.people == (Person("customer", "CUSTOMER"),)
    assert (found.inspection.face_frames_per_kilosecond, found.inspection.languages) == (2000, ("zh", "en"))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("NOT_FOUND", SessionNotFound),
        ("INVALID_ARGUMENT", SessionNotFound),
        ("UNAVAILABLE", SessionsUnavailable),
        ("PERMISSION_DENIED", SessionsUnavailable),
        ("INTERNAL", SessionsUnavailable),
    ],
)
async def test_its_errors_are_translated(target: str, status: str, error: type[Exception]):
    async with grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(error):
            await SignalingSessions(channel, lambda: TOKEN).get(status)


async def test_signaling_that_is_away_is_a_dependency_that_is_away():
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        with pytest.raises(SessionsUnavailable):
            await SignalingSessions(channel, lambda: TOKEN).get("session-1")
