"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) as a client: an offer goes out, an answer comes back.

All candidates are in the offer, so nothing has to trickle. A WHEP server may turn the direction round: it refuses the
offer with one of its own (406), which is answered by PATCH.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from urllib.parse import urljoin

import httpx
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from shuanglu.session.v1.call_pb2 import IceServer
from shuanglu_caller.errors import DoorRefused, DoorUnreachable, NotConnected
from shuanglu_caller.film import Film
from shuanglu_caller.reels import Projector, ReelTrack

CONNECT_TIMEOUT_S = 20.0
HTTP_TIMEOUT_S = 15.0
SDP = "application/sdp"
GONE = {"failed", "closed"}
SERVER_ERRORS = 500


class Connection:
    """One peer connection behind one WHIP or WHEP resource."""

    def __init__(self, http: httpx.AsyncClient, path: str, ice_servers: Sequence[IceServer] = ()) -> None:
        """`http` has the gateway's address and the token."""
        servers = [RTCIceServer(list(one.urls), one.username or None, one.credential or None) for one in ice_servers]
        self._configuration = RTCConfiguration(servers)
        self.resource = ""
        self.etag = ""
        self._http, self._path = http, path
        self._connected = asyncio.Event()
        self._gone = asyncio.Event()
        self.on_gone: Callable[[], None] = lambda: None
        self.peer = self._new_peer()

    def _new_peer(self) -> RTCPeerConnection:
        peer = RTCPeerConnection(self._configuration)
        peer.on("connectionstatechange", self._state_changed)
        return peer

    def _state_changed(self) -> None:
        if self.peer.connectionState == "connected":
            self._connected.set()
        elif self.peer.connectionState in GONE and not self._gone.is_set():
            self._gone.set()
            self.on_gone()

    @property
    def gone(self) -> bool:
        """Whether it has ended, by whomever."""
        return self._gone.is_set()

    async def negotiate(self) -> None:
        """Offer, answer, and wait until media can flow. Raises CallerError; nothing is left behind then."""
        try:
            await self.peer.setLocalDescription(await self.peer.createOffer())
            answer = await self._send("POST", self._path, self.peer.localDescription.sdp)
            self.resource = urljoin(str(answer.request.url), answer.headers["location"])
            self.etag = answer.headers.get("etag", "")
            if answer.status_code == httpx.codes.NOT_ACCEPTABLE:
                await self._answer(answer.text)
            else:
                await self.peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            await asyncio.wait_for(self._connected.wait(), CONNECT_TIMEOUT_S)
        except TimeoutError:
            await self.close()
            raise NotConnected(f"no media connection within {CONNECT_TIMEOUT_S:.0f} s") from None
        except BaseException:
            await self.close()
            raise

    async def _answer(self, offer: str) -> None:
        """Take the door's own offer instead; tracks come from it."""
        await self.peer.close()
        self._gone.clear()
        self.peer = self._new_peer()
        self._prepare_answer()
        # aiortc repeats a lost DTLS hello after a second, browsers and Janus after 50 and 100 ms: Janus speaks first.
        offer = offer.replace("a=setup:actpass", "a=setup:active")
        await self.peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        await self._send("PATCH", self.resource, self.peer.localDescription.sdp)

    def _prepare_answer(self) -> None:
        """Before the door's offer is set."""

    async def _send(self, method: str, path: str, description: str) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, content=description, headers={"content-type": SDP})
        except httpx.HTTPError as error:
            raise DoorUnreachable(f"{path} does not answer: {type(error).__name__}") from error
        countered = answer.status_code == httpx.codes.NOT_ACCEPTABLE and "location" in answer.headers
        if not (answer.is_success or countered):
            kind = DoorUnreachable if answer.status_code >= SERVER_ERRORS else DoorRefused
            raise kind(f"{path} says {answer.status_code}: {answer.text[:300]}", reason_of(answer))
        return answer

    async def vanish(self) -> None:
        """End without a word to the door, as a closed laptop does. The peer's DTLS hears of it all the same."""
        self.on_gone = lambda: None
        self._gone.set()
        await self.peer.close()

    async def close(self) -> None:
        """End it, and the resource with it. Never raises."""
        self.on_gone = lambda: None
        self._gone.set()
        if self.resource:
            with contextlib.suppress(httpx.HTTPError):
                await self._http.delete(self.resource)
            self.resource = ""
        await self.peer.close()


def reason_of(answer: httpx.Response) -> str:
    """The stable reason in an error of a door (problem details or our JSON); empty if there is none."""
    try:
        content = answer.json()
    except ValueError:
        return ""
    return str(content.get("reason") or content.get("error", "")) if isinstance(content, dict) else ""


class Publication(Connection):
    """Our own picture and sound, by WHIP."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        path: str,
        film: Film,
        projector: Projector,
        ice_servers: Sequence[IceServer] = (),
    ) -> None:
        super().__init__(http, path, ice_servers)
        self.tracks: dict[str, ReelTrack] = {}
        for reel in (film.audio, film.video):
            track = ReelTrack(reel, film.duration_s, projector)
            self.tracks[reel.kind] = track
            transceiver = self.peer.addTransceiver(track, direction="sendonly")
            if reel.kind == "video":
                transceiver.setCodecPreferences(_h264())


class View(Connection):
    """Somebody else's picture and sound, by WHEP.

    The first `decoded` pictures are decoded, to know that they move; then packets are let go by, which costs little.
    """

    def __init__(
        self, http: httpx.AsyncClient, path: str, ice_servers: Sequence[IceServer] = (), decoded: float = 2
    ) -> None:
        super().__init__(http, path, ice_servers)
        self.pictures = 0
        self.moving = asyncio.Event()
        self.on_picture: Callable[[object], None] = lambda _: None
        self._decoded = decoded
        self._readers: set[asyncio.Task[None]] = set()
        self.peer.addTransceiver("audio", direction="recvonly")
        self.peer.addTransceiver("video", direction="recvonly").setCodecPreferences(_h264())
        self.peer.on("track", self._read)

    def _prepare_answer(self) -> None:
        self.peer.on("track", self._read)

    def _read(self, track: MediaStreamTrack) -> None:
        task = asyncio.ensure_future(self._consume(track))
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    async def _consume(self, track: MediaStreamTrack) -> None:
        receiver = next(r for r in self.peer.getReceivers() if r.track is track)
        if track.kind == "audio":
            _let_go_by(receiver)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    self.pictures += 1
                    self.on_picture(frame)
                    if self.pictures >= 2:  # noqa: PLR2004 a second picture: it moves
                        self.moving.set()
                    if self.pictures >= self._decoded:
                        _let_go_by(receiver)


def _let_go_by(receiver: RTCRtpReceiver) -> None:
    # aiortc has no public way to receive without decoding.
    receiver._enabled = False  # noqa: SLF001


def _h264() -> list[RTCRtpCodecCapability]:
    return [codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.name in {"H264", "rtx"}]
