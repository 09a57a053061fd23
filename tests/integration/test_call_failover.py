"""What carries calls may die: signaling's replicas and media servers. Calls go on; several media nodes share them."""

import asyncio
import os
import signal
import sys
import time

import httpx
import pytest
from aioice.stun import TransactionFailed
from aioice.turn import create_turn_endpoint
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy
from tests.integration.calls import FRAGMENT, Room, fragment, room, value_of

from shuanglu.session.v1.call_pb2 import IceServer, Presence
from shuanglu_signaling.turn import credential
from shuanglu_stack import EmbeddedStack

PATIENT = pytest.mark.timeout(240)
SOON_S = 30


async def kill(stack: EmbeddedStack, name: str) -> None:
    """`kill -9`; returns when it runs again."""
    pid = stack.pids()[name]
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(SOON_S):
        while stack.pids().get(name, pid) == pid:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)


async def settled(stack: EmbeddedStack) -> None:
    """Wait until everything is ready again, also on a busy machine."""
    async with asyncio.timeout(2 * SOON_S):
        while stack.unready():  # noqa: ASYNC110 - they are other processes
            await asyncio.sleep(0.2)


def http_of(stack: EmbeddedStack, name: str) -> str:
    """A replica's own door."""
    return f"http://127.0.0.1:{stack.ports[f'{name}-http']}"


@PATIENT
async def test_another_replica_goes_on_with_the_connections_of_a_dead_one(call_stack: EmbeddedStack) -> None:
    async with room(call_stack, agent=http_of(call_stack, "signaling-2")) as call:
        made = await call.publish("customer")
        local = call.peers[0].localDescription.sdp
        own = [value_of(local, "ice-ufrag"), value_of(local, "ice-pwd")]
        seat = {"authorization": call.http["customer"].headers["authorization"], "content-type": FRAGMENT}
        other, place = call.http["agent"], made.headers["location"]

        await asyncio.gather(kill(call_stack, "signaling"), call.grows("customer"))
        trickled = await other.patch(place, content=fragment(*own), headers={**seat, "if-match": made.headers["etag"]})
        assert trickled.status_code == httpx.codes.NO_CONTENT
        await call.grows("customer")
        restarted = await other.patch(place, content=fragment("newu", "n" * 24), headers={**seat, "if-match": "*"})
        assert restarted.status_code == httpx.codes.OK, restarted.text
        ended = await other.delete(place, headers=seat)
        assert ended.status_code == httpx.codes.OK
        await settled(call_stack)
        await call.becomes("customer", Presence.PRESENCE_AWAY)
        await call.publish("customer")
        await call.grows("customer")


@PATIENT
async def test_a_hangup_is_noticed_though_the_replica_that_made_the_connection_is_dead(
    call_stack: EmbeddedStack,
) -> None:
    async with room(call_stack) as call:
        await call.publish("customer")
        await kill(call_stack, "signaling")
        await settled(call_stack)
        await call.peers[0].close()
        await call.becomes("customer", Presence.PRESENCE_AWAY)


@PATIENT
async def test_after_the_death_of_a_media_server_its_people_come_back_in_the_same_session(
    call_stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    async with room(call_stack) as call:
        await call.publish("customer")
        await call.grows("customer")
        node = call.files("customer")[0].relative_to(call_stack.data_dir).parts[1]
        before = next(p.connection for p in (await call.view()).participants if p.participant.role == 1)
        started_s = time.monotonic()
        await kill(call_stack, "janus" if node == "media-1" else "janus-2")
        async with asyncio.timeout(SOON_S):
            while True:
                customer = next(p for p in (await call.view()).participants if p.participant.role == 1)
                if customer.connection > before:
                    break
                await asyncio.sleep(0.05)
        told_s = time.monotonic() - started_s
        await call.publish("customer")
        back_s = time.monotonic() - started_s
        await call.grows("customer")
        assert len({file.name.partition("-")[0] for file in call.files("customer")}) == 2
        with capsys.disabled():
            sys.stdout.write(f"\nmedia server killed: told after {told_s:.2f} s, back after {back_s:.2f} s\n")


@PATIENT
async def test_sessions_are_spread_over_the_media_nodes(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as first, room(call_stack) as second:
        await asyncio.gather(first.publish("customer"), second.publish("customer"))
        await asyncio.gather(first.grows("customer"), second.grows("customer"))
        nodes = {call.files("customer")[0].relative_to(call_stack.data_dir).parts[1] for call in (first, second)}
        assert nodes == {"media-1", "media-2"}


async def relay_of(call: Room) -> IceServer:
    """The relay that a participant is told of."""
    (server,) = (await call.desk.join(call.seats["agent"])).ice_servers
    return server


@PATIENT
async def test_media_goes_through_the_relay_with_the_credentials_that_were_given(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        server = await relay_of(call)
        relay = RTCIceServer(list(server.urls), server.username, server.credential)
        await call.publish("customer", RTCConfiguration([relay], RTCIceTransportPolicy.RELAY))
        offered = call.peers[0].localDescription.sdp
        kinds = {line.split(" typ ")[1].split(" ")[0] for line in offered.splitlines() if "a=candidate" in line}
        assert kinds == {"relay"}
        await call.grows("customer")


@PATIENT
@pytest.mark.parametrize(("expires_in_s", "secret"), [(-60, None), (600, "another secret")])
async def test_the_relay_refuses_expired_and_foreign_credentials(
    call_stack: EmbeddedStack, expires_in_s: int, secret: str | None
) -> None:
    async with room(call_stack) as call:
        _, host, rest = (await relay_of(call)).urls[0].split(":")
        name = f"{int(time.time()) + expires_in_s}:customer"
        password = credential(secret or call_stack.keys.turn_secret, name)
        with pytest.raises(TransactionFailed):
            await create_turn_endpoint(asyncio.DatagramProtocol, (host, int(rest.partition("?")[0])), name, password)
