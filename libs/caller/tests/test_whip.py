"""Publishing and watching against a small door of its own: aiortc behind HTTP, without the product."""

import asyncio
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from shuanglu_caller.errors import DoorRefused, DoorUnreachable
from shuanglu_caller.film import marked_film, read_film
from shuanglu_caller.reels import Projector, ReelTrack
from shuanglu_caller.whip import Publication, View

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "personal-loan" / "customer.mp4"


class Door:
    """Takes offers; keeps what arrives; sends a marked film to who watches."""

    def __init__(self) -> None:
        self.peers: dict[str, RTCPeerConnection] = {}
        self.frames: dict[str, list[object]] = {"video": [], "audio": []}
        self.projector = Projector()
        self.enough = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.relay = MediaRelay()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            await self.peers.pop(request.url.path).close()
            return httpx.Response(200)
        if request.headers["authorization"] != "Bearer right":
            return httpx.Response(403, json={"error": "FORBIDDEN", "reason": "ROLE_FORBIDDEN"})
        peer = RTCPeerConnection(RTCConfiguration([]))
        location = f"/resource/{len(self.peers)}"
        self.peers[location] = peer
        peer.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.read(track))))
        await peer.setRemoteDescription(RTCSessionDescription(request.content.decode(), "offer"))
        if request.url.path == "/watch":
            film = marked_film()
            for transceiver, reel in zip(peer.getTransceivers(), (film.audio, film.video), strict=True):
                transceiver.sender.replaceTrack(ReelTrack(reel, film.duration_s, self.projector))
                transceiver.direction = "sendonly"
        await peer.setLocalDescription(await peer.createAnswer())
        return httpx.Response(201, text=peer.localDescription.sdp, headers={"location": location, "etag": '"1"'})

    async def read(self, track: object) -> None:
        while True:
            self.frames[track.kind].append(await track.recv())
            if len(self.frames["video"]) >= 20 and len(self.frames["audio"]) >= 60:
                self.enough.set()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for peer in self.peers.values():
            await peer.close()


def client(door: Door, bearer: str = "right") -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url="https://door", transport=httpx.MockTransport(door), headers={"authorization": f"Bearer {bearer}"}
    )


async def test_a_published_film_arrives_with_its_pictures_and_times() -> None:
    door, projector = Door(), Projector()
    async with client(door) as http:
        publication = Publication(http, "/publish", read_film(SAMPLE), projector)
        await publication.negotiate()
        projector.begin()
        await asyncio.wait_for(door.enough.wait(), 20)
        assert publication.etag == '"1"'
        await publication.close()
    assert door.peers == {}
    await door.close()
    frames = door.frames["video"]
    assert {(frame.width, frame.height) for frame in frames} == {(640, 480)}
    assert {later.pts - sooner.pts for sooner, later in pairwise(frames)} == {6000}


async def test_a_watched_film_is_known_to_move() -> None:
    door = Door()
    async with client(door) as http:
        view = View(http, "/watch", decoded=5)
        await view.negotiate()
        door.projector.begin()
        await asyncio.wait_for(view.moving.wait(), 20)
        await view.close()
    await door.close()
    assert view.pictures >= 2


async def test_a_refusal_carries_the_doors_reason() -> None:
    door = Door()
    async with client(door, "wrong") as http:
        publication = Publication(http, "/publish", marked_film(), Projector())
        with pytest.raises(DoorRefused) as refusal:
            await publication.negotiate()
    assert refusal.value.reason == "ROLE_FORBIDDEN"
    assert publication.gone


async def test_a_door_that_is_not_there_is_unreachable() -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with httpx.AsyncClient(base_url="https://door", transport=httpx.MockTransport(nobody)) as http:
        with pytest.raises(DoorUnreachable):
            await Publication(http, "/publish", marked_film(), Projector()).negotiate()
