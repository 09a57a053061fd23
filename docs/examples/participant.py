"""A participant of a call, as a native app is one: accepts a link, publishes by WHIP, watches the others by WHEP.

    pip install aiortc httpx
    python participant.py LINK [--film FILE] [--seconds 30] [--ca ca.pem]

LINK is what `CreateInvitation` gave, such as https://gateway.bank.example/call#Hq3… Without a film a test picture and
silence are sent. Nothing of shuanglu is imported: an app in any language does the same.
"""

import argparse
import asyncio
import json
import ssl
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaBlackhole, MediaPlayer
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack

SDP = {"Content-Type": "application/sdp"}


class Participant:
    """One seat in one call."""

    def __init__(self, http: httpx.AsyncClient, session: str, participant_id: str) -> None:
        self.http, self.session, self.participant_id = http, session, participant_id
        self.servers: list[RTCIceServer] = []
        self.watched: dict[str, int] = {}
        self.connections: list[tuple[RTCPeerConnection, str]] = []

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call by JSON. An error has a stable reason in its details."""
        answer = await self.http.request(method, f"/v1/sessions/{self.session}/{path}", json=body)
        if answer.is_error:
            raise SystemExit(f"{path}: {answer.json()['details'][0]['reason']} {answer.json()['message']}")
        return dict(answer.json())

    def peer(self) -> RTCPeerConnection:
        """A connection that knows the call's STUN and TURN servers."""
        return RTCPeerConnection(RTCConfiguration(self.servers))

    async def post(self, path: str, peer: RTCPeerConnection, offer: str) -> tuple[str, str]:
        """What the server answers, and the resource: what to PATCH, and to DELETE at the end."""
        answer = await self.http.post(path, content=offer, headers=SDP)
        answer.raise_for_status()
        resource = urljoin(str(answer.request.url), answer.headers["location"])
        self.connections.append((peer, resource))
        return answer.text, resource

    async def publish(self, path: str, sound: MediaStreamTrack, picture: MediaStreamTrack) -> None:
        """WHIP: our offer, the server's answer. H.264 and Opus, which are recorded as they come."""
        peer = self.peer()
        peer.addTransceiver(sound, direction="sendonly")
        h264 = [codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.name == "H264"]
        peer.addTransceiver(picture, direction="sendonly").setCodecPreferences(h264)
        await peer.setLocalDescription(await peer.createOffer())
        answer, _ = await self.post(path, peer, peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def watch(self, path: str) -> None:
        """WHEP in the form where the server makes the offer. What arrives is thrown away here; an app shows it."""
        peer, screen = self.peer(), MediaBlackhole()
        peer.on("track", screen.addTrack)
        offer, resource = await self.post(path, peer, "")
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        answered = await self.http.patch(resource, content=peer.localDescription.sdp, headers=SDP)
        answered.raise_for_status()
        await screen.start()
        print(f"watching {path}", flush=True)

    async def follow(self, watch_path: str) -> None:
        """The call as it changes, a line each; who is LIVE is watched. By gRPC it is the stream WatchSession."""
        path = f"/v1/sessions/{self.session}/call:watch"
        async with self.http.stream("GET", path, timeout=httpx.Timeout(15, read=30)) as lines:
            async for line in lines.aiter_lines():
                call = json.loads(line)["call"]
                print(call["state"], call["recording"]["state"], call["recording"]["stored_duration_ms"], flush=True)
                if call["state"] in {"CALL_STATE_ENDING", "CALL_STATE_ENDED"}:
                    return
                for one in call["participants"]:
                    name, connection = one["participant"]["participant_id"], one["connection"]
                    new = self.watched.get(name) != connection
                    if name != self.participant_id and one["presence"] == "PRESENCE_LIVE" and new:
                        self.watched[name] = connection
                        await self.watch(watch_path.replace("{participant_id}", name))

    async def take_part(self, film: str, seconds: float) -> None:
        """Join, publish, watch; then leave."""
        joined = await self.ask("POST", "call:join", {})
        self.servers = [
            RTCIceServer(one["urls"], one["username"] or None, one["credential"] or None)
            for one in joined["ice_servers"]
        ]
        player = MediaPlayer(film, loop=True) if film else None
        sound = player.audio if player else AudioStreamTrack()
        picture = player.video if player else VideoStreamTrack()
        await self.publish(joined["publish_path"], sound, picture)
        try:
            await asyncio.wait_for(self.follow(joined["watch_path"]), seconds)
        except TimeoutError:
            await self.ask("POST", "call:leave", {})
        finally:
            for peer, resource in self.connections:
                await self.http.delete(resource)
                await peer.close()


async def main() -> None:
    """Accept the link, take part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("link")
    parser.add_argument("--film", default="", help="a file to send instead of a test picture")
    parser.add_argument("--seconds", type=float, default=30, help="how long to stay at most")
    parser.add_argument("--ca", help="certificate to trust; development only")
    arguments = parser.parse_args()
    place = urlsplit(arguments.link)
    trust = ssl.create_default_context(cafile=arguments.ca)
    async with httpx.AsyncClient(base_url=f"https://{place.netloc}", verify=trust, timeout=15) as http:
        answer = await http.post("/v1/invitations:accept", json={"code": place.fragment})
        if answer.is_error:
            raise SystemExit(answer.json()["message"])
        let_in = answer.json()
        # In memory only. The cookie that came along lets this client, and no other, accept the link again.
        http.headers["Authorization"] = f"Bearer {let_in['token']}"
        seat = Participant(http, let_in["session_id"], let_in["participant"]["participant_id"])
        await seat.take_part(arguments.film, arguments.seconds)


if __name__ == "__main__":
    asyncio.run(main())
