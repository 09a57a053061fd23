"""Watching by WHEP (draft-ietf-wish-whep): the server's offer, an answer to a fitting one, and a counter-offer."""

import asyncio

import httpx
import pytest
from aiortc import RTCSessionDescription
from aiortc.sdp import SessionDescription
from tests.integration.calls import FRAGMENT, SDP, fragment, reason, room, value_of

from shuanglu.session.v1.call_pb2 import Presence
from shuanglu_stack import EmbeddedStack

PATIENT = pytest.mark.timeout(180)
# The media server's own payload types, as aiortc's would have to be to fit.
FITTING = {"OPUS": "111", "H264": "107", "RTX": "108"}


@PATIENT
async def test_a_watcher_answers_the_servers_offer_and_sees_and_hears(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        await call.publish("customer")
        made = await call.watch("agent", "customer")
        assert made.status_code == httpx.codes.CREATED
        assert made.headers["accept-patch"] == f"{FRAGMENT}, {SDP}"
        assert made.headers["location"].startswith(f"/whep/{call.session_id}/customer/")
        early = await call.http["agent"].patch(
            made.headers["location"],
            content=fragment("abcd", "e" * 24),
            headers={"content-type": FRAGMENT, "if-match": "*"},
        )
        assert (early.status_code, reason(early)) == (409, "NOT_ANSWERED")
        tracks = await call.answer("agent", made)
        picture, sound = await asyncio.wait_for(asyncio.gather(tracks["video"].recv(), tracks["audio"].recv()), 20)
        assert (picture.width, sound.sample_rate) == (640, 48000)

        body, headers = call.peers[-1].localDescription.sdp, {"content-type": SDP}
        twice = await call.http["agent"].patch(made.headers["location"], content=body, headers=headers)
        assert (twice.status_code, reason(twice)) == (409, "ALREADY_ANSWERED")
        restarted = await call.http["agent"].patch(
            made.headers["location"],
            content=fragment("newu", "n" * 24),
            headers={"content-type": FRAGMENT, "if-match": "*"},
        )
        assert restarted.status_code == httpx.codes.OK
        assert value_of(restarted.text, "ice-ufrag") != value_of(made.text, "ice-ufrag")
        assert (await call.http["agent"].delete(made.headers["location"])).status_code == httpx.codes.OK
        assert await call.presence("customer") == Presence.PRESENCE_LIVE


def fitting(offer: str) -> str:
    """A watcher's offer with the media server's payload types and nothing else."""
    parsed = SessionDescription.parse(offer)
    for media in parsed.media:
        wanted = [codec for codec in media.rtp.codecs if codec.name.upper() in {"OPUS", "H264"}][-1:]
        for codec in wanted:
            codec.payloadType = int(FITTING[codec.name.upper()])
            if codec.name == "H264":
                codec.parameters["profile-level-id"] = "42e01f"
        media.rtp.codecs = wanted
        media.fmt = [codec.payloadType for codec in wanted]
    return str(parsed)


@PATIENT
async def test_an_offer_with_the_servers_payload_types_is_answered(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        await call.publish("customer")
        peer = call.peer()
        peer.addTransceiver("video", direction="recvonly")
        peer.addTransceiver("audio", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        made = await call.watch("agent", "customer", fitting(peer.localDescription.sdp))
        assert made.status_code == httpx.codes.CREATED, made.text
        answer = SessionDescription.parse(made.text)
        assert [media.kind for media in answer.media] == ["video", "audio"]
        assert [media.direction for media in answer.media] == ["sendonly", "sendonly"]
        # aiortc cannot be given other payload types, but its transport can be given the answer.
        unmapped = made.text.replace("107", "101").replace("108", "102").replace("111", "96")
        await peer.setRemoteDescription(RTCSessionDescription(unmapped, "answer"))
        async with asyncio.timeout(20):
            while peer.connectionState != "connected":  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.05)


@PATIENT
async def test_an_offer_that_does_not_fit_is_countered_and_the_counter_offer_can_be_answered(
    call_stack: EmbeddedStack,
) -> None:
    async with room(call_stack) as call:
        await call.publish("customer")
        peer = call.peer()
        peer.addTransceiver("audio", direction="recvonly")
        peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        countered = await call.watch("agent", "customer", peer.localDescription.sdp)
        assert countered.status_code == httpx.codes.NOT_ACCEPTABLE
        assert countered.headers["content-type"] == SDP
        tracks = await call.answer("agent", countered)
        await asyncio.wait_for(tracks["video"].recv(), 20)


@PATIENT
async def test_nobody_watches_what_is_not_there_or_their_own(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        for watched, status, why in [
            ("customer", 404, "NOTHING_TO_WATCH"),
            ("agent", 403, "NOT_OWN_SEAT"),
            ("nobody", 404, "PARTICIPANT_NOT_FOUND"),
        ]:
            refused = await call.watch("agent", watched)
            assert (refused.status_code, reason(refused)) == (status, why)


@PATIENT
async def test_a_watcher_sees_the_end_of_what_it_watches_and_watches_the_next(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        await call.publish("customer")
        before = await call.answer("agent", await call.watch("agent", "customer"))
        watching = call.peers[-1]
        await asyncio.wait_for(before["audio"].recv(), 20)
        await call.publish("customer")
        await call.ended(watching)
        tracks = await call.answer("agent", await call.watch("agent", "customer"))
        await asyncio.wait_for(tracks["video"].recv(), 20)
