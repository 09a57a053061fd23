"""From the customer's click on the page, in Chromium, to both pictures moving: on loopback and on a bad line."""

import asyncio
import shlex
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from figures import Figure
from live.calls import callers, invited, place_of, stack_for_calls
from live.joining import KEY_EVERY, NEAR_MOST_S, TIMEOUT_S, spread
from live.joining_far import FAR_MOST_S, LINE
from live.sizes import Sizes
from shuanglu.session.v1.call_service_pb2 import CreateInvitationRequest, EndCallRequest
from shuanglu_caller.desk import Place, Seat
from shuanglu_caller.film import Film, marked_film
from shuanglu_caller.network import BadNetwork, may_shape
from shuanglu_caller.participant import OVER, Manner, Participant
from shuanglu_caller.reels import Projector
from shuanglu_stack.sampling import Client
from shuanglu_stack.stack import EmbeddedStack

CHROMIUM = "/usr/bin/chromium"
# Chromium's own test picture and tone stand for camera and microphone.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PICTURE_MOVES = """() => {
  const video = document.querySelector('[data-person="agent"] video')
  return Boolean(video) && video.getVideoPlaybackQuality().totalVideoFrames > 2
}"""


def wait_for_customer(place: Place, seat: Seat, film: Film) -> float:
    """As the agent, without a browser: when the customer's picture moved, by the monotonic clock of this machine."""
    return asyncio.run(_agent(place, seat, film))


async def _agent(place: Place, seat: Seat, film: Film) -> float:
    projector = Projector()
    projector.begin()
    async with Participant(place, seat, film, projector, Manner()) as agent:
        await agent.sees("customer", TIMEOUT_S)
        saw_s = time.monotonic()
        await agent.until(lambda view: view.state in OVER, TIMEOUT_S)
    return saw_s


@contextmanager
def chromium(command: Sequence[str]) -> Iterator[Browser]:
    """A browser that is started by this command."""
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        starter = Path(folder) / "chromium"
        starter.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
        starter.chmod(0o700)
        with playwright.chromium.launch(executable_path=str(starter), args=FLAGS) as browser:
            yield browser


def joins(
    stack: EmbeddedStack, client: Client, count: int, near: ProcessPoolExecutor, command: Sequence[str]
) -> list[float]:
    """Seconds of each call, one after the other, in the browser that the command starts."""
    # Before the browser: while one is driven, this process can run no other event loop.
    film, agents = marked_film(key_every=KEY_EVERY), [seats["agent"] for seats in invited(stack, client, count)]
    with chromium(command) as browser:
        return [_join(stack, client, agent, film, near, browser) for agent in agents]


def _join(
    stack: EmbeddedStack, client: Client, agent: Seat, film: Film, near: ProcessPoolExecutor, browser: Browser
) -> float:
    calls, session_id = client.gateway.calls, agent.session_id
    request = CreateInvitationRequest(session_id=session_id, participant_id="customer")
    link = stack.gateway_url + client.gateway.call(calls.CreateInvitation, request).invitation.link
    waiting = near.submit(wait_for_customer, place_of(stack), agent, film)
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_S * 1000)
    page.goto(link)
    page.locator('[data-screen="consent"]').get_by_role("button").last.click()
    enter = page.locator('[data-screen="check"]').get_by_role("button").last
    enter.wait_for()
    page.wait_for_timeout(1500)
    clicked_s = time.monotonic()
    enter.click()
    page.wait_for_function(PICTURE_MOVES)
    saw_s = time.monotonic()
    # The agent tells at the end when it saw the customer; it has until then.
    page.wait_for_timeout(4000)
    client.gateway.call(calls.EndCall, EndCallRequest(session_id=session_id))
    context.close()
    return max(saw_s, waiting.result(timeout=90)) - clicked_s


def measure(sizes: Sizes) -> list[Figure]:
    """Loopback first; then behind a TUN router, 200 ms there and back and 5 % lost each way, HTTPS included."""
    count = max(2, sizes.joins // 3)
    with stack_for_calls() as (stack, client), callers(1) as near:
        seconds = joins(stack, client, count, near, [CHROMIUM])
    figures = spread("page: click to both pictures, loopback", seconds, NEAR_MOST_S, f"{count} calls, Chromium")
    if not may_shape():
        print("left out: network namespaces need root")
        return figures
    with (
        BadNetwork(LINE) as network,
        stack_for_calls(media_host=network.near) as (stack, client),
        callers(1) as near,
    ):
        network.open_tcp(stack.ports["gateway"])
        far = joins(stack, client, count, near, network.command(CHROMIUM))
    against = f"{count} calls, Chromium; {sum(far) / sum(seconds):.1f} times loopback"
    return figures + spread("page: click to both pictures, 200 ms and 5 % lost", far, FAR_MOST_S, against)
