"""Publishing by WHIP (RFC 9725) with a client that is not ours, through the real gateway to the real media server."""

import asyncio
import re
import sys
from pathlib import Path

import httpx
import pytest
from aiortc import RTCSessionDescription
from playwright.async_api import async_playwright
from tests.integration.calls import FRAGMENT, SDP, fragment, reason, room, value_of

from shuanglu.session.v1.call_pb2 import Presence
from shuanglu_stack import EmbeddedStack

PATIENT = pytest.mark.timeout(180)
PAGE = (Path(__file__).parent / "whip_page.js").read_text(encoding="utf-8")
FAKE_DEVICES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.99 40000 typ host"


@PATIENT
async def test_a_publisher_is_answered_recorded_and_ended(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        answer = await call.publish("customer")
        assert answer.headers["content-type"] == SDP
        assert answer.headers["accept-patch"] == FRAGMENT
        assert answer.headers["location"].startswith(f"/whip/{call.session_id}/")
        assert re.fullmatch(r'"[0-9a-f]+"', answer.headers["etag"])
        assert 'rel="ice-server"; username="' in answer.headers["link"]
        assert value_of(answer.text, "fmtp").find("usedtx=0") > 0
        await call.grows("customer")
        assert [file.name for file in call.files("customer")] == ["customer~1-audio-0.mjr", "customer~1-video-1.mjr"]

        customer = call.http["customer"]
        ended = await customer.delete(answer.headers["location"])
        assert ended.status_code == httpx.codes.OK
        await call.becomes("customer", Presence.PRESENCE_AWAY)
        again = await customer.delete(answer.headers["location"])
        assert (again.status_code, reason(again)) == (404, "CONNECTION_NOT_FOUND")


@PATIENT
async def test_candidates_come_later_and_only_for_the_ice_session_they_are_of(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        peer = call.peer()
        whole = await call.offer(peer)
        bare = "\r\n".join(line for line in whole.split("\r\n") if "candidate" not in line)
        created = await call.post("customer", bare)
        assert created.status_code == httpx.codes.CREATED
        await peer.setRemoteDescription(RTCSessionDescription(created.text, "answer"))
        place, etag = created.headers["location"], created.headers["etag"]
        own = [value_of(whole, "ice-ufrag"), value_of(whole, "ice-pwd")]
        found = [line[2:] for line in whole.split("\r\n") if line.startswith("a=candidate")]

        async def patch(body: str, **headers: str) -> httpx.Response:
            headers = {"content-type": FRAGMENT, **{key.replace("_", "-"): text for key, text in headers.items()}}
            return await call.http["customer"].patch(place, content=body, headers=headers)

        without = await patch(fragment(*own, *found))
        assert (without.status_code, reason(without)) == (428, "ETAG_REQUIRED")
        wrong = await patch(fragment(*own, *found), if_match='"0000"')
        assert (wrong.status_code, reason(wrong)) == (412, "ETAG_CHANGED")
        trickled = await patch(fragment(*own, *found), if_match=etag)
        assert trickled.status_code == httpx.codes.NO_CONTENT
        await call.becomes("customer", Presence.PRESENCE_LIVE)

        restarted = await patch(fragment("newu", "n" * 24, CANDIDATE), if_match="*")
        assert restarted.status_code == httpx.codes.OK
        assert restarted.headers["etag"] != etag
        assert value_of(restarted.text, "ice-ufrag") != value_of(created.text, "ice-ufrag")
        assert "a=candidate:" in restarted.text
        late = await patch(fragment(*own, *found), if_match=etag)
        assert (late.status_code, reason(late)) == (412, "ETAG_CHANGED")
        refused = await patch("a=mid:0\r\n", if_match="*")
        assert (refused.status_code, reason(refused)) == (400, "WRONG_SDP")


@PATIENT
async def test_what_cannot_be_recorded_is_refused_with_its_reason(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        offer = await call.offer(call.peer())
        cases = [
            (offer.replace("H264", "VP9X"), SDP, 422, "H264_REQUIRED"),
            (offer.replace("opus", "oups"), SDP, 422, "OPUS_REQUIRED"),
            (offer.replace("a=rtcp-mux", "a=x"), SDP, 400, "WRONG_SDP"),
            ("hello", SDP, 400, "WRONG_SDP"),
            ("", SDP, 400, "WRONG_SDP"),
            (offer, "text/plain", 415, "MEDIA_TYPE_UNSUPPORTED"),
        ]
        for body, kind, status, why in cases:
            refused = await call.post("customer", body, kind)
            assert (refused.status_code, reason(refused)) == (status, why)
        whip = f"/whip/{call.session_id}"
        customer = call.http["customer"]
        assert (await customer.get(whip)).status_code == httpx.codes.METHOD_NOT_ALLOWED
        options = await customer.options(whip)
        assert (options.status_code, options.headers["accept-post"]) == (204, SDP)
        large = await call.post("customer", offer + "a=x\r\n" * 20_000)
        assert large.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        assert call.files("customer") == []


@PATIENT
async def test_nobody_publishes_with_a_token_of_another_session_or_of_another_person(
    call_stack: EmbeddedStack,
) -> None:
    async with room(call_stack) as mine, room(call_stack) as other:
        offer = await mine.offer(mine.peer())
        stranger = other.http["customer"]
        headers = {"content-type": SDP}
        stolen = await stranger.post(f"/whip/{mine.session_id}", content=offer, headers=headers)
        assert (stolen.status_code, reason(stolen)) == (404, "SESSION_NOT_FOUND")
        posing = await mine.http["customer"].post(
            f"/whip/{mine.session_id}?participant_id=agent", content=offer, headers=headers
        )
        assert (posing.status_code, reason(posing)) == (403, "NOT_OWN_SEAT")
        made = await mine.publish("customer")
        foreign = await mine.http["agent"].delete(made.headers["location"])
        assert foreign.status_code == httpx.codes.NOT_FOUND
        no_token = await mine.http["customer"].post(
            f"/whip/{mine.session_id}", content=offer, headers={**headers, "authorization": ""}
        )
        assert no_token.status_code == httpx.codes.UNAUTHORIZED


@PATIENT
async def test_a_second_tab_takes_over_and_the_first_one_ends(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        first = await call.publish("customer")
        second = await call.publish("customer")
        assert second.headers["location"] != first.headers["location"]
        await call.ended(call.peers[0])
        gone = await call.http["customer"].delete(first.headers["location"])
        assert gone.status_code == httpx.codes.NOT_FOUND
        await call.grows("customer")
        names = {file.name for file in call.files("customer")}
        assert {"customer~1-video-1.mjr", "customer~2-video-1.mjr"} <= names


@PATIENT
async def test_garbage_on_the_media_port_hurts_nobody(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        answer = await call.publish("customer")
        _, _, _, _, address, port = value_of(answer.text, "candidate").split(" ")[:6]
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(address, int(port)))
        for number in range(500):
            transport.sendto(bytes([0x80 | number % 64, number % 256]) * (1 + number % 600))
        transport.close()
        await call.grows("customer")
        assert await call.presence("customer") == Presence.PRESENCE_LIVE


@PATIENT
async def test_the_end_of_a_call_ends_its_connections(call_stack: EmbeddedStack) -> None:
    async with room(call_stack) as call:
        made = await call.publish("customer")
        await call.desk.end(call.session_id)
        await call.ended(call.peers[0])
        assert (await call.http["customer"].delete(made.headers["location"])).status_code == httpx.codes.NOT_FOUND
        offer = await call.offer(call.peer())
        late = await call.post("customer", offer)
        assert (late.status_code, reason(late)) == (400, "CALL_ENDED")


@PATIENT
async def test_a_browser_publishes_and_goes_on_after_a_restart_of_ice(
    call_stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    async with room(call_stack) as call, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FAKE_DEVICES))
        page = await (await browser.new_context(ignore_https_errors=True)).new_page()
        await page.goto(f"{call_stack.gateway_url}/healthz")
        told = await page.evaluate(PAGE, [call_stack.gateway_url, call.session_id, call.seats["customer"].token])
        assert told["status"] == httpx.codes.CREATED, told
        assert told["state"] == "connected"
        assert set(told["codecs"]) - {"video/rtx"} == {"audio/opus", "video/H264"}
        assert told["bytesOnNewPath"] > 0
        await call.grows("customer")
        # One connection all the time.
        assert [file.name for file in call.files("customer")] == ["customer~1-audio-0.mjr", "customer~1-video-1.mjr"]
        await browser.close()
        with capsys.disabled():
            sys.stdout.write(
                f"\nbrowser: connected {told['connectedMs']:.0f} ms after its offer, {told['lost']} lost\n"
            )
