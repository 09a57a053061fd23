"""CallService as its callers meet it: real gRPC with tokens, a real PostgreSQL, recorders over gRPC, two replicas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from call_doubles import POLICY, SCRIPT, HandMedia
from call_house import OFFSET_US, PATIENCE_S, SESSION, House, Replica, S, invited, make_keys, reason_of, soon
from real_database import free_port, open_database
from recorder_double import RecorderDouble
from sqlalchemy import select, text

from shuanglu.common.v1 import types_pb2
from shuanglu.media.v1.track_pb2 import GAP_CAUSE_HELD, GAP_CAUSE_MUTED
from shuanglu.session.v1 import call_pb2
from shuanglu.session.v1 import call_service_pb2 as pb
from shuanglu_signaling.domain.call_table import StallAction
from shuanglu_signaling.domain.call_watch import Limits
from shuanglu_signaling.domain.lifecycle import NOTHING_RECORDED
from shuanglu_signaling.domain.words import SessionState
from shuanglu_signaling.postgres import PostgresSessions
from shuanglu_signaling.tables import CALLS, INVITATION_CODES

pytestmark = pytest.mark.integration


@pytest.fixture
async def house(url: str, build: Any, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with open_database(url) as database, AsyncExitStack() as stack:
        sessions = PostgresSessions(database)
        # A slow machine that runs the tests must not put calls on hold by itself.
        policy = replace(POLICY, on_stall=getattr(request, "param", StallAction.WARN))
        await sessions.add("demo", build.session(1, script=SCRIPT, recording=policy), "", "")
        recorder, port = RecorderDouble(OFFSET_US), free_port()
        await recorder.start(port)
        stack.push_async_callback(recorder.stop)
        limits = Limits(grace_us=60 * S, abandon_us=120 * S, longest_us=7200 * S)
        yield House(database, recorder, port, HandMedia(), make_keys(tmp_path), stack, limits, sessions)


async def test_a_call_from_the_link_to_the_recorders_last_byte(house: House, url: str) -> None:
    replica = await house.replica(url)
    _, customer, _ = await invited(replica, participant_id="customer")
    joined = await replica.call("JoinCall", pb.JoinCallRequest(session_id=SESSION), customer.token)
    assert (joined.publish_path, joined.watch_path) == (f"/whip/{SESSION}", f"/whep/{SESSION}/{{participant_id}}")
    assert joined.ice_servers[0].username == f"1:{SESSION}/customer"
    assert joined.call.own_participant_id == "customer"
    for who in ("customer", "agent"):
        await replica.live(who)
    view = (await replica.call("GetCall", pb.GetCallRequest(session_id=SESSION))).call
    assert (view.state, view.recording.state) == (call_pb2.CALL_STATE_ACTIVE, call_pb2.PROOF_STATE_PENDING)
    await replica.call("StartNode", pb.StartNodeRequest(session_id=SESSION, node_id="consent"))
    finish = pb.FinishNodeRequest(session_id=SESSION, node_id="consent")
    assert await replica.refusal("FinishNode", finish) == "RECORDING_NOT_PROVEN"

    growing = asyncio.create_task(keep_growing(house, "customer", "agent"))
    await soon(lambda: is_proven(replica))
    await soon(lambda: is_recording(house))
    await replica.call(
        "MuteTrack",
        pb.MuteTrackRequest(session_id=SESSION, kind=types_pb2.TRACK_KIND_AUDIO, muted=True),
        customer.token,
    )
    await replica.call("HoldCall", pb.HoldCallRequest(session_id=SESSION, held=True))
    assert await replica.refusal("FinishNode", finish) == "CALL_HELD"
    await replica.call("HoldCall", pb.HoldCallRequest(session_id=SESSION, held=False))
    await replica.call("FinishNode", finish)
    await replica.call("StartNode", pb.StartNodeRequest(session_id=SESSION, node_id="risk"))
    ended = (await replica.call("EndCall", pb.EndCallRequest(session_id=SESSION))).call
    assert (ended.state, ended.end_reason) == (call_pb2.CALL_STATE_ENDING, call_pb2.END_REASON_COMPLETED)
    growing.cancel()

    await soon(lambda: is_in(replica, call_pb2.CALL_STATE_ENDED))
    assert len(house.recorder.closed) == 1
    closed = house.recorder.closed[0]
    assert [(node.node_id, node.take) for node in closed.nodes] == [("consent", 1), ("risk", 1)]
    assert {mark.cause for mark in closed.marks} == {GAP_CAUSE_MUTED, GAP_CAUSE_HELD}
    # All of it on the recorder's clock, whatever ours says.
    times = [
        closed.ended_at_us,
        *(node.start_at_us for node in closed.nodes),
        *(mark.end_at_us for mark in closed.marks),
    ]
    assert all(abs(house.recorder.now_us() - each) < PATIENCE_S * S for each in times)
    assert not house.media.rooms
    events = await house.events()
    for one in ("SessionCreated", "CallOpened", "RecordingProven", "CallHeld", "CallResumed", "CallEnded"):
        assert events.count(one) == 1, one
    assert (events.count("NodeStarted"), events.count("NodeFinished")) == (2, 2)


async def rest_of(stream: Any) -> list[call_pb2.CallView]:
    """All that still comes."""
    views = []
    while (answer := await stream.read()) is not grpc.aio.EOF:
        views.append(answer.call)
    return views


async def keep_growing(house: House, *who: str) -> None:
    while True:
        house.recorder.grow(SESSION, *who)
        await asyncio.sleep(0.1)


async def is_proven(replica: Replica) -> bool:
    view = (await replica.call("GetCall", pb.GetCallRequest(session_id=SESSION))).call
    return bool(view.recording.state == call_pb2.PROOF_STATE_PROVEN)


async def is_recording(house: House) -> bool:
    return (await house.state())[0] is SessionState.RECORDING


async def is_in(replica: Replica, state: int) -> bool:
    view = (await replica.call("GetCall", pb.GetCallRequest(session_id=SESSION))).call
    return bool(view.state == state)


async def test_each_role_sees_what_it_may(house: House, url: str) -> None:
    replica = await house.replica(url)
    _, customer, _ = await invited(replica, participant_id="customer")
    _, agent, _ = await invited(replica, participant_id="agent")
    for accepted in (customer, agent):
        await replica.call("JoinCall", pb.JoinCallRequest(session_id=SESSION), accepted.token)
    get = pb.GetCallRequest(session_id=SESSION)
    seen = {
        "customer": (await replica.call("GetCall", get, customer.token)).call,
        "agent": (await replica.call("GetCall", get, agent.token)).call,
        "bank": (await replica.call("GetCall", get, roles=["bank_app"])).call,
    }
    texts = {who: [bool(node.text) for node in view.script] for who, view in seen.items()}
    assert texts == {"customer": [False, True, False], "agent": [True, False, True], "bank": [True, True, True]}
    assert [node.title_zh for node in seen["customer"].script] == ["知情同意", "客户确认", "风险揭示"]
    assert {who: len(view.recording.tracks) for who, view in seen.items()} == {"customer": 0, "agent": 4, "bank": 4}
    for forbidden in ("HoldCall", "EndCall"):
        request = getattr(pb, f"{forbidden}Request")(session_id=SESSION)
        assert await replica.refusal(forbidden, request, customer.token) == "ROLE_FORBIDDEN"
    start = pb.StartNodeRequest(session_id=SESSION, node_id="consent")
    assert await replica.refusal("StartNode", start, customer.token) == "ROLE_FORBIDDEN"
    other = pb.JoinCallRequest(session_id=SESSION, participant_id="agent")
    assert await replica.refusal("JoinCall", other, customer.token) == "NOT_OWN_SEAT"
    elsewhere = pb.JoinCallRequest(session_id="session-0002")
    assert await replica.refusal("JoinCall", elsewhere, customer.token) == "SESSION_NOT_FOUND"
    assert await replica.refusal("GetCall", get, tenant="other") == "CALL_NOT_FOUND"


async def test_a_link_is_worth_nothing_in_another_browser(house: House, url: str) -> None:
    replica = await house.replica(url)
    invitation, accepted, header = await invited(replica, participant_id="customer")
    assert invitation.link == f"/call#{invitation.code}"
    morsel = SimpleCookie(header)["shuanglu_seat"]
    assert (morsel["path"], morsel["samesite"]) == ("/v1/invitations:accept", "Strict")
    assert morsel["httponly"]
    assert morsel["secure"]
    claims = jwt.decode(accepted.token, options={"verify_signature": False})
    assert (claims["sub"], claims["roles"], claims["invitation_id"]) == (
        f"{SESSION}/customer",
        ["customer"],
        invitation.invitation_id,
    )
    for cookie in ("", "shuanglu_seat=" + "z" * 32, "shuanglu_seat=;;;"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await replica.accept(invitation.code, cookie)
        assert reason_of(caught.value) == "INVITATION_USED"
    again, _ = await replica.accept(invitation.code, f"shuanglu_seat={morsel.value}")
    assert again.token != accepted.token
    # Neither code nor secret are anywhere in the database.
    async with house.database.transaction() as connection:
        rows = [
            *(await connection.execute(select(CALLS))).all(),
            *(await connection.execute(select(INVITATION_CODES))).all(),
        ]
    assert invitation.code not in repr(rows)
    assert morsel.value not in repr(rows)


async def test_a_token_that_was_taken_back_ends_its_stream(house: House, url: str) -> None:
    replica, other = await house.replica(url), await house.replica(url)
    invitation, accepted, _ = await invited(replica, participant_id="customer")
    await replica.call("JoinCall", pb.JoinCallRequest(session_id=SESSION), accepted.token)
    stream = replica.watch(accepted.token)
    assert (await stream.read()).call.own_participant_id == "customer"
    revoke = pb.RevokeInvitationRequest(session_id=SESSION, invitation_id=invitation.invitation_id)
    await other.call("RevokeInvitation", revoke)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rest_of(stream)
    assert reason_of(caught.value) == "INVITATION_REVOKED"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await replica.accept(invitation.code)
    assert reason_of(caught.value) == "INVITATION_NOT_FOUND"


async def test_who_watches_at_one_replica_hears_what_another_has_changed(house: House, url: str) -> None:
    here, there = await house.replica(url), await house.replica(url)
    await here.live("agent")
    stream = here.watch()
    first = (await stream.read()).call
    await there.live("customer")
    while (view := (await stream.read()).call).state != call_pb2.CALL_STATE_ACTIVE:
        assert view.revision >= first.revision
    await there.call("EndCall", pb.EndCallRequest(session_id=SESSION, cancelled=True))
    views = await rest_of(stream)
    assert views[-1].state == call_pb2.CALL_STATE_ENDED
    assert views[-1].end_reason == call_pb2.END_REASON_CANCELLED
    assert await house.state() == (SessionState.FAILED, NOTHING_RECORDED)


async def test_many_at_two_replicas_open_one_call(house: House, url: str) -> None:
    replicas = [await house.replica(url), await house.replica(url)]
    join = [pb.JoinCallRequest(session_id=SESSION, participant_id=who) for who in ("agent", "customer")] * 4
    answers = await asyncio.gather(*(replicas[n % 2].call("JoinCall", each) for n, each in enumerate(join)))
    assert {answer.call.session_id for answer in answers} == {SESSION}
    events = await house.events()
    assert (events.count("CallOpened"), events.count("ParticipantJoined")) == (1, 2)
    seats = await asyncio.gather(*(each.seats.publisher("demo", SESSION, "agent") for each in replicas * 4))
    assert sorted(seat.connection for seat in seats) == list(range(1, 9))


@pytest.mark.parametrize("house", [StallAction.HOLD], indirect=True)
async def test_a_recording_that_stands_still_is_told_within_seconds_and_held(house: House, url: str) -> None:
    replica = await house.replica(url)
    for who in ("agent", "customer"):
        await replica.live(who)
    growing = asyncio.create_task(keep_growing(house, "customer", "agent"))
    await soon(lambda: is_proven(replica))
    stream = replica.watch()
    await stream.read()
    growing.cancel()
    while (view := (await stream.read()).call).state != call_pb2.CALL_STATE_HELD:
        pass
    assert view.recording.state == call_pb2.PROOF_STATE_STALLED
    growing = asyncio.create_task(keep_growing(house, "customer", "agent"))
    good = (call_pb2.CALL_STATE_ACTIVE, call_pb2.PROOF_STATE_PROVEN)
    while (view.state, view.recording.state) != good:
        view = (await stream.read()).call
    growing.cancel()
    assert "RecordingStalled" in await house.events()


async def test_a_recording_is_closed_when_its_recorder_is_back(house: House, url: str) -> None:
    replica = await house.replica(url)
    await replica.live("agent")
    house.recorder.grow(SESSION, "agent")
    await soon(lambda: is_started(replica))
    await house.recorder.stop()
    await replica.call("EndCall", pb.EndCallRequest(session_id=SESSION))
    await asyncio.sleep(1)
    assert await is_in(replica, call_pb2.CALL_STATE_ENDING)
    await house.recorder.start(house.recorder_port)
    await soon(lambda: is_in(replica, call_pb2.CALL_STATE_ENDED))
    assert len(house.recorder.closed) == 1


async def is_started(replica: Replica) -> bool:
    view = (await replica.call("GetCall", pb.GetCallRequest(session_id=SESSION))).call
    return bool(view.started_at_us)


async def test_a_call_that_nobody_ended_is_ended_by_whatever_replica_there_is(house: House, url: str) -> None:
    house.limits = Limits(grace_us=S // 2, abandon_us=S, longest_us=7200 * S)
    replica = await house.replica(url)
    await replica.live("agent")
    house.recorder.grow(SESSION, "agent")
    call = await replica.seats.calls.get("demo", SESSION)
    assert call is not None
    await replica.seats.media_down(await replica.seats.watcher("demo", SESSION, "agent", "customer"), "closed laptop")
    await soon(lambda: is_in(replica, call_pb2.CALL_STATE_ENDED))
    view = (await replica.call("GetCall", pb.GetCallRequest(session_id=SESSION))).call
    assert view.end_reason == call_pb2.END_REASON_ABANDONED
    assert "ParticipantLeft" in await house.events()


async def test_the_database_may_be_away_while_somebody_watches(house: House, url: str) -> None:
    replica = await house.replica(url)
    await replica.live("agent")
    house.recorder.grow(SESSION, "agent")
    stream = replica.watch()
    await stream.read()
    async with house.database.transaction() as connection:
        # Whoever reads or writes calls waits until this transaction is over.
        await connection.execute(text("lock table signaling.calls in access exclusive mode"))
        growing = asyncio.create_task(keep_growing(house, "agent"))
        await asyncio.sleep(2)
        growing.cancel()
    while True:
        view = (await stream.read()).call
        if view.started_at_us:
            break
    assert view.state == call_pb2.CALL_STATE_WAITING
    stream.cancel()
