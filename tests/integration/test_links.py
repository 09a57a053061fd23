"""Replay links through the real gateway: each opens one session of one tenant until its end, and nothing else."""

import base64
import http.client
import ssl
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from google.protobuf.json_format import ParseDict

from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest
from shuanglu.report.v1.report_service_pb2 import CreateReplayRequest
from shuanglu.session.v1.session_pb2 import Order
from shuanglu.session.v1.session_service_pb2 import CreateOrderRequest, CreateSessionRequest
from shuanglu_cli.errors import Refused
from shuanglu_common.sealing import Sealer, read_master_key
from shuanglu_report.domain.link import Grant, sign
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import Client, client_of

TENANT, OTHER = "links-bank", "links-other"
STORED_TIMEOUT_S = 120


@dataclass(frozen=True)
class Link:
    """A link and what it reaches: `token` in `/hls/<token>/`, the track and its parts."""

    tenant: str
    session_id: str
    token: str
    track: str
    parts: tuple[str, ...]

    def path(self, part: str, token: str | None = None, track: str | None = None) -> str:
        return f"/hls/{self.token if token is None else token}/tracks/{self.track if track is None else track}/{part}"


@pytest.fixture(scope="module")
def web(doors: EmbeddedStack) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=str(doors.ca))
    with httpx.Client(base_url=doors.gateway_url, verify=trust, timeout=30) as client:
        yield client


def stored(client: Client, number: str, folder: Path) -> str:
    """A session with three seconds of sound in the store."""
    call = client.gateway.call
    order = {"order_no": f"LINK-{number}", "product": "personal_loan", "purpose": "consumption", "term_months": 12}
    order |= {"amount": {"amount_fen": "100000", "currency": "CNY"}}
    order |= {"customer": {"customer_no": "C-1", "name": "张三", "id_number": "110101199003070000"}}
    made = call(client.gateway.sessions.CreateOrder, CreateOrderRequest(order=ParseDict(order, Order()))).order
    request = CreateSessionRequest(order_id=made.order_id, channel=1)
    session_id = str(call(client.gateway.sessions.CreateSession, request).session.session_id)
    file = folder / f"{number}.wav"
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        # Another sound for each: the same one in another session would be the same import.
        sound.writeframes(f"{number:<16}".encode() * 6000)
    people = [{"participant_id": "customer", "role": 1}, {"participant_id": "agent", "role": 2}]
    files = [{"upload_id": client.door.upload(file), "participants": people}]
    asked = ParseDict({"session_id": session_id, "files": files}, ImportRecordingRequest())
    call(client.gateway.imports.ImportRecording, asked)
    return session_id


def link_to(client: Client, web: httpx.Client, tenant: str, session_id: str) -> Link:
    """Waits until the recording is stored."""
    deadline = time.monotonic() + STORED_TIMEOUT_S
    path = ""
    while not path:
        try:
            request = CreateReplayRequest(session_id=session_id)
            path = client.gateway.call(client.gateway.reports.CreateReplay, request).playlist_path
        except Refused as error:
            if error.reason != "RECORDING_NOT_STORED" or time.monotonic() > deadline:
                raise
            time.sleep(0.3)
    token = path.split("/")[2]
    master = web.get(path).text
    playlist = next(line for line in master.splitlines() if line and not line.startswith("#"))
    parts = [line for line in web.get(f"/hls/{token}/{playlist}").text.splitlines() if line.endswith(".m4s")]
    return Link(tenant, session_id, token, playlist.split("/")[1], ("init.mp4", *parts))


