"""Calls on the real stack by bare HTTP and aiortc: what any WHIP and WHEP client does, step by step."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from shuanglu.session.v1.call_pb2 import CallView, Presence
from shuanglu_caller.booking import book
from shuanglu_caller.desk import CallDesk, Place, Seat
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import as_another_order, client_of, sample_recording

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "personal-loan"
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
SOON_S = 20


@dataclass
class Room:
    """A session with customer and agent in its call, and one HTTP client for each."""

    stack: EmbeddedStack
    session_id: str
    desk: CallDesk
    seats: dict[str, Seat]
    http: dict[str, httpx.AsyncClient]
    peers: list[RTCPeerConnection] = field(default_factory=list)

    async def view(self) -> CallView:
        """The call as it is now."""
        return await self.desk.look(self.session_id)

    async def presence(self, participant_id: str) -> int:
        """Whether somebody is there."""
        view = await self.view()
        return next(p.presence for p in view.participants if p.participant.participant_id == participant_id)

    async def becomes(self, participant_id: str, presence: int) -> None:
        """Wait until somebody's presence is that. Raises TimeoutError."""
        async with asyncio.timeout(SOON_S):
            while await self.presence(participant_id) != presence:  # noqa: ASYNC110 - it is another process that tells
                await asyncio.sleep(0.1)

    async def ended(self, peer: RTCPeerConnection) -> None:
        """Wait until the other side has ended a connection. Raises TimeoutError."""
        async with asyncio.timeout(SOON_S):
            while peer.connectionState not in {"closed", "failed"}:  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.05)

    def peer(self, configuration: RTCConfiguration | None = None) -> RTCPeerConnection:
        """A peer connection that is closed in the end."""
        made = RTCPeerConnection(configuration)
        self.peers.append(made)
        return made

    async def offer(self, peer: RTCPeerConnection) -> str:
        """Of a publisher, with all candidates."""
        peer.addTransceiver(AudioStreamTrack(), direction="sendonly")
        peer.addTransceiver(VideoStreamTrack(), direction="sendonly")
        await peer.setLocalDescription(await peer.createOffer())
        return str(peer.localDescription.sdp)

    async def publish(self, participant_id: str, configuration: RTCConfiguration | None = None) -> httpx.Response:
        """By WHIP; returns when media flows."""
        peer = self.peer(configuration)
        answer = await self.post(participant_id, await self.offer(peer))
        assert answer.status_code == httpx.codes.CREATED, answer.text
        await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        await self.becomes(participant_id, Presence.PRESENCE_LIVE)
        return answer

    async def watch(self, participant_id: str, watched: str, body: str = "") -> httpx.Response:
        """To the WHEP endpoint; without a body the server makes the offer."""
        headers = {"content-type": SDP} if body else {}
        path = f"/whep/{self.session_id}/{watched}"
        return await self.http[participant_id].post(path, content=body, headers=headers)

    async def answer(self, participant_id: str, made: httpx.Response) -> dict[str, MediaStreamTrack]:
        """To the server's offer; the tracks that it brings."""
        peer = self.peer()
        tracks: dict[str, MediaStreamTrack] = {}
        peer.on("track", lambda track: tracks.__setitem__(track.kind, track))
        await peer.setRemoteDescription(RTCSessionDescription(made.text, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        body, headers = peer.localDescription.sdp, {"content-type": SDP}
        answered = await self.http[participant_id].patch(made.headers["location"], content=body, headers=headers)
        assert answered.status_code == httpx.codes.NO_CONTENT, answered.text
        return tracks

    async def post(self, participant_id: str, body: str, content_type: str = SDP) -> httpx.Response:
        """To the WHIP endpoint."""
        headers = {"content-type": content_type}
        return await self.http[participant_id].post(f"/whip/{self.session_id}", content=body, headers=headers)

    def files(self, participant_id: str) -> list[Path]:
        """What Janus records of somebody."""
        found = [
            file
            for node in self.stack.data_dir.glob("live/*")
            for file in node.glob(f"*/{self.session_id}/{participant_id}~*.mjr")
        ]
        return sorted(found)

    async def grows(self, participant_id: str) -> None:
        """Wait until the newest recording of somebody's picture grows. Raises TimeoutError."""
        async with asyncio.timeout(SOON_S):
            before = 0
            while True:
                newest = [file for file in self.files(participant_id) if "video" in file.name][-1:]
                size = newest[0].stat().st_size if newest else 0
                if before and size > before:
                    return
                before = before or size
                await asyncio.sleep(0.1)


@asynccontextmanager
async def room(stack: EmbeddedStack, **places: str) -> AsyncIterator[Room]:
    """Book, invite, accept, join. `places`: where a participant's requests go, if not to the gateway."""
    with client_of(stack) as client:
        session_id = book(client.gateway, None, as_another_order(sample_recording(SAMPLE)))
    place = Place(stack.gateway_url, stack.ca)
    trust = ssl.create_default_context(cafile=str(stack.ca))
    async with CallDesk(place, stack.token()) as bank, CallDesk(place) as nobody:
        seats, http = {}, {}
        for who in ("customer", "agent"):
            seat = await nobody.accept(await bank.invite(session_id, who))
            async with CallDesk(place, seat.token) as own:
                await own.join(seat)
            headers = {"authorization": f"Bearer {seat.token}"}
            base = places.get(who, stack.gateway_url)
            http[who] = httpx.AsyncClient(base_url=base, verify=trust, headers=headers, timeout=SOON_S)
            seats[who] = seat
        made = Room(stack, session_id, bank, seats, http)
        try:
            yield made
        finally:
            for peer in made.peers:
                await peer.close()
            for client_http in http.values():
                await client_http.aclose()
            sys.stdout.flush()


def reason(answer: httpx.Response) -> str:
    """The stable reason of an error."""
    return str(answer.json()["details"][0]["reason"])


def fragment(ufrag: str, password: str, *candidates: str) -> str:
    """What a client trickles."""
    lines = [f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{password}", "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0"]
    return "\r\n".join([*lines, *(f"a={each}" for each in candidates)]) + "\r\n"


def value_of(sdp: str, name: str) -> str:
    """First value of an attribute."""
    return next(line.partition(":")[2] for line in sdp.splitlines() if line.startswith(f"a={name}:"))
