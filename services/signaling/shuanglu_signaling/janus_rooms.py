"""VideoRoom of one Janus: rooms, publishers and watchers, in Janus' own verbs."""

from dataclasses import dataclass

from shuanglu_signaling.domain.sdp import Description, parse
from shuanglu_signaling.domain.whip_resource import Resource
from shuanglu_signaling.errors import RecorderUnavailable
from shuanglu_signaling.janus import (
    HANDLE_NOT_FOUND,
    NO_SUCH_FEED,
    NO_SUCH_ROOM,
    ROOM_EXISTS,
    SESSION_NOT_FOUND,
    Janus,
    JanusError,
    Message,
)
from shuanglu_signaling.whip_errors import NothingToWatch, NotNegotiable, ResourceNotFound

# Everybody of a call, with those who come anew while their old connection is being ended.
MAX_PUBLISHERS = 16


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What every room has."""

    video_bitrate: int  # Bits per second that a publisher may send.
    key_frame_s: int  # A key frame is asked for so often; segments start at key frames.


class JanusRooms:
    """Rooms of one node. Raises RecorderUnavailable if Janus does not answer."""

    def __init__(self, janus: Janus, settings: RoomSettings) -> None:
        """`settings` hold for rooms that are made from now on."""
        self.janus = janus
        self.settings = settings
        self.session = 0
        self.handle = 0

    async def prepare(self) -> None:
        """A session and a handle of this connection, for requests about rooms."""
        self.session = await self.janus.create()
        self.handle = await self.janus.attach(self.session)

    async def about(self, body: Message) -> Message:
        """A request about rooms. Raises JanusError."""
        return await self.janus.request(self.session, self.handle, {**body, "admin_key": self.janus.secret})

    async def exists(self, room: str) -> bool:
        """Whether there is such a room."""
        return bool((await self.about({"request": "exists", "room": room})).get("exists"))

    async def open(self, room: str) -> None:
        """There is such a room when it returns. It records nothing by itself: each publisher names its files."""
        body = {
            "request": "create",
            "room": room,
            "permanent": False,
            "is_private": True,
            "publishers": MAX_PUBLISHERS,
            "bitrate": self.settings.video_bitrate,
            "bitrate_cap": True,
            "fir_freq": self.settings.key_frame_s,
            "audiocodec": "opus",
            "videocodec": "h264",
            "opus_fec": True,
            "opus_dtx": False,
            "record": False,
            "videoorient_ext": False,
            "playoutdelay_ext": False,
            "notify_joining": False,
        }
        if await self.exists(room):
            return
        try:
            await self.about(body)
        except JanusError as error:
            if error.code != ROOM_EXISTS:
                raise RecorderUnavailable(f"the media server opens no room: {error.code}") from error

    async def close(self, room: str) -> None:
        """There is none when it returns; everybody in it is put out."""
        try:
            await self.about({"request": "destroy", "room": room})
        except JanusError as error:
            if error.code != NO_SUCH_ROOM:
                raise RecorderUnavailable(f"the media server closes no room: {error.code}") from error

    async def count(self) -> int:
        """How many rooms there are."""
        return len((await self.about({"request": "list"})).get("list", []))

    async def publishing(self, room: str) -> set[str]:
        """Feeds of a room whose media is connected."""
        try:
            found = await self.about({"request": "listparticipants", "room": room})
        except JanusError as error:
            if error.code == NO_SUCH_ROOM:
                return set()
            raise
        return {str(each["id"]) for each in found.get("participants", []) if each.get("publisher")}

    async def publish(
        self, session: int, handle: int, room: str, feed: str, file_name: str, offer: Description
    ) -> Description:
        """Join and publish; Janus' answer."""
        body = {
            "request": "joinandconfigure",
            "ptype": "publisher",
            "room": room,
            "id": feed,
            "record": True,
            "filename": file_name,
        }
        return await self._negotiate(session, handle, body, "offer", offer)

    async def watch(self, session: int, handle: int, room: str, feed: str) -> Description:
        """Join as a watcher of one feed; Janus' offer."""
        body = {"request": "join", "ptype": "subscriber", "room": room, "streams": [{"feed": feed}]}
        return await self._negotiate(session, handle, body, "", None)

    async def start(self, resource: Resource, answer: Description) -> None:
        """The watcher's answer."""
        jsep = {"type": "answer", "sdp": answer.text()}
        try:
            await self.janus.message(resource.janus_session, resource.janus_handle, {"request": "start"}, jsep)
        except JanusError as error:
            raise translated(error) from error

    async def restart_publisher(self, resource: Resource, offer: Description) -> Description:
        """A new ICE session for a publisher; Janus' answer."""
        body = {"request": "configure"}
        return await self._negotiate(resource.janus_session, resource.janus_handle, body, "offer", offer)

    async def restart_watcher(self, resource: Resource) -> Description:
        """A new ICE session for a watcher; Janus' offer."""
        body = {"request": "configure", "restart": True}
        return await self._negotiate(resource.janus_session, resource.janus_handle, body, "", None)

    async def _negotiate(
        self, session: int, handle: int, body: Message, kind: str, description: Description | None
    ) -> Description:
        jsep = {"type": kind, "sdp": description.text()} if description else None
        try:
            event = await self.janus.message(session, handle, body, jsep)
        except JanusError as error:
            raise translated(error) from error
        sdp = event.get("jsep", {}).get("sdp")
        if not sdp:
            raise NotNegotiable("the media server gave no description")
        return parse(str(sdp))


def translated(error: JanusError) -> Exception:
    """Of the door."""
    if error.code == NO_SUCH_FEED:
        return NothingToWatch("the participant publishes nothing")
    if error.code == NO_SUCH_ROOM:
        # Opened when the seat was given; the media server was restarted in between.
        return RecorderUnavailable("the call is not on this media server any more")
    if error.code in {SESSION_NOT_FOUND, HANDLE_NOT_FOUND}:
        return ResourceNotFound("the connection is over")
    return NotNegotiable(f"the media server refused: {error.code}")