@pytest.fixture(scope="module")
def links(doors: EmbeddedStack, web: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> list[Link]:
    """Two sessions of one tenant and one of another."""
    folder, made = tmp_path_factory.mktemp("links"), []
    for tenant, numbers in ((TENANT, ("1", "2")), (OTHER, ("3",))):
        with client_of(doors, doors.token(tenant)) as client:
            sessions = [stored(client, number, folder) for number in numbers]
            made += [link_to(client, web, tenant, session_id) for session_id in sessions]
    return made


def reason(answer: httpx.Response) -> str:
    return str(answer.json()["details"][0]["reason"])


def test_a_link_plays_its_own_recording_without_a_token(links: list[Link], web: httpx.Client) -> None:
    for link in links:
        bodies = [web.get(link.path(part)) for part in link.parts]
        assert all(answer.is_success and len(answer.content) > 100 for answer in bodies)
        assert bodies[0].headers["cache-control"].startswith("private")
        assert bodies[0].headers["referrer-policy"] == "no-referrer"


def test_the_same_names_mean_another_recording_in_another_link(links: list[Link], web: httpx.Client) -> None:
    """Tracks and parts have the same names everywhere: the token alone says whose they are."""
    assert len({link.track for link in links}) == 1
    sounds = [web.get(link.path("000001.m4s")).content for link in links]
    assert len(set(sounds)) == len(links)


@pytest.mark.parametrize("track", ["customer-video", "agent-audio", "shared-audi", "SHARED-AUDIO", "*", "."])
def test_a_link_knows_its_own_tracks_alone(track: str, links: list[Link], web: httpx.Client) -> None:
    assert web.get(links[0].path("init.mp4", track=track)).status_code == 404


def test_parts_of_two_links_make_no_third(links: list[Link], web: httpx.Client) -> None:
    for link in links:
        for other in links:
            if other is not link:
                mixed = f"{link.token.split('.')[0]}.{other.token.split('.')[1]}"
                assert reason(web.get(link.path("init.mp4", token=mixed))) == "REPLAY_LINK_REFUSED"


def widened(link: Link) -> dict[str, str]:
    """The same signature under a payload that says more."""
    payload, signature = link.token.split(".")
    tenant, session_id, until = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode().split("\0")
    said = {
        "longer": (tenant, session_id, str(int(until) + 10**12)),
        "another session": (tenant, "0192f0c1-0000-7000-8000-000000000000", until),
        "another tenant": (OTHER, session_id, until),
        "all sessions": (tenant, "", until),
        "no end": (tenant, session_id),
        "one more": (tenant, session_id, until, "admin"),
    }
    encoded = {
        name: base64.urlsafe_b64encode("\0".join(parts).encode()).rstrip(b"=").decode() for name, parts in said.items()
    }
    return {name: f"{changed}.{signature}" for name, changed in encoded.items()}


@pytest.mark.parametrize("how", ["longer", "another session", "another tenant", "all sessions", "no end", "one more"])
def test_a_link_cannot_be_widened(how: str, links: list[Link], web: httpx.Client) -> None:
    answer = web.get(links[0].path("init.mp4", token=widened(links[0])[how]))
    assert (answer.status_code, reason(answer)) == (403, "REPLAY_LINK_REFUSED")


def test_a_link_ends(doors: EmbeddedStack, links: list[Link], web: httpx.Client) -> None:
    """Signed with the right key: only its time is over."""
    link = links[0]
    key = Sealer(read_master_key(doors.keys.master_key)).derive("replay-link")
    now_us = int(time.time() * 1e6)
    living = sign(key, Grant(link.tenant, link.session_id, now_us + 60_000_000))
    assert web.get(link.path("init.mp4", token=living)).is_success
    over = sign(key, Grant(link.tenant, link.session_id, now_us - 1))
    answer = web.get(link.path("init.mp4", token=over))
    assert (answer.status_code, reason(answer)) == (403, "REPLAY_LINK_EXPIRED")
    # The right key and a tenant that the session is not of: there is nothing.
    foreign = sign(key, Grant(OTHER, link.session_id, now_us + 60_000_000))
    assert web.get(link.path("init.mp4", token=foreign)).status_code == 404


# Digits to Python's int, and to no playlist.
ARABIC = "%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A1"
SPELLINGS: dict[str, Callable[[Link, Link], str]] = {
    "parent": lambda link, other: f"/hls/{link.token}/../{other.token[:-2]}xx/tracks/{other.track}/init.mp4",
    "encoded parent": lambda link, other: f"/hls/{link.token}/tracks/%2e%2e/tracks/{other.track}/init.mp4",
    "encoded slash": lambda link, other: f"/hls/{link.token}/tracks%2f{other.track}%2finit.mp4",
    "encoded backslash": lambda link, other: f"/hls/{link.token}/tracks/..%5c{other.track}/init.mp4",
    "twice encoded": lambda link, other: f"/hls/{link.token}/tracks/%252e%252e%252f{other.track}/init.mp4",
    "semicolon": lambda link, other: f"/hls/{link.token};x/tracks/{link.track}/init.mp4",
    "store key": lambda link, other: (
        f"/hls/{link.token}/tracks/{link.track}/{other.tenant}/{other.session_id}/init.mp4"
    ),
    "absolute": lambda link, other: f"/hls/{link.token}/tracks//etc/passwd",
    "NUL": lambda link, other: f"/hls/{link.token}/tracks/{link.track}%00/init.mp4",
    "overlong": lambda link, other: f"/hls/{link.token}/tracks/%c0%ae%c0%ae/{other.track}/init.mp4",
    "out of the door": lambda link, other: f"/hls/{link.token}/../../v1/sessions/{link.session_id}/report",
    "into uploads": lambda link, other: "/hls/../files/",
    "a very long token": lambda link, other: f"/hls/{link.token * 30}/master.m3u8",
    "another part": lambda link, other: f"/hls/{link.token}/tracks/{link.track}/999999.m4s",
    "a number that is none": lambda link, other: (
        f"/hls/{link.token}/tracks/{link.track}/%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A1.m4s"
    ),
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_no_spelling_of_a_path_leaves_the_recording(
    how: str, doors: EmbeddedStack, links: list[Link], web: httpx.Client
) -> None:
    """Sent byte for byte: a library would tidy the path up. What the gateway tidies may lead to the link's own part."""
    own = web.get(links[0].path("init.mp4")).content
    path = SPELLINGS[how](links[0], links[2])
    host, port = doors.gateway_url.removeprefix("https://").split(":")
    line = http.client.HTTPSConnection(
        host, int(port), context=ssl.create_default_context(cafile=str(doors.ca)), timeout=30
    )
    line.putrequest("GET", path)
    line.endheaders()
    answer = line.getresponse()
    body = answer.read()
    line.close()
    assert 400 <= answer.status < 500 or (how == "encoded parent" and body == own), (how, answer.status)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_link_only_reads(method: str, links: list[Link], web: httpx.Client) -> None:
    assert web.request(method, links[0].path("init.mp4")).status_code in {403, 404, 405}


def test_a_link_says_nothing_with_a_token_of_another_tenant_beside_it(
    doors: EmbeddedStack, links: list[Link], web: httpx.Client
) -> None:
    """The link is the authority: a token neither widens nor narrows it."""
    headers = {"Authorization": f"Bearer {doors.token(OTHER)}"}
    own, foreign = (web.get(links[number].path("000001.m4s")).content for number in (0, 2))
    with_token = web.get(links[0].path("000001.m4s"), headers=headers).content
    assert own == with_token != foreign
